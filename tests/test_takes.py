"""Takes of a film's windows in its job: what is told of them, what is kept, and going on after a stop."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from narrascore import Pipeline
from narrascore.errors import InterruptedJobError, UsageError
from narrascore.job import ScoreOptions, score_film, score_films
from narrascore.media.audio import read_wav
from tests.films import write_clip
from tests.synthesis.tiny import tiny_score_musicgen
from tests.systems import tiny_pipeline

PLAIN = ScoreOptions(audio="music-only", prompt="calm strings")
THREE = replace(PLAIN, takes=3)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


def clip(folder: Path, seed: int = 0, name: str = "a.mp4") -> Path:
    folder.mkdir(exist_ok=True)
    write_clip(folder / name, 0.8, sound=False, seed=seed)
    return folder / name


def told(film: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((film.with_suffix(".narrascore") / "manifest.json").read_text(encoding="utf-8"))
    return data


def music(film: Path) -> dict[str, bytes]:
    folder = film.with_suffix(".narrascore")
    files = [folder / "music.wav", *sorted((folder / "windows").glob("*.safetensors")), *sorted(folder.glob("takes/*"))]
    return {path.name: path.read_bytes() for path in files}


def test_every_take_stands_in_the_manifest_with_its_score_and_the_best_was_gone_on_from(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    film = clip(tmp_path / "one")
    score_film(pipeline, film, THREE)
    rows = told(film)["windows"]
    assert len(rows) == 3 and told(film)["settings"]["takes"] == 3
    codes = load_file(film.with_suffix(".narrascore") / "windows" / "codes.safetensors")["codes"]
    for row in rows:
        scores = [take["score"] for take in row["takes"] if take["collapse"] is None]
        assert len(row["takes"]) == 3 and row["takes"][row["kept"]]["score"] == max(scores)
        window = load_file(film.with_suffix(".narrascore") / "windows" / f"{row['index']:05d}.safetensors")
        start, stop = (round(row[name] * pipeline.musicgen.frame_rate_hz) for name in ("start_seconds", "stop_seconds"))
        # What every take begins with is the kept music so far; what it adds is heard of the best one alone.
        assert torch.equal(codes[:, start:stop], window["takes"][row["kept"]][:, start - stop :])
        before = window["takes"].shape[2] - (stop - start)
        assert (window["takes"][:, :, :before] == codes[:, start - before : start]).all()
    assert any(row["kept"] > 0 for row in rows), "three of three windows by the first take would prove nothing"


@pytest.mark.parametrize("batch", [1, 2])
def test_a_stopped_film_goes_on_to_the_same_bytes_and_takes_of_other_films_beside_it_change_nothing(
    pipeline: Pipeline, tmp_path: Path, batch: int
) -> None:
    options = replace(THREE, batch=batch, keep_takes="sound")
    whole, other = clip(tmp_path / "whole"), clip(tmp_path / "other", 1, "b.mp4")
    stopped = Path(shutil.copy(whole, tmp_path / "stopped.mp4"))
    score_film(pipeline, whole, options)

    def stop(film: Path, stage: str, done: float, total: float) -> None:
        if film == stopped and stage == "compose" and done > 50:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        list(score_films(pipeline, [stopped, other], options, progress=stop))
    assert list(stopped.with_suffix(".narrascore").glob("windows/0*"))
    list(score_films(pipeline, [stopped, other], options))
    assert music(stopped) == music(whole)
    assert len(list(whole.with_suffix(".narrascore").glob("takes/*.wav"))) == 6


def test_another_number_of_takes_is_another_piece_but_a_span_may_be_drawn_again_from_more(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    film = clip(tmp_path / "film")
    score_film(pipeline, film, PLAIN)
    assert "takes" not in told(film)["windows"][0]
    redo = replace(THREE, redo=((Fraction(3, 10), Fraction(4, 10)),))
    assert not score_film(pipeline, film, redo).already_finished
    edit = told(film)["edits"][0]
    assert (edit["takes"], len(edit["spans"][0]["windows"][0]["takes"])) == (3, 3)
    assert "takes" not in told(film)["windows"][0], "the rest is kept"
    assert score_film(pipeline, film, redo).already_finished
    assert score_film(pipeline, film, PLAIN).already_finished, "what was drawn again stays so"
    score_film(pipeline, film, THREE)
    assert len(told(film)["windows"][0]["takes"]) == 3 and told(film)["edits"] == []


def test_the_other_takes_of_notes_are_kept_as_codes_midi_and_sound_and_can_be_had_afterwards(tmp_path: Path) -> None:
    pipeline = Pipeline.from_pretrained(tiny_score_musicgen(tmp_path / "m", window_seconds=0.4, prompt_seconds=0.16))
    film = clip(tmp_path / "film")
    score_film(pipeline, film, replace(THREE, takes=2))
    folder = film.with_suffix(".narrascore")
    assert not (folder / "takes").exists()
    composed = (folder / "windows" / "00000.safetensors").stat().st_mtime_ns
    result = score_film(pipeline, film, replace(THREE, takes=2, keep_takes="sound"))
    assert "compose" not in result.stage_seconds
    assert (folder / "windows" / "00000.safetensors").stat().st_mtime_ns == composed
    rows = told(film)["windows"]
    first = f"00m00s-00m00.4s.take{2 - rows[0]['kept']}"
    names = {path.name for path in (folder / "takes").iterdir()}
    assert {f"{first}.safetensors", f"{first}.mid", f"{first}.wav"} <= names and len(names) == 3 * len(rows)
    assert sorted(told(film)["takes"]) == sorted(f"takes/{name}" for name in names)
    second = next(path for path in sorted((folder / "takes").glob("*.wav")) if not path.name.startswith("00m00s"))
    samples = sum(block.shape[1] for block in read_wav(second, sample_rate_hz=48_000, layout="stereo"))
    assert samples == round((rows[1]["stop_seconds"] - rows[1]["start_seconds"]) * 48_000)
    assert score_film(pipeline, film, replace(THREE, takes=2, keep_takes="sound")).already_finished


def test_takes_that_cannot_be_drawn_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from narrascore.cli.score import run

    with pytest.raises(UsageError, match="takes is how many are drawn of each window, 1 to 32: got 0"):
        run([str(clip(tmp_path / "film")), "--takes", "0"])
