"""Composing a part of the music anew: what is kept, where it is joined, and what a kill in between leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from narrascore import AffectCurve, MusicalAnchor, Pipeline
from narrascore.composition import Composition
from narrascore.editing import Edit, heard_changes, make_edit, search_frames
from narrascore.errors import InterruptedJobError, UsageError
from narrascore.job import ScoreOptions, score_film
from narrascore.spans import Span
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.units import WindowStore, environment
from tests.films import write_clip
from tests.synthesis.tiny import open_adapter, tiny_score_musicgen
from tests.systems import tiny_pipeline

ANCHOR = MusicalAnchor(prompt="calm strings")
PLAIN = ScoreOptions(audio="music-only", prompt="calm strings")
REDO = replace(PLAIN, redo=((Fraction("0.5"), Fraction("0.8")),))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", 2.0, sound=False)


@pytest.fixture
def film(clip: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "a.mp4"
    copy.write_bytes(clip.read_bytes())
    return copy


def music(folder: Path) -> NDArray[np.int32]:
    samples: NDArray[np.int32] = soundfile.read(folder / "music.wav", dtype="int32", always_2d=True)[0]
    return samples


def codes(folder: Path) -> torch.Tensor:
    composition = Composition.load(folder / "windows" / "codes.safetensors")
    assert composition is not None
    return composition.current


def manifest(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return data


def edit(pipeline: Pipeline, folder: Path, kept: Composition, what: Edit, curve: AffectCurve) -> Composition:
    steps = make_edit(
        pipeline, kept, what, curve, ANCHOR, name="0/f",
        store_of=lambda span: WindowStore(folder / str(span), environment(pipeline.musicgen)),
        row_of=lambda store, window: store.row(window.index),
    )  # fmt: skip
    return pipeline.alone(steps)


def test_a_redone_span_leaves_all_other_samples_as_they_are(pipeline: Pipeline, film: Path) -> None:
    folder = score_film(pipeline, film, PLAIN).folder
    before = music(folder)
    result = score_film(pipeline, film, REDO)
    after = music(folder)
    (span,) = manifest(folder)["edits"][0]["spans"]
    assert span["start_seconds"] == 0.5 and span["stop_seconds"] == 0.8
    assert 0.8 <= span["join_seconds"] <= 0.8 + search_frames(pipeline) / 100
    start, join = 4000, round(span["join_seconds"] * 8000)
    assert np.array_equal(before[:start], after[:start]) and np.array_equal(before[join:], after[join:])
    assert not np.array_equal(before[start:join], after[start:join])
    assert result.version is not None and np.array_equal(music(result.version), before)

    # What was redone stays: neither the same words nor none of them change it, another take does.
    assert score_film(pipeline, film, REDO).already_finished
    assert score_film(pipeline, film, PLAIN).already_finished
    first = codes(folder)
    score_film(pipeline, film, replace(REDO, take=2))
    third, second = music(folder), codes(folder)
    assert np.array_equal(before[:start], third[:start])
    assert not torch.equal(first[:, 50:80], second[:, 50:80])


def test_a_redo_that_was_killed_goes_on_to_the_same_bytes(pipeline: Pipeline, film: Path, tmp_path: Path) -> None:
    def kill(stage: str, done: float, total: float) -> None:
        if stage == "compose" and done > 35:
            raise KeyboardInterrupt

    folder = score_film(pipeline, film, PLAIN).folder
    with pytest.raises(InterruptedJobError):
        score_film(pipeline, film, REDO, progress=kill)
    kept = folder / "windows" / "edit-1-1" / "00000.safetensors"
    written = kept.stat().st_mtime_ns
    score_film(pipeline, film, REDO)
    assert kept.stat().st_mtime_ns == written
    assert [path.name for path in (folder / "versions").iterdir()] == ["1"]

    elsewhere = tmp_path / "whole"
    elsewhere.mkdir()
    copy = elsewhere / "a.mp4"
    copy.write_bytes(film.read_bytes())
    whole = score_film(pipeline, copy, REDO).folder  # both at once: the film, then the redo
    for name in ("music.wav", "windows/codes.safetensors"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_a_redo_behind_the_film_is_refused(pipeline: Pipeline, film: Path) -> None:
    options = replace(PLAIN, redo=((Fraction(5), Fraction(6)),))
    with pytest.raises(UsageError, match="behind the film's end at 2 s"):
        score_film(pipeline, film, options)


def test_an_edited_curve_recomposes_only_what_hears_it(pipeline: Pipeline, tmp_path: Path) -> None:
    values = np.zeros((30, 2), dtype=np.float32)
    old = AffectCurve(values, 10.0)
    values[14] = 0.9
    new = AffectCurve(values, 10.0)
    assert heard_changes(pipeline, old, old, 300) == ()
    (span,) = heard_changes(pipeline, old, new, 300)
    assert 100 < span.start < 130 and 150 < span.stop < 180
    whole, other = (pipeline.compose(Fraction(3), curve, ANCHOR, seed=0, film_key="f") for curve in (old, new))
    assert torch.equal(whole[:, : span.start], other[:, : span.start])  # nothing before the span hears the change

    kept = Composition("piece", old, whole)
    edited = edit(pipeline, tmp_path, kept, Edit("curve", (span,)), new)
    join = round(edited.edits[0]["spans"][0]["join_seconds"] * 100)
    assert span.stop <= join <= span.stop + search_frames(pipeline)
    assert torch.equal(edited.current[:, : span.start], whole[:, : span.start])
    assert torch.equal(edited.current[:, join:], whole[:, join:])
    assert not torch.equal(edited.current, whole)
    assert edited.curve == new and torch.equal(edited.codes, whole)


def test_notes_are_kept_code_for_code_around_a_redone_span(tmp_path: Path) -> None:
    folder = tiny_score_musicgen(tmp_path / "tiny", window_seconds=0.8, prompt_seconds=0.2)
    open_adapter(FrozenMusicGen.from_pretrained(folder)).save(folder, {})
    pipeline = Pipeline.from_pretrained(folder)
    curve = AffectCurve(np.zeros((5, 2)))
    whole = pipeline.compose(Fraction(5), curve, ANCHOR, seed=0, film_key="f")
    spans = (Span(20, 30), Span(70, 74))
    edited = edit(pipeline, tmp_path / "kept", Composition("piece", curve, whole), Edit("redo", spans), curve)
    joins = [round(span["join_seconds"] * 25) for span in edited.edits[0]["spans"]]
    assert edited.patches == () and 30 <= joins[0] <= 70 and 74 <= joins[1] < 125
    outside = np.ones(125, dtype=bool)
    for span, join in zip(spans, joins, strict=True):
        outside[span.start : join + 1] = False
        assert not torch.equal(edited.codes[:, span.start : join], whole[:, span.start : join])
    assert torch.equal(edited.codes[:, outside], whole[:, outside])


def test_a_span_near_the_end_runs_on_to_it(pipeline: Pipeline, tmp_path: Path) -> None:
    curve = AffectCurve(np.zeros((3, 2)))
    whole = pipeline.compose(Fraction(3), curve, ANCHOR, seed=0, film_key="f")
    edited = edit(pipeline, tmp_path, Composition("piece", curve, whole), Edit("redo", (Span(240, 280),)), curve)
    assert edited.edits[0]["spans"][0]["join_seconds"] == 3.0


def test_a_composition_reads_back_what_it_wrote(pipeline: Pipeline, tmp_path: Path) -> None:
    curve = AffectCurve(np.zeros((3, 2)), 2.0)
    whole = pipeline.compose(Fraction(3), curve, ANCHOR)
    edited = edit(pipeline, tmp_path, Composition("piece", curve, whole), Edit("redo", (Span(40, 60),), 3), curve)
    edited.save(tmp_path / "codes.safetensors")
    back = Composition.load(tmp_path / "codes.safetensors")
    assert back is not None and back.key == edited.key and back.edits == edited.edits and back.curve == curve
    assert torch.equal(back.current, edited.current) and back.key != Composition("piece", curve, whole).key
    assert Edit("redo", (Span(40, 60),), 3).was_made(back) and not Edit("redo", (Span(40, 60),)).was_made(back)
    (tmp_path / "codes.safetensors").write_bytes(b"not tensors")
    assert Composition.load(tmp_path / "codes.safetensors") is None


def test_a_part_lies_beside_the_whole_film_and_changes_nothing_of_it(pipeline: Pipeline, film: Path) -> None:
    part = ScoreOptions(prompt="calm strings", part=(Fraction("0.6"), Fraction("1.1")))
    tried = score_film(pipeline, film, part)
    assert tried.film is None and tried.folder == film.with_name("a.narrascore") / "spans" / "00m00.6s-00m01.1s"
    assert len(music(tried.folder)) == 4000 and music(tried.folder).any()
    assert not film.with_name("a.scored.mp4").exists()

    whole = score_film(pipeline, film, PLAIN)
    assert set(whole.stage_seconds) == {"compose", "render", "figure"}  # the film is not looked at again
    before = (whole.folder / "music.wav").read_bytes()
    assert score_film(pipeline, film, part).already_finished
    another = ScoreOptions(prompt="calm strings", part=(Fraction(0), Fraction("0.4")))
    score_film(pipeline, film, another)
    assert (whole.folder / "music.wav").read_bytes() == before
    assert score_film(pipeline, film, PLAIN).already_finished
    with pytest.raises(UsageError, match="one at a time"):
        score_film(pipeline, film, ScoreOptions(part=part.part, redo=REDO.redo))


def test_a_part_is_made_of_the_film_s_own_windows(pipeline: Pipeline) -> None:
    curve = AffectCurve(np.array([[0.5, -0.5], [-0.5, 0.9]]))
    whole = pipeline.compose(Fraction(2), curve, ANCHOR, seed=4, film_key="f")
    head, left = pipeline.alone(pipeline.composing_part(Span(10, 60), Fraction(2), curve, ANCHOR, seed=4, film_key="f"))
    assert left == 0 and torch.equal(head, whole[:, :65])  # with the film's first window, it is the film's music
    later, left = pipeline.alone(
        pipeline.composing_part(Span(100, 110), Fraction(2), curve, ANCHOR, seed=4, film_key="f")
    )
    assert left <= 100 and left + later.shape[1] >= 110
