"""A glance while training: notes or sound, whatever the music model writes; and onsets counted in sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore.evaluation.audio_onsets import audio_onset_rate
from narrascore.evaluation.curves import evaluation_curves
from narrascore.evaluation.glance import AUDIO_PAIRS, NOTE_PAIRS, follow, glance_at
from narrascore.synthesis.musicgen import FrozenMusicGen
from tests.synthesis.tiny import open_adapter, tiny_encodec_musicgen, tiny_score_musicgen


@pytest.mark.parametrize("rate_hz", [2, 4])
def test_clicks_are_counted_in_sound(rate_hz: int) -> None:
    """A decaying tone `rate_hz` times a second for the first half, half as often after it."""
    sample_rate_hz, seconds = 8000, 12
    time = np.arange(sample_rate_hz // 4) / sample_rate_hz
    tone = np.sin(2 * np.pi * 440 * time) * np.exp(-30 * time)
    sound = np.zeros((1, seconds * sample_rate_hz), dtype=np.float32)
    starts = [*np.arange(0.1, 6, 1 / rate_hz), *np.arange(6.1, 11.8, 2 / rate_hz)]
    for start in starts:
        at = round(start * sample_rate_hz)
        sound[0, at : at + len(tone)] += tone[: sound.shape[1] - at]
    counted = audio_onset_rate(torch.from_numpy(sound), sample_rate_hz)
    assert counted.shape == (seconds,)
    np.testing.assert_allclose(counted[2:5], rate_hz, atol=0.5)
    np.testing.assert_allclose(counted[8:10], rate_hz / 2, atol=0.5)
    np.testing.assert_array_equal(audio_onset_rate(torch.from_numpy(0.01 * sound), sample_rate_hz), counted)


def test_silence_and_a_blink_have_no_onsets() -> None:
    assert not audio_onset_rate(torch.zeros(2, 8000), 8000).any()
    assert audio_onset_rate(torch.zeros(1, 10), 8000).tolist() == [0]


def test_notes_are_read_off_the_codes_and_other_codes_are_heard(tmp_path: Path) -> None:
    curves = evaluation_curves(2, 1, (8, 8))
    notes = FrozenMusicGen.from_pretrained(tiny_score_musicgen(tmp_path / "notes"))
    found = follow(notes, open_adapter(notes), curves)
    assert tuple(found) == NOTE_PAIRS and all(abs(value) <= 1 for value in found.values())
    assert found == follow(notes, open_adapter(notes), curves), "the same music each time"
    sound = FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(tmp_path / "sound"))
    assert tuple(follow(sound, open_adapter(sound), curves)) == AUDIO_PAIRS


def test_a_window_too_short_for_a_curve_is_said(tmp_path: Path) -> None:
    musicgen = FrozenMusicGen.from_pretrained(tiny_score_musicgen(tmp_path, window_seconds=2.0, prompt_seconds=0.5))
    assert glance_at(musicgen)(open_adapter(musicgen)) == "not measured: a window of 2 s is too short for a curve"
