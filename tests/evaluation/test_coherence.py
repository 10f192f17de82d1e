"""Long music that stays itself, wanders off or falls silent: each told from the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrascore.evaluation.coherence import (
    COLLAPSE_SECONDS,
    collapses,
    measure_coherence,
    second_levels_db,
    style_drift,
)
from narrascore.evaluation.feature_store import FeatureSet

CLIPS_A_MINUTE = 6


def piece(minutes: int, *, turn: float, seed: int = 0) -> np.ndarray:
    """Features `[6 minutes, 2]` of 10 s clips that turn by this angle each minute, around (5, 5)."""
    angle = np.repeat(turn * np.arange(minutes), CLIPS_A_MINUTE)
    noise = np.random.default_rng(seed).normal(scale=0.01, size=(len(angle), 2))
    return 5 + np.stack([np.cos(angle), np.sin(angle)], axis=1) + noise


def test_drift_is_the_cosine_of_the_angle_gone_since_the_first_minute() -> None:
    drift = style_drift(piece(5, turn=0.3), 10.0, np.array([5.0, 5.0]))
    assert drift == pytest.approx(np.cos(0.3 * np.arange(1, 5)), abs=0.02)
    assert style_drift(piece(5, turn=0), 10.0, np.array([5.0, 5.0])) == pytest.approx(1, abs=0.01)


def test_without_its_centre_everything_would_be_alike() -> None:
    away = piece(3, turn=np.pi / 2)
    assert style_drift(away, 10.0, np.zeros(2)).min() > 0.8
    assert style_drift(away, 10.0, np.array([5.0, 5.0])) == pytest.approx([0, -1], abs=0.02)


def test_a_piece_under_two_minutes_has_no_drift() -> None:
    assert len(style_drift(piece(2, turn=0)[:-1], 10.0, np.zeros(2))) == 0
    with pytest.raises(ValueError, match="window_seconds"):
        style_drift(piece(2, turn=0), 90.0, np.zeros(2))


def test_a_collapse_is_a_long_silence_after_sound() -> None:
    loud, silent = np.full(60, -20.0), np.full(60, -90.0)
    assert not collapses(loud)
    assert collapses(silent)
    late = np.concatenate([silent[:40], loud])  # a film whose music begins late is no collapse
    assert not collapses(late)
    ended = np.concatenate([loud, silent[: COLLAPSE_SECONDS + 1]])
    assert collapses(ended) and not collapses(ended[:-1])
    assert collapses(np.concatenate([ended, loud]))


def test_levels_of_a_file_are_those_of_its_seconds(tmp_path: Path) -> None:
    rate = 16_000
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    soundfile.write(tmp_path / "a.wav", np.concatenate([0.1 * tone, 0 * tone[:rate], tone[: rate // 2]]), rate, "FLOAT")
    levels = second_levels_db(tmp_path / "a.wav")
    assert levels == pytest.approx([-23.01, -23.01, -120, -3.01], abs=0.02)


def test_a_set_is_measured_over_its_pieces() -> None:
    steady, wandering = piece(4, turn=0), piece(3, turn=1.0, seed=1)
    names = ["a"] * len(steady) + ["b"] * len(wandering)
    places = [*range(len(steady)), *range(len(wandering))]
    features = FeatureSet(np.concatenate([steady, wandering]), names, places)
    loud = np.full(240, -20.0)
    ended = np.where(np.arange(180) < 90, -20.0, -80.0)
    found = measure_coherence(features, 10.0, [loud, ended], np.array([5.0, 5.0]))
    assert [minute.n for minute in found.drift] == [2, 2, 1]
    assert found.drift[0].value == pytest.approx((1 + np.cos(1)) / 2, abs=0.02)
    assert (found.silence.value, found.collapse.value) == (0.25, 0.5)
