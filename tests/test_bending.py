"""Bending the curve: what markers and directions do to it, where they do it, and what they leave alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascore.affect import FINE_HZ, AffectCurve
from narrascore.bending import bend_curve, follow_markers
from narrascore.directions import Direction
from narrascore.marker_table import read_markers
from narrascore.markers import Marker, find_markers, to_csv

ROUND_TRIP = 1e-4
"""Markers as a table have values to within half of 1e-4; a section's and a hit's errors can meet."""


def wandering(seconds: int, seed: int = 0) -> AffectCurve:
    """A curve that turns and jumps."""
    noise = np.random.default_rng(seed)
    steps = np.repeat(noise.uniform(-0.8, 0.8, (seconds // 12 + 1, 2)), 12, axis=0)[:seconds]
    return AffectCurve(np.clip(steps + noise.uniform(-0.1, 0.1, (seconds, 2)), -1, 1).astype(np.float32))


def fine_seconds(curve: AffectCurve) -> np.ndarray:
    return np.arange(len(curve)) / curve.rate_hz


def test_without_wishes_the_curve_is_itself() -> None:
    curve = wandering(30)
    music = (
        Direction(Fraction(2), Fraction(4), prompt="a lone piano"),
        Direction(Fraction(5), Fraction(6), music=False),
    )
    assert bend_curve(curve, (), music) is curve


def test_directions_are_laid_over_markers_and_later_ones_over_earlier_ones() -> None:
    curve = AffectCurve(np.zeros((40, 2)))
    bent = bend_curve(
        curve,
        [Marker(0.0, "section", 0.25, 0.25)],
        [Direction(Fraction(10), Fraction(20), arousal=0.8), Direction(Fraction(15), Fraction(30), arousal=-0.5)],
    )
    np.testing.assert_allclose(
        bent.at([5, 10, 13.9, 14.5, 15, 30, 30.5, 35])[:, 1],
        [0.25, 0.8, 0.8, 0.15, -0.5, -0.5, -0.125, 0.25],
        atol=1e-6,
    )
    np.testing.assert_allclose(bent.valence, 0.25, atol=1e-6)


def test_a_hit_is_reached_and_eased_into_and_out_of() -> None:
    curve = wandering(60)
    bent = follow_markers(curve, [Marker(20.3, "hit", None, 0.95)])
    assert bent.at(20.3)[1] == pytest.approx(0.95, abs=1e-6)
    seconds = fine_seconds(bent)
    lift = bent.arousal - curve.at(seconds)[:, 1]
    assert np.abs(lift[np.abs(seconds - 20.3) >= 2]).max() < 1e-6
    assert np.all(np.diff(lift[(seconds > 18.4) & (seconds < 20.3)]) > 0)
    assert (
        np.abs(np.diff(lift)).max() < 1.6 * lift.max() / FINE_HZ / 2
    )  # no step: a raised cosine's slope is pi/2 at most
    np.testing.assert_allclose(bent.valence, curve.at(seconds)[:, 0], atol=1e-6)


def test_a_section_takes_its_mean_and_keeps_its_shape() -> None:
    curve = wandering(60)
    bent = follow_markers(curve, [Marker(10.0, "section", 0.3, None), Marker(40.0, "section", None, -0.2)])
    rows = bent.at(np.arange(60))
    assert rows[10:40, 0].mean() == pytest.approx(0.3, abs=1e-5)
    assert rows[40:, 1].mean() == pytest.approx(-0.2, abs=1e-5)
    np.testing.assert_allclose(np.diff(rows[10:40, 0]), np.diff(curve.valence[10:40]), atol=1e-5)
    np.testing.assert_allclose(rows[:10, 0], curve.valence[:10], atol=1e-6)  # before the first and after the last
    np.testing.assert_allclose(rows[40:, 0], curve.valence[40:], atol=1e-6)  # section that says it


def test_values_that_cannot_be_reached_end_at_the_range() -> None:
    curve = AffectCurve(np.array([[0.0, -0.9], [0.0, 0.9]] * 20))
    bent = follow_markers(curve, [Marker(0.0, "section", None, 0.9)])
    assert bent.arousal.max() == 1 and np.abs(bent.values).max() <= 1


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(3, 90), st.sampled_from([1.0, 2.0, 4.0, 5.0, 10.0]))
def test_a_curve_s_own_markers_leave_it_as_it_is(seed: int, seconds: int, rate_hz: float) -> None:
    import tempfile

    curve = AffectCurve(wandering(seconds, seed).values, rate_hz)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "markers.csv"
        table.write_text(to_csv(find_markers(curve)), encoding="utf-8")
        markers = read_markers(table, rate_hz=25.0, duration_seconds=seconds / rate_hz)
    bent = follow_markers(curve, markers)
    assert np.abs(bent.values - curve.at(fine_seconds(bent))).max() <= ROUND_TRIP
