"""A sentence for one stretch of a film, as a job does it: what is composed again, what is kept, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from narrascore import AffectCurve, LocalSentence, MusicalAnchor, Pipeline
from narrascore.cli.main import main
from narrascore.composition import Composition
from narrascore.directions import parse_directions
from narrascore.editing import search_frames, told_changes
from narrascore.errors import InterruptedJobError, UsageError
from narrascore.job import ScoreOptions, score_film
from narrascore.spans import Span
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.units import WindowStore, environment
from tests.films import write_clip
from tests.synthesis.tiny import open_adapter, tiny_score_musicgen
from tests.systems import tiny_pipeline

PLAIN = ScoreOptions(audio="music-only", prompt="calm strings")
LOCAL = replace(PLAIN, at=parse_directions(["0.9-1.3 prompt=fast drums"]))
ANCHOR = MusicalAnchor(prompt="calm strings")
CURVE = AffectCurve(np.zeros((3, 2)))


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


def codes(folder: Path) -> torch.Tensor:
    composition = Composition.load(folder / "windows" / "codes.safetensors")
    assert composition is not None
    return composition.current


def manifest(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return data


def local(*spans: tuple[float, float, str]) -> MusicalAnchor:
    return replace(ANCHOR, local=tuple(LocalSentence(*span) for span in spans))


def test_only_the_windows_that_are_told_a_sentence_are_other_windows(pipeline: Pipeline, tmp_path: Path) -> None:
    """300 frames in windows of 40, 25 of them new; frames 150 to 180 and their fades are told something else."""

    def compose(anchor: MusicalAnchor) -> torch.Tensor:
        store = WindowStore(tmp_path, environment(pipeline.musicgen))
        return pipeline.compose(Fraction(3), CURVE, anchor, film_key="f", store=store)

    plain = compose(ANCHOR)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    asked = compose(local((1.5, 1.8, "fast drums")))
    kept = [path.name for path in sorted(tmp_path.iterdir()) if path.stat().st_mtime_ns == times[path.name]]
    assert len(times) == 12 and kept == [f"{index:05d}.safetensors" for index in range(len(kept))]
    stop = 40 + 25 * (len(kept) - 1)  # of the last window that is kept; the stretch's fade begins at 1.35 s
    assert 100 <= stop <= 135 < stop + 25
    assert torch.equal(plain[:, :stop], asked[:, :stop]) and not torch.equal(plain[:, stop:], asked[:, stop:])
    assert torch.equal(asked, compose(local((1.5, 1.8, " fast\ndrums. "))))


def test_a_change_of_sentences_is_a_span_with_its_fades(pipeline: Pipeline) -> None:
    assert told_changes(pipeline, ANCHOR, ANCHOR, 300) == ()
    (span,) = told_changes(pipeline, ANCHOR, local((1.5, 1.8, "fast drums")), 300)
    tail = max(pipeline.musicgen.delays)
    assert span == Span(136 - tail, 195)  # 0.15 s on both sides of each border
    moved = told_changes(pipeline, local((0.2, 2.8, "fast drums")), local((0.2, 2.8, "slow piano")), 300)
    assert moved == (Span(11 - tail, 290),)


def test_a_job_composes_the_stretch_again_and_back(pipeline: Pipeline, film: Path) -> None:
    folder = score_film(pipeline, film, PLAIN).folder
    before, anchor = codes(folder), (folder / "anchor.json").read_bytes()
    assert manifest(folder)["sentences"] == [{"start_seconds": 0.0, "sentence": "calm strings"}]
    result = score_film(pipeline, film, LOCAL)
    (edit,) = manifest(folder)["edits"]
    (span,) = edit["spans"]
    start, join = round(span["start_seconds"] * 100), round(span["join_seconds"] * 100)
    assert edit["why"] == "sentences" and start < 90 and 130 <= span["stop_seconds"] * 100 <= join
    assert join <= round(span["stop_seconds"] * 100) + search_frames(pipeline)
    after = codes(folder)
    assert torch.equal(before[:, :start], after[:, :start]) and torch.equal(before[:, join:], after[:, join:])
    assert not torch.equal(before[:, start:join], after[:, start:join])
    assert "read" not in result.stage_seconds
    told = [{"start_seconds": 0.0, "sentence": "calm strings"}, {"start_seconds": 0.9, "sentence": "fast drums"},
            {"start_seconds": 1.3, "sentence": "calm strings"}]  # fmt: skip
    assert manifest(folder)["sentences"] == told
    written = json.loads((folder / "anchor.json").read_text(encoding="utf-8"))
    assert written["local"] == [{"start_seconds": 0.9, "stop_seconds": 1.3, "sentence": "fast drums"}]
    assert "fast drums" in (folder / "report.html").read_text(encoding="utf-8")
    assert score_film(pipeline, film, LOCAL).already_finished

    score_film(pipeline, film, PLAIN)  # no longer asked for
    assert (folder / "anchor.json").read_bytes() == anchor and len(manifest(folder)["edits"]) == 2


def test_a_hand_may_edit_local_sentences_and_what_is_asked_of_them_leaves_the_film_s_own(
    pipeline: Pipeline, film: Path
) -> None:
    folder = score_film(pipeline, film, PLAIN).folder
    path = folder / "anchor.json"
    edited = replace(MusicalAnchor.from_json(path), prompt="slow strings", local=local((1.5, 1.8, "piano")).local)
    path.write_text(edited.to_json(), encoding="utf-8")
    score_film(pipeline, film, PLAIN)
    assert MusicalAnchor.from_json(path) == edited and manifest(folder)["edits"] == []  # another piece: all anew
    assert score_film(pipeline, film, PLAIN).already_finished
    score_film(pipeline, film, LOCAL)
    assert MusicalAnchor.from_json(path) == replace(edited, local=local((0.9, 1.3, "fast drums")).local)
    assert manifest(folder)["edits"][0]["why"] == "sentences"


def test_a_job_that_was_killed_in_the_stretch_goes_on_to_the_same_bytes(
    pipeline: Pipeline, film: Path, tmp_path: Path
) -> None:
    def kill(stage: str, done: float, total: float) -> None:
        if stage == "compose" and done > 110:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        score_film(pipeline, film, LOCAL, progress=kill)
    folder = film.with_name("a.narrascore")
    kept = {path.name: path.stat().st_mtime_ns for path in (folder / "windows").glob("0*.safetensors")}
    assert 2 <= len(kept) < 8
    score_film(pipeline, film, LOCAL)
    assert kept == {name: (folder / "windows" / name).stat().st_mtime_ns for name in kept}

    elsewhere = tmp_path / "whole"
    elsewhere.mkdir()
    copy = elsewhere / "a.mp4"
    copy.write_bytes(film.read_bytes())
    whole = score_film(pipeline, copy, LOCAL).folder
    for name in ("music.wav", "anchor.json", "windows/codes.safetensors"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_the_curve_and_a_sentence_changed_at_once_are_one_edit(pipeline: Pipeline, film: Path, tmp_path: Path) -> None:
    values = np.zeros((20, 2), dtype=np.float32)
    for name in ("before.csv", "after.csv"):
        (tmp_path / name).write_text(AffectCurve(values, 10.0).to_csv(), encoding="utf-8")
        values[17:] = 0.9
    folder = score_film(pipeline, film, replace(PLAIN, curve_path=tmp_path / "before.csv")).folder
    score_film(pipeline, film, replace(LOCAL, curve_path=tmp_path / "after.csv"))
    (edit,) = manifest(folder)["edits"]
    assert edit["why"] == "curve and sentences"


def test_another_local_sentence_does_not_ask_the_eye_again(
    pipeline: Pipeline, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counted:
        """The pipeline's own reader of anchors, which for a model behind an interface costs time and money."""

        def __init__(self) -> None:
            self.reader, self.calls, self.describe = pipeline.conceive, 0, pipeline.conceive.describe

        def __call__(self, *seen: Any) -> MusicalAnchor:
            self.calls += 1
            return self.reader(*seen)

    counted = Counted()
    monkeypatch.setattr(pipeline, "conceive", counted)
    folder = score_film(pipeline, film, replace(LOCAL, prompt="")).folder
    before = MusicalAnchor.from_json(folder / "anchor.json")
    score_film(pipeline, film, replace(LOCAL, prompt="", at=parse_directions(["0.9-1.5 prompt=slow piano"])))
    after = MusicalAnchor.from_json(folder / "anchor.json")
    assert counted.calls == 1 and before.local != after.local
    assert after.sentence == before.sentence and after.reader == before.reader != "user"


@pytest.mark.parametrize(
    ("at", "said"), [("1-2 prompt=xyzzy plugh", "understands no word"), ("9-10 prompt=calm", "behind the film's end")]
)
def test_a_sentence_that_cannot_be_followed_is_refused(pipeline: Pipeline, film: Path, at: str, said: str) -> None:
    options = replace(PLAIN, at=parse_directions([at]))
    with pytest.raises(UsageError, match=said):
        score_film(pipeline, film, options)


def test_from_the_command_line_words_are_warned_about_and_none_understood_is_exit_2(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_pipeline(tmp_path / "tiny")
    asked = ["score", str(film), "--system", str(tmp_path / "tiny"), "--audio", "music-only", "--prompt", "calm"]
    assert main([*asked, "--at", "1-2", "prompt=xyzzy"]) == 2
    assert "understands no word of 'xyzzy'" in capsys.readouterr().err
    assert main([*asked, "--at", "1-2", "prompt=fast bagpipes"]) == 0
    assert "does not understand: bagpipes" in capsys.readouterr().err


def test_a_part_is_told_its_own_sentences(pipeline: Pipeline, film: Path) -> None:
    part = replace(LOCAL, part=(Fraction(1), Fraction("1.2")))
    plain = score_film(pipeline, film, replace(PLAIN, part=part.part)).folder / "music.wav"
    before = plain.read_bytes()
    result = score_film(pipeline, film, part)
    assert not result.already_finished and plain.read_bytes() != before
    assert score_film(pipeline, film, part).already_finished


def test_instruments_change_with_the_sentence_and_the_key_stays(tmp_path: Path) -> None:
    folder = tiny_score_musicgen(tmp_path / "tiny", window_seconds=0.8, prompt_seconds=0.2)
    open_adapter(FrozenMusicGen.from_pretrained(folder)).save(folder, {})
    pipeline = Pipeline.from_pretrained(folder)
    film = write_clip(tmp_path / "a.mp4", 3.0, sound=False)
    options = replace(PLAIN, at=parse_directions(["1-2 prompt=jazz with saxophone"]))
    told = manifest(score_film(pipeline, film, options).folder)["music"]["codec"]["palette"]
    assert list(told["turns"]) == ["frame 0", "frame 25", "frame 50"]
    first, second, third = told["turns"].values()
    assert first == third == {name: value for name, value in told.items() if name != "turns"}
    assert second["instruments"]["melody"] == "saxophone" and second["key_semitones"] == first["key_semitones"]
