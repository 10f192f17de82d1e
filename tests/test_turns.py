"""Films side by side: what is composed in one batch, what it depends on, and what one of them does to the others."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from narrascore import AffectCurve, Pipeline
from narrascore.cli.main import main
from narrascore.errors import InputError, InterruptedJobError, NarraScoreError
from narrascore.job import JobResult, ScoreOptions, score_film, score_films
from narrascore.synthesis.composing import ComposedWindow, Composing, Draw, compose_in_draws, drive
from narrascore.synthesis.decoding import Sampling
from narrascore.turns import in_turns, take_turns
from narrascore.windows import Window
from tests.films import write_clip
from tests.synthesis.tiny import sleepy, tiny_score_musicgen
from tests.systems import tiny_pipeline

PLAIN = ScoreOptions(audio="music-only", prompt="calm strings")
PAIR = replace(PLAIN, batch=2)
SECONDS = {"a": 1.0, "b": 1.3, "c": 0.3, "d": 0.7}
"""4, 5, 1 and 3 windows, the last of each a short one."""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for seed, (name, seconds) in enumerate(SECONDS.items()):
        write_clip(folder / f"{name}.mp4", seconds, sound=False, seed=seed)
    return folder


@pytest.fixture
def asked(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(draws, rows) of every batch that is computed."""
    batches: list[tuple[int, int]] = []
    draw = pipeline.draw

    def count(draws: list[Draw], rows: int = 1) -> list[torch.Tensor]:
        batches.append((len(draws), rows))
        return draw(draws, rows)

    monkeypatch.setattr(pipeline, "draw", count)
    return batches


def films_in(folder: Path, clips: Path, names: str) -> list[Path]:
    folder.mkdir()
    return [Path(shutil.copy(clips / f"{name}.mp4", folder)) for name in names]


def score(pipeline: Pipeline, films: list[Path], options: ScoreOptions, **more: Any) -> dict[str, Any]:
    with closing(score_films(pipeline, films, options, **more)) as outcomes:
        return {film.stem: outcome for film, outcome in outcomes}


def music(film: Path) -> tuple[bytes, ...]:
    folder = film.with_suffix(".narrascore")
    windows = sorted((folder / "windows").glob("0*.safetensors"))
    return tuple(
        path.read_bytes() for path in (folder / "music.wav", folder / "windows" / "codes.safetensors", *windows)
    )


def manifest(film: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((film.with_suffix(".narrascore") / "manifest.json").read_text(encoding="utf-8"))
    return data


@pytest.fixture(scope="module")
def alone(pipeline: Pipeline, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, ...]]:
    """Every film's music at two rows, with a dummy beside it."""
    films = films_in(tmp_path_factory.mktemp("alone") / "films", clips, "abcd")
    for film in films:
        score_film(pipeline, film, PAIR)
    return {film.stem: music(film) for film in films}


@pytest.mark.parametrize("names", ["ab", "ca", "dbac"])
def test_a_film_s_music_does_not_depend_on_its_neighbours(
    pipeline: Pipeline, clips: Path, alone: dict[str, tuple[bytes, ...]], tmp_path: Path, names: str
) -> None:
    films = films_in(tmp_path / "films", clips, names)
    outcomes = score(pipeline, films, PAIR)
    assert all(isinstance(outcome, JobResult) for outcome in outcomes.values())
    assert {film.stem: music(film) for film in films} == {name: alone[name] for name in names}
    assert manifest(films[0])["environment"]["rows"] == 2


def test_windows_of_several_films_share_a_batch(
    pipeline: Pipeline, clips: Path, tmp_path: Path, asked: list[tuple[int, int]]
) -> None:
    score(pipeline, films_in(tmp_path / "films", clips, "abd"), PAIR)
    assert all(rows == 2 for _, rows in asked)
    assert sum(draws for draws, _ in asked) == 12
    assert len(asked) == 7  # five pairs, then nothing is left to go beside the longest film


def test_one_row_gives_what_a_film_by_itself_is_given(pipeline: Pipeline, clips: Path, tmp_path: Path) -> None:
    several, single = (films_in(tmp_path / name, clips, "ac") for name in ("several", "single"))
    score(pipeline, several, PLAIN)
    for film in single:
        score_film(pipeline, film, PLAIN)
    assert [music(film) for film in several] == [music(film) for film in single]


def test_a_sentence_of_another_length_stays_out_of_the_batch(
    pipeline: Pipeline, clips: Path, alone: dict[str, tuple[bytes, ...]], tmp_path: Path, asked: list[tuple[int, int]]
) -> None:
    """Padded to what both need, it would be another computation."""
    films = films_in(tmp_path / "films", clips, "ad")
    path = score_film(pipeline, films[1], PLAIN).folder / "anchor.json"
    anchor = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**anchor, "prompt": "calm" + " x" * 80}), encoding="utf-8")
    asked.clear()
    score(pipeline, films, PAIR)
    assert asked == [(1, 2)] * 7
    assert music(films[0]) == alone["a"]


def test_a_broken_film_does_not_stop_the_others(
    pipeline: Pipeline, clips: Path, alone: dict[str, tuple[bytes, ...]], tmp_path: Path
) -> None:
    films = films_in(tmp_path / "films", clips, "adb")
    films[1].write_bytes(b"no film")
    outcomes = score(pipeline, films, PAIR)
    assert isinstance(outcomes["d"], InputError)
    assert music(films[0]) == alone["a"] and music(films[2]) == alone["b"]


def test_a_film_that_fails_in_the_middle_does_not_stop_the_others(
    pipeline: Pipeline, clips: Path, alone: dict[str, tuple[bytes, ...]], tmp_path: Path
) -> None:
    films = films_in(tmp_path / "films", clips, "ab")

    def fill(film: Path, stage: str, done: float, total: float) -> None:
        if film == films[0] and stage == "render":
            raise OSError(28, "No space left on device")

    outcomes = score(pipeline, films, PAIR, progress=fill)
    assert isinstance(outcomes["a"], NarraScoreError) and "disk is full" in str(outcomes["a"])
    assert isinstance(outcomes["b"], JobResult) and music(films[1]) == alone["b"]
    score(pipeline, films, PAIR)
    assert music(films[0]) == alone["a"]


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_films_stopped_in_a_batch_go_on_to_the_same_bytes(
    pipeline: Pipeline, clips: Path, alone: dict[str, tuple[bytes, ...]], tmp_path: Path, batch: int
) -> None:
    films = films_in(tmp_path / "films", clips, "ab")

    def stop(film: Path, stage: str, done: float, total: float) -> None:
        if film == films[1] and stage == "compose" and done > 50:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        score(pipeline, films, PAIR, progress=stop)
    kept = [sorted((film.with_suffix(".narrascore") / "windows").glob("0*.safetensors")) for film in films]
    assert [len(windows) for windows in kept] == [1, 1]
    before = [path.stat().st_mtime_ns for windows in kept for path in windows]
    # No lock is left, and the rows that the windows were begun with are kept, whatever is asked for now.
    score(pipeline, films, replace(PLAIN, batch=batch))
    assert [path.stat().st_mtime_ns for windows in kept for path in windows] == before
    assert {film.stem: music(film) for film in films} == {name: alone[name] for name in "ab"}


def test_the_command_scores_films_side_by_side(
    clips: Path, tmp_path: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], alone: dict[str, tuple[bytes, ...]],
) -> None:  # fmt: skip
    monkeypatch.setattr("narrascore.cli.score._load", lambda settings, eye: pipeline)
    films = films_in(tmp_path / "films", clips, "acd")
    films[1].write_bytes(b"no film")
    words = [*map(str, films), "--batch", "2", "--audio", "music-only", "--prompt", "calm strings"]
    assert main(["score", *words]) == 6
    table = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[-3:]]
    assert table == [["a.mp4", "scored"], ["c.mp4", "failed"], ["d.mp4", "scored"]]
    assert music(films[0]) == alone["a"] and music(films[2]) == alone["d"]


def test_a_window_that_collapsed_is_drawn_again_beside_other_films(tmp_path: Path) -> None:
    pipeline = Pipeline.from_pretrained(tiny_score_musicgen(tmp_path, window_seconds=8.0, prompt_seconds=2.0))
    sleepy(pipeline.musicgen)
    musicgen, curve, window = pipeline.musicgen, AffectCurve([[0, 0]] * 9), Window(0, 0, 200, 0, last=False)
    musicgen.sampling = Sampling(128, 1.0, 1.0, 1.0)

    def ask(seed: str) -> Composing[ComposedWindow]:
        return compose_in_draws(musicgen, "sad piano", curve, window, None, seed)

    both = dict(take_turns((seed, in_turns(ask(seed), pipeline, 1, 2)) for seed in "abcde"))
    for seed, made in both.items():
        alone = drive(ask(seed), lambda draw: pipeline.draw([draw], 2)[0])
        assert isinstance(made, ComposedWindow) and torch.equal(made.codes, alone.codes)
        assert made.collapses == alone.collapses
    assert any(made.collapses for made in both.values() if isinstance(made, ComposedWindow))
