"""The curve in the user's hands: read alone, edited, bent by wishes, and scored again where that is heard."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from narrascore import AffectCurve, Pipeline
from narrascore.cli.main import main
from narrascore.composition import Composition
from narrascore.directions import Direction
from narrascore.errors import InputError, InterruptedJobError, UsageError
from narrascore.job import ScoreOptions, score_film
from tests.films import write_clip
from tests.systems import tiny_pipeline

SECONDS = 4.0
PLAIN = ScoreOptions(audio="music-only")
READ = replace(PLAIN, only_read=True)
LOUD = Direction(Fraction("2.5"), Fraction("2.7"), arousal=0.9)
HEARD_FROM_SECONDS = 1.0
"""The music may hear the direction from here on: its ramp begins at 1.5 s, and the adapter sees some frames ahead."""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", SECONDS, sound=False)


@pytest.fixture
def film(clip: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "a.mp4"
    copy.write_bytes(clip.read_bytes())
    return copy


@pytest.fixture
def folder(film: Path) -> Path:
    return film.with_name("a.narrascore")


def manifest(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return data


def music(folder: Path) -> NDArray[np.int32]:
    samples: NDArray[np.int32] = soundfile.read(folder / "music.wav", dtype="int32", always_2d=True)[0]
    return samples


def edit(folder: Path) -> bytes:
    """Give the curve another second value, as a spreadsheet of another country saves it."""
    rows = [line.split(",") for line in (folder / "curve.csv").read_text(encoding="utf-8").splitlines()]
    rows[2][1:] = ["-0.3333", "0.7777"]
    text = "\r\n".join(";".join(row) for row in rows).replace(".", ",")
    (folder / "curve.csv").write_bytes(text.encode("utf-8-sig"))
    return (folder / "curve.csv").read_bytes()


def test_reading_leaves_what_is_edited_and_scoring_goes_on_from_it(
    pipeline: Pipeline, film: Path, folder: Path
) -> None:
    told: list[str] = []
    result = score_film(pipeline, film, READ, progress=lambda stage, done, total: told.append(stage))
    assert set(told) == {"read"} and (result.folder, result.film) == (folder, None)
    assert {path.name for path in folder.iterdir()} == {
        ".lock", "reading", "curve.csv", "curve.png", "anchor.json", "manifest.json"
    }  # fmt: skip
    assert manifest(folder)["state"] == "unfinished"
    assert score_film(pipeline, film, READ).already_finished

    edited, anchor = edit(folder), (folder / "anchor.json").read_bytes()
    assert set(score_film(pipeline, film, READ).stage_seconds) == {"picture"}
    scored = score_film(pipeline, film, replace(PLAIN, batch=2))
    assert set(scored.stage_seconds) == {"cues", "compose", "render", "figure"} and scored.version is None
    assert (folder / "curve.csv").read_bytes() == edited and (folder / "anchor.json").read_bytes() == anchor
    kept = Composition.load(folder / "windows" / "codes.safetensors")
    assert kept is not None
    np.testing.assert_allclose(kept.curve.values[1], (-0.3333, 0.7777))
    assert manifest(folder)["rows"] == 2  # which reading left to whoever composes
    assert not (folder / "curve.png").exists()

    before = music(folder)
    assert set(score_film(pipeline, film, READ).stage_seconds) == {"picture"}
    assert manifest(folder)["state"] == "finished" and np.array_equal(music(folder), before)
    assert score_film(pipeline, film, replace(PLAIN, batch=2)).already_finished


def test_a_reading_that_was_stopped_goes_on(pipeline: Pipeline, film: Path, folder: Path) -> None:
    def kill(stage: str, done: float, total: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        score_film(pipeline, film, READ, progress=kill)
    score_film(pipeline, film, READ)
    assert score_film(pipeline, film, READ).already_finished


def test_reading_anew_keeps_the_edited_curve_and_is_done_once(pipeline: Pipeline, film: Path, folder: Path) -> None:
    score_film(pipeline, film, READ)
    first, edited = (folder / "curve.csv").read_bytes(), edit(folder)
    anew = score_film(pipeline, film, replace(READ, force=True))
    assert anew.version is not None and (anew.version / "curve.csv").read_bytes() == edited
    assert (folder / "curve.csv").read_bytes() == first
    assert "forced" not in manifest(folder)


def test_a_direction_is_composed_where_it_is_heard_and_leaves_no_trace(
    pipeline: Pipeline, film: Path, folder: Path
) -> None:
    score_film(pipeline, film, READ)
    table = edit(folder)
    score_film(pipeline, film, PLAIN)
    before = music(folder)
    directed = replace(PLAIN, at=(LOUD,))
    result = score_film(pipeline, film, directed)
    assert set(result.stage_seconds) == {"compose", "render", "bend", "figure"}
    assert (folder / "curve.csv").read_bytes() == table
    followed, data = AffectCurve.from_csv(folder / "scored_curve.csv"), manifest(folder)
    np.testing.assert_allclose(followed.at([1.0, 2.6])[:, 1], [0.7777, 0.9], atol=1e-4)
    assert data["curve"]["table"] == "scored_curve.csv" and data["curve"]["source"] == "edited"
    assert data["settings"]["at"][0]["arousal"] == 0.9
    after, heard = music(folder), round(HEARD_FROM_SECONDS * 8000)
    assert np.array_equal(before[:heard], after[:heard]) and not np.array_equal(before, after)
    (span,) = data["edits"][0]["spans"]
    assert span["start_seconds"] > HEARD_FROM_SECONDS
    assert score_film(pipeline, film, directed).already_finished

    score_film(pipeline, film, PLAIN)
    kept = Composition.load(folder / "windows" / "codes.safetensors")
    assert kept is not None and kept.curve == AffectCurve.from_csv(folder / "curve.csv")
    assert not (folder / "scored_curve.csv").exists() and manifest(folder)["curve"]["table"] == "curve.csv"
    assert (folder / "curve.csv").read_bytes() == table
    assert np.array_equal(before[:heard], music(folder)[:heard])


def test_delivered_markers_taken_in_again_compose_nothing(pipeline: Pipeline, film: Path, folder: Path) -> None:
    score_film(pipeline, film, replace(PLAIN, audio="replace", deliver=True))
    table = film.with_name("markers.csv")
    table.write_bytes((folder / "deliver" / "markers.csv").read_bytes())
    before = music(folder)
    result = score_film(pipeline, film, replace(PLAIN, audio="replace", markers_path=table))
    assert "compose" not in result.stage_seconds and np.array_equal(music(folder), before)

    table.write_text("time_seconds,kind,arousal\n3.0,hit,1.0\n", encoding="utf-8")
    score_film(pipeline, film, replace(PLAIN, audio="replace", markers_path=table))
    data, heard = manifest(folder), round(0.5 * 8000)
    assert data["curve"]["markers"] == [{"seconds": 3.0, "kind": "hit", "valence": None, "arousal": 1.0}]
    assert AffectCurve.from_csv(folder / "scored_curve.csv").at(3.0)[1] == 1
    after = music(folder)
    assert np.array_equal(before[:heard], after[:heard]) and not np.array_equal(before, after)


def test_smoothing_remakes_what_was_read_and_not_what_was_edited(pipeline: Pipeline, film: Path, folder: Path) -> None:
    path = folder / "curve.csv"
    score_film(pipeline, film, READ)
    read = AffectCurve.from_csv(path)
    bent = replace(READ, curve_smoothing_seconds=1.5, curve_gain=0.5, curve_offset=(0.25, 0.0))
    score_film(pipeline, film, bent)
    expected = read.smooth(1.5).adjust(0.5, (0.25, 0.0))  # in this order
    np.testing.assert_allclose(AffectCurve.from_csv(path).values, expected.values, atol=1e-4)

    edited, anchor = edit(folder), (folder / "anchor.json").stat().st_mtime_ns
    for smoothing in (1.5, 3.0, 3.0):
        result = score_film(pipeline, film, replace(bent, curve_smoothing_seconds=smoothing))
        assert any("edited by hand" in line for line in result.warnings)
        assert path.read_bytes() == edited and (folder / "anchor.json").stat().st_mtime_ns == anchor
    assert not any("edited by hand" in line for line in score_film(pipeline, film, READ).warnings)
    assert path.read_bytes() == edited


def test_the_job_s_own_table_can_be_named(pipeline: Pipeline, film: Path, folder: Path) -> None:
    score_film(pipeline, film, READ)
    edited = edit(folder)
    named = replace(READ, curve_path=folder / "curve.csv", curve_gain=0.5)
    for _ in range(2):
        score_film(pipeline, film, named)
        assert (folder / "curve.csv").read_bytes() == edited
    score_film(pipeline, film, READ)
    assert (folder / "curve.csv").read_bytes() == edited


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        (lambda at: replace(PLAIN, at=(Direction(Fraction(4), Fraction(5), arousal=0.5),)), UsageError, "film's end"),
        (lambda at: replace(PLAIN, markers_path=at / "none.csv"), InputError, "not a regular file"),
        (lambda at: replace(READ, markers_path=at / "late.csv"), InputError, "line 2: 9 lies outside the film"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_before_the_work(
    film: Path, options: Callable[[Path], ScoreOptions], kind: type[Exception], said: str
) -> None:
    def load() -> Pipeline:
        raise AssertionError("loaded")

    (film.parent / "late.csv").write_text("time,arousal\n9,0.5\n", encoding="utf-8")
    with pytest.raises(kind, match=said):
        score_film(load, film, options(film.parent))
    assert not film.with_name("a.narrascore").exists()


def test_a_table_that_is_gone_is_not_taken_for_none(pipeline: Pipeline, film: Path, folder: Path) -> None:
    score_film(pipeline, film, READ)
    before = (folder / "curve.csv").read_bytes()
    with pytest.raises(InputError, match="not a regular file"):
        score_film(pipeline, film, replace(READ, curve_path=film.with_name("gone.csv")))
    assert (folder / "curve.csv").read_bytes() == before


def test_a_score_under_another_curve_is_composed_where_it_hears_it(pipeline: Pipeline, film: Path) -> None:
    score = pipeline(film, prompt="calm strings", seed=3)
    other = score.with_curve(score.curve.hold(2.5, 2.7, arousal=0.9))
    before, after, heard = score.audio, other.audio, round(HEARD_FROM_SECONDS * 8000)
    assert np.array_equal(before[:, :heard], after[:, :heard]) and not np.array_equal(before, after)
    assert other.curve.at(2.6)[1] == pytest.approx(0.9) and score.curve.at(2.6)[1] != pytest.approx(0.9)
    assert np.array_equal(score.with_curve(score.curve).audio, before)

    lifted = AffectCurve(np.clip(score.curve.values + 0.3, -1, 1).astype(np.float32))
    everywhere = score.with_curve(lifted)
    assert np.array_equal(everywhere.audio, pipeline(film, curve=lifted, prompt="calm strings", seed=3).audio)


@pytest.mark.slow
def test_a_curve_saved_by_a_spreadsheet_is_scored_again_by_the_embedded_system(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", 40.0, sound=False, rate_hz=4)
    folder, words = tmp_path / "a.narrascore", [str(film), "--audio", "music-only"]
    assert main(["read", *words]) == 0 and not (folder / "music.wav").exists()
    assert main(["score", *words]) == 0
    before = Composition.load(folder / "windows" / "codes.safetensors")

    lines = (folder / "curve.csv").read_text(encoding="utf-8").splitlines()
    lines[1 + 33] = "33,0.9,0.9"
    text = "\r\n".join(lines).replace(",", ";").replace(".", ",")
    (folder / "curve.csv").write_text(text, encoding="utf-8-sig")
    assert main(["score", *words]) == 0
    after = Composition.load(folder / "windows" / "codes.safetensors")
    assert before is not None and after is not None
    (span,) = manifest(folder)["edits"][0]["spans"]
    start, join = (round(span[name] * 25) for name in ("start_seconds", "join_seconds"))
    assert 25 < span["start_seconds"] < 33 < span["stop_seconds"]
    assert torch.equal(before.codes[:, :start], after.codes[:, :start])
    assert torch.equal(before.codes[:, join + 1 :], after.codes[:, join + 1 :])
    assert not torch.equal(before.codes, after.codes)
