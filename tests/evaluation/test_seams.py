"""Jumps at joins beside jumps elsewhere: found where they are, not found where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.errors import UsageError
from narrascore.evaluation.seams import (
    MEASURES,
    draw_places,
    energy_of_frames,
    measure_jumps,
    permutation_p,
    run_seams,
)
from narrascore.synthesis.score_codes import BASS, MELODY, Note, empty_score, read_notes, write_notes
from narrascore.windows import continuation_windows

WINDOW, PROMPT = 250, 100
SETTINGS: dict[str, Any] = {"n": 3, "seed": 4, "duration_seconds": (30, 34)}


class Codec:
    """Notes as plain blocks of power, one sample a frame and channel: enough to have an energy."""

    sample_rate_hz = 25

    def for_anchor(self, anchor: MusicalAnchor) -> Codec:
        return self

    def decode_chunks(self, codes: torch.Tensor, chunk_frames: int) -> Any:
        sound = np.zeros((2, codes.shape[1]))
        for note in read_notes(codes.numpy().astype(np.int16)):
            sound[:, note.start : note.stop] += 0.1
        return (torch.from_numpy(part) for part in np.array_split(sound, 3, axis=1))


class Player:
    """Random notes; with `seams` it plays faster and in another key in every second window."""

    writes_notes, adapter = True, "open"

    def __init__(self, seams: bool) -> None:
        self.seams, self.made = seams, 0
        self.musicgen = SimpleNamespace(codec=Codec(), window_frames=WINDOW, prompt_frames=PROMPT, engine_name="exact")

    def compose(
        self, duration_seconds: float, curve: AffectCurve, anchor: MusicalAnchor, *, seed: int, film_key: str
    ) -> torch.Tensor:
        self.made += 1
        frames, random = round(25 * duration_seconds), np.random.default_rng(seed)
        notes = []
        for window in continuation_windows(frames, WINDOW, PROMPT):
            odd = self.seams and window.index % 2
            step, scale = (5, (61, 66, 68)) if odd else (10, (60, 64, 67))
            for at in range(window.new_start, window.stop, step):
                stop = min(at + step, window.stop)
                notes.append(Note(at, stop, MELODY, int(random.choice(scale))))
                notes += [Note(at, stop, BASS, scale[0] - 24)] * odd
        codes = empty_score(frames)
        write_notes(codes, notes)
        return torch.from_numpy(codes)

    def describe(self) -> dict[str, object]:
        return {"system": "random notes", "seams": self.seams}


def test_joins_that_can_be_heard_are_found(tmp_path: Path) -> None:
    report, text = run_seams(Player(seams=True), tmp_path, command="evaluate metrics=seams", **SETTINGS)
    for measure in MEASURES:
        test = report.test(measure)
        assert test.p < 0.01, measure
        assert test.at_joins.low > test.elsewhere.high, measure
        assert test.joins >= 9 and test.places == 8 * test.joins
    assert "evaluate metrics=seams" in text and "| chroma" in text


def test_joins_that_cannot_be_heard_are_not(tmp_path: Path) -> None:
    report, text = run_seams(Player(seams=False), tmp_path, **SETTINGS)
    for measure in ("onsets", "chroma"):
        assert report.test(measure).p > 0.05, measure
    everything = json.loads((tmp_path / "seams.json").read_text(encoding="utf-8"))
    assert (tmp_path / "seams.md").read_text(encoding="utf-8") == text
    assert len(everything["records"]) == len(report.jumps) and everything["repeat"]["seed"] == 4


def test_a_second_run_takes_the_music_from_disk_and_says_the_same(tmp_path: Path) -> None:
    first, again = Player(seams=False), Player(seams=False)
    assert run_seams(first, tmp_path, **SETTINGS) == run_seams(again, tmp_path, **SETTINGS)
    assert (first.made, again.made) == (3, 0)


def test_pieces_without_a_join_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    player = Player(seams=False)
    with pytest.raises(UsageError, match="more than one window of 10 s"):
        run_seams(player, tmp_path, n=3, duration_seconds=(8, 11))
    player.writes_notes = False
    with pytest.raises(UsageError, match="notes"):
        run_seams(player, tmp_path, **SETTINGS)
    assert player.made == 0


@pytest.mark.parametrize("seed", range(20))
def test_places_are_near_a_join_but_clear_of_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = int(random.integers(400, 3000))
    joins = [one.new_start for one in continuation_windows(frames, WINDOW, PROMPT)[1:]]
    places = draw_places(frames, joins, 75, random)
    assert len(set(places)) == len(places) <= 8 * len(joins)
    distance = np.abs(np.array(places)[:, None] - np.array(joins)[None]).min(axis=1)
    assert distance.min() >= 50 and distance.max() <= 75
    assert places[0] >= 50 and places[-1] <= frames - 50


def test_a_jump_is_what_differs_between_its_two_sides() -> None:
    codes = empty_score(200)
    notes = [Note(at, at + 10, MELODY, 60) for at in range(0, 100, 10)]
    notes += [Note(at, at + 5, MELODY, 66) for at in range(100, 200, 5)]
    write_notes(codes, notes)
    energy = np.where(np.arange(200) < 100, 0.01, 0.1)
    (jump,) = measure_jumps("piece", codes, energy, [100], [])
    assert jump.join and jump.energy == pytest.approx(10) and jump.onsets == 2.5 and jump.chroma == pytest.approx(1)
    (calm,) = measure_jumps("piece", codes, energy, [], [50])
    assert (calm.join, calm.energy, calm.onsets) == (False, 0, 0) and calm.chroma == pytest.approx(0)
    assert measure_jumps("piece", codes, energy, [20, 190], []) == []  # no whole side
    assert np.isnan(measure_jumps("piece", empty_score(200), energy, [100], [])[0].chroma)


def test_chance_alone_gives_small_p_as_rarely_as_it_says() -> None:
    random = np.random.default_rng(0)
    values = [permutation_p([(random.normal(size=4), random.normal(size=32)) for _ in range(3)]) for _ in range(100)]
    assert 0.3 < np.mean(values) < 0.7 and np.mean(np.array(values) < 0.1) < 0.25
    assert permutation_p([(np.full(4, 9.0), random.normal(size=32)) for _ in range(3)]) < 0.001
    assert permutation_p([(np.ones(4), np.ones(32))]) == 1


def test_energy_does_not_depend_on_the_blocks() -> None:
    sound = np.random.default_rng(0).normal(size=(2, 960))
    whole = energy_of_frames([sound], 48)
    assert np.allclose(whole, (sound**2).mean(axis=0).reshape(20, 48).mean(axis=1))
    assert np.allclose(energy_of_frames(np.array_split(sound, 7, axis=1), 48), whole)
