"""Markers: a turn where the mood turns, a hit where arousal jumps, and nothing on a curve that drifts."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from narrascore.affect import AffectCurve
from narrascore.markers import Marker, find_markers, to_csv, to_srt


def curve(*parts: tuple[int, float, float], rate_hz: float = 1.0) -> AffectCurve:
    """Stretches (seconds, valence, arousal)."""
    rows = [np.tile([valence, arousal], (round(seconds * rate_hz), 1)) for seconds, valence, arousal in parts]
    return AffectCurve(np.concatenate(rows).astype(np.float32), rate_hz)


def times(markers: list[Marker], kind: str) -> list[float]:
    return [marker.seconds for marker in markers if marker.kind == kind]


@pytest.mark.parametrize("rate_hz", [1.0, 2.0, 10.0])
def test_a_turn_of_mood_begins_a_section_and_a_jump_of_arousal_is_a_hit(rate_hz: float) -> None:
    markers = find_markers(curve((30, 0.2, -0.4), (20, -0.3, -0.4), (25, -0.3, 0.3), rate_hz=rate_hz))
    assert times(markers, "section") == [0, 30, 50]
    assert times(markers, "hit") == [50]  # valence alone strikes nothing
    assert [marker.kind for marker in markers] == ["section", "section", "section", "hit"]
    assert (markers[1].valence, markers[1].arousal) == pytest.approx((-0.3, -0.4))


def test_a_slow_drift_has_neither() -> None:
    ramp = np.linspace(-0.5, 0.5, 120, dtype=np.float32)
    assert [marker.kind for marker in find_markers(AffectCurve(np.stack([ramp, ramp], axis=1)))] == ["section"]


def test_a_fall_of_arousal_is_a_turn_and_no_hit() -> None:
    markers = find_markers(curve((20, 0, 0.5), (20, 0, -0.5)))
    assert times(markers, "section") == [0, 20] and times(markers, "hit") == []


def test_a_hit_stands_where_the_rise_is_steepest() -> None:
    arousal = np.array([0, 0, 0, 0.02, 0.3, 0.32, 0.32, 0.32], np.float32)
    markers = find_markers(AffectCurve(np.stack([np.zeros(8), arousal], axis=1).astype(np.float32)))
    assert times(markers, "hit") == [4]


def test_noise_gives_no_two_markers_of_one_kind_close_together() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, (300, 2)).astype(np.float32)
    markers = find_markers(AffectCurve(values))
    assert np.diff(times(markers, "section")).min() > 8
    assert np.diff(times(markers, "hit")).min() >= 1


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_the_shortest_curves_have_a_beginning(rows: int) -> None:
    assert times(find_markers(curve((rows, 0.1, 0.1))), "section") == [0]


def test_the_table_and_the_subtitles_say_the_same() -> None:
    markers = [
        Marker(0.0, "section", 0.25, -0.5), Marker(3599.5, "section", -0.1, 0.3), Marker(3599.5, "hit", -0.1, 0.3),
        Marker(3600.25, "hit", 0.0, 0.5),
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(to_csv(markers))))
    assert [row["kind"] for row in rows] == ["section", "section", "hit", "hit"]
    assert [float(row["time_seconds"]) for row in rows] == [0.0, 3599.5, 3599.5, 3600.25]
    assert to_srt(markers) == (
        "1\n00:00:00,000 --> 00:00:01,000\nsection: valence +0.25, arousal -0.50\n\n"
        "2\n00:59:59,500 --> 01:00:00,250\nsection: valence -0.10, arousal +0.30\nhit: valence -0.10, arousal +0.30\n\n"
        "3\n01:00:00,250 --> 01:00:01,250\nhit: valence +0.00, arousal +0.50\n"
    )
    assert to_srt([]) == ""
