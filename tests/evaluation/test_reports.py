"""The commands' measurements from end to end, on music written by a few plain rules."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore.errors import UsageError
from narrascore.evaluation.curves import evaluation_curves
from narrascore.evaluation.music import find_composer, make_music, rows_of
from narrascore.evaluation.sanity_report import run_sanity
from narrascore.evaluation.tracking import BARS
from narrascore.evaluation.tracking_report import run_tracking
from narrascore.pipeline import Pipeline
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codes import (
    BASS,
    CODEBOOKS,
    DYNAMICS,
    INNER,
    MELODY,
    PULSE,
    Note,
    dynamics_code,
    empty_score,
    pulse_code,
    read_dynamics,
    read_notes,
    write_notes,
)
from tests.synthesis.tiny import open_adapter, tiny_score_musicgen

SETTINGS = {"n": 4, "seed": 5, "duration_seconds": (12, 16)}


def write_piece(curve, seconds, seed):
    """Faster notes, louder, when excited; E or E flat by valence; a bass on every bar."""
    random = np.random.default_rng(seed)
    codes, notes = empty_score(25 * seconds), []
    for at in range(0, 25 * seconds, 4):
        codes[PULSE, at] = pulse_code(4, at // 4 % 16, at // 64 % 4)
        valence, arousal = curve.at(at / 25)
        codes[DYNAMICS, at] = dynamics_code(round(7.5 + 7 * float(arousal)))
        stop = min(at + 4, codes.shape[1])
        if random.random() < 0.5 + 0.45 * arousal:
            notes.append(Note(at, stop, MELODY, int(random.choice([60, 64 if valence > 0 else 63, 67]))))
        notes.append(Note(at, stop, INNER[0], 52 if valence > 0 else 51))
        if at % 64 == 0:
            notes.append(Note(at, min(at + 32, codes.shape[1]), BASS, 36))
    write_notes(codes, notes)
    return codes


class SineCodec:
    """Notes as plain sines."""

    sample_rate_hz = 8000

    def __init__(self):
        self.decoded = 0

    def describe(self):
        return {"codec": "sines"}

    def for_anchor(self, anchor):
        return self

    def decode(self, codes):
        codes, self.decoded = codes.numpy(), self.decoded + 1
        frame = self.sample_rate_hz // 25
        sound = np.zeros(codes.shape[1] * frame)
        for note in read_notes(codes):
            levels = [read_dynamics(int(code)) for code in codes[DYNAMICS, : note.start + 1]]
            level = [level for level in levels if level is not None][-1]
            time = np.arange((note.stop - note.start) * frame) / self.sample_rate_hz
            tone = np.sin(2 * np.pi * 440 * 2 ** ((note.pitch - 69) / 12) * time)
            sound[note.start * frame : note.stop * frame] += 10 ** (1.5 * (level - 15) / 20) * tone / 6
        return torch.from_numpy(sound[None]).float()


class RulePlayer:
    """A player of the rules above; without its adapter it does not hear the curve."""

    writes_notes = True

    def __init__(self, adapter="open"):
        self.adapter, self.made = adapter, []
        self.musicgen = type("Music", (), {"codec": SineCodec(), "engine_name": "exact"})()

    def compose(self, duration_seconds, curve, anchor, *, seed, film_key):
        self.made.append((self.adapter, film_key))
        heard = curve if self.adapter else type(curve)(np.zeros_like(curve.values))
        return torch.from_numpy(write_piece(heard, duration_seconds, seed))

    def describe(self):
        return {"system": "rules", "adapter": self.adapter}


class Piece:
    def __init__(self, codes):
        self.codes = codes


def composer(curve, style, seed, duration_seconds):
    return Piece(write_piece(curve, duration_seconds, seed + 1))


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracking")
    player = RulePlayer()
    report, text = run_tracking(player, composer, folder, command="evaluate metrics=tracking", **SETTINGS)
    return folder, player, report, text


def test_rules_that_follow_are_seen_to_follow_and_closed_gates_are_not(tracked):
    _, _, report, _ = tracked
    assert report.rows == ("model", "shuffled", "time-shuffled", "gates closed", "composer")
    for pair in BARS:
        assert report.estimate("model", pair).value > 0.6, pair
        assert report.estimate("gates closed", pair).high < report.estimate("model", pair).low, pair
        assert report.ratio(pair).value == pytest.approx(1, abs=0.25), pair


def test_report_is_written_in_three_forms_that_agree(tracked):
    folder, _, report, text = tracked
    assert (folder / "tracking.md").read_text(encoding="utf-8") == text
    assert "evaluate metrics=tracking" in text and "| gates closed" in text
    everything = json.loads((folder / "tracking.json").read_text(encoding="utf-8"))
    assert everything["repeat"]["seed"] == 5 and everything["repeat"]["n"] == 4
    assert "torch" in everything["repeat"]["versions"]
    with (folder / "tracking.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(everything["records"]) == len(report.pieces)
    assert float(rows[0]["pearson"]) == pytest.approx(report.pieces[0].pearson)
    assert (folder / "tracking.png").read_bytes().startswith(b"\x89PNG")


def test_second_run_takes_the_music_from_disk_and_says_the_same(tracked):
    folder, _, report, text = tracked
    again = RulePlayer()
    messages = []
    assert run_tracking(again, composer, folder, command="evaluate metrics=tracking", progress=messages.append,
                        **SETTINGS) == (report, text)  # fmt: skip
    assert again.made == [] and again.musicgen.codec.decoded == 0
    assert all(message.startswith("composer") for message in messages if ": piece" in message)


def test_damaged_or_other_music_is_made_again(tracked):
    folder, first, _, _ = tracked
    assert len(first.made) == 8
    (folder / "codes" / "model" / "curve-02.safetensors").write_bytes(b"cut short")
    again = RulePlayer()
    run_sanity(again, None, composer, folder, **SETTINGS)
    assert again.made == [("open", "evaluation curve-02")]
    other = RulePlayer(adapter="another")
    run_sanity(other, None, composer, folder, **SETTINGS)
    assert [adapter for adapter, _ in other.made] == ["another"] * 4  # the gates closed are the same as before


def test_sanity_uses_the_same_music_and_the_composer_stands_in_for_the_corpus(tmp_path):
    player = RulePlayer()
    report, text = run_sanity(player, None, composer, tmp_path, **SETTINGS)
    assert set(report.pieces) == {"model", "gates closed", "corpus"}
    assert report.within("model", "scale consistency") and report.within("model", "polyphony")
    assert "the composer's music under the same curves" in text
    corpus = [write_piece(asked, 30, 1) for asked in _curves()]
    _, text = run_sanity(player, corpus, composer, tmp_path, **SETTINGS)
    assert "2 held-out pieces" in text and "composer" in text
    assert len(player.made) == 8


def test_without_adapter_or_composer_dashes_stand_in_the_table(tmp_path):
    report, _ = run_tracking(RulePlayer(adapter=None), None, tmp_path, **SETTINGS)
    assert report.rows == ("gates closed",)
    assert all(bar.passed is None for bar in report.bars())
    with pytest.raises(UsageError, match="corpus"):
        run_sanity(RulePlayer(), None, None, tmp_path, **SETTINGS)


def test_music_that_is_not_notes_is_refused_before_anything_is_made(tmp_path):
    player = RulePlayer()
    player.writes_notes = False
    with pytest.raises(UsageError, match="notes"):
        run_tracking(player, composer, tmp_path, **SETTINGS)
    assert player.made == []


def test_a_real_pipeline_is_measured_with_its_gates_open_and_closed(tmp_path):
    folder = tiny_score_musicgen(tmp_path / "music", window_seconds=6.0, prompt_seconds=2.0)
    open_adapter(FrozenMusicGen.from_pretrained(folder)).save(folder, {})
    pipeline = Pipeline.from_pretrained(folder)
    curves = evaluation_curves(2, 0, (8, 9))
    music = make_music(rows_of(pipeline, None), curves, tmp_path / "out")
    assert pipeline.adapter is not None
    assert list(music) == ["model", "gates closed"]
    for steered, unsteered, asked in zip(*music.values(), curves, strict=True):
        assert steered.shape == unsteered.shape == (CODEBOOKS, 25 * asked.duration_seconds)
        assert not np.array_equal(steered, unsteered)


def test_composer_is_found_in_a_checkout_only(tmp_path):
    assert find_composer(tmp_path) is None
    compose = find_composer(Path(__file__).parents[2])
    asked = evaluation_curves(2)[0]
    piece = compose(asked.curve, asked.style, asked.seed, asked.duration_seconds)
    assert piece.codes.shape == (CODEBOOKS, 25 * asked.duration_seconds)


def _curves():
    return [asked.curve for asked in evaluation_curves(2)]
