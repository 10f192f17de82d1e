"""The affect curve: reading it at any time, and the table a user edits."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascore.affect import AffectCurve
from narrascore.errors import InputError

HEADER = "time_seconds,valence,arousal\n"


def test_the_curve_is_linear_between_seconds_and_holds_its_ends() -> None:
    curve = AffectCurve(np.array([[0.0, -1.0], [1.0, 1.0]]))
    np.testing.assert_allclose(curve.at([-3, 0.25, 1, 99]), [[0, -1], [0.25, -0.5], [1, 1], [1, 1]])


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=50))
def test_a_written_table_reads_back(rows: list[tuple[float, float]]) -> None:
    import tempfile

    curve = AffectCurve(np.array(rows, dtype=np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curve.csv"
        path.write_text(curve.to_csv())
        again = AffectCurve.from_csv(path)
    assert again.rate_hz == 1
    np.testing.assert_allclose(again.values, curve.values, atol=6e-5)


def test_uneven_times_are_read_linearly(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(HEADER + "0,0,0\n4,1,-1\n")
    curve = AffectCurve.from_csv(tmp_path / "c.csv")
    np.testing.assert_allclose(curve.values, [[0, 0], [0.25, -0.25], [0.5, -0.5], [0.75, -0.75], [1, -1]], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1"),
        ("time,valence,arousal\n0,0,0\n", "line 1"),
        (HEADER, "no rows"),
        (HEADER + "0,0\n", "line 2: three values"),
        (HEADER + "0,0,0\n1,nan,0\n", "line 3"),
        (HEADER + "0,0,0\n1,0,x\n", "line 3"),
        (HEADER + "0,0,0\n0,0,0\n", "line 3: times must rise"),
        (HEADER + "0,0,0\n1,0,1.5\n", r"line 3.*\[-1, 1\]"),
        (HEADER + "-1,0,0\n", "line 2"),
    ],
)
def test_a_bad_table_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        AffectCurve.from_csv(tmp_path / "c.csv")


def test_values_are_clipped_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(HEADER + "0,0,1.5\n")
    assert AffectCurve.from_csv(tmp_path / "c.csv", clip=True).values.tolist() == [[0, 1]]


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a regular file"):
        AffectCurve.from_csv(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(InputError, match="cannot be read as text"):
        AffectCurve.from_csv(tmp_path / "b.csv")


@pytest.mark.parametrize("values", [np.zeros((0, 2)), np.zeros(3), np.full((2, 2), 1.2), np.full((2, 2), np.nan)])
def test_a_curve_outside_its_range_cannot_be_made(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\[F, 2\]|\[-1, 1\]"):
        AffectCurve(values)


def test_gain_and_offset_stretch_and_clip() -> None:
    curve = AffectCurve(np.array([[0.2, -0.4]])).adjust(2.0, (0.1, -0.5))
    np.testing.assert_allclose(curve.values, [[0.5, -1.0]], atol=1e-6)


@given(
    rows=st.integers(1, 40),
    seconds=st.sampled_from([0.0, 0.2, 0.7, 1.3, 8.1, 60.0]),
    rate=st.sampled_from([0.5, 1.0, 4.0]),
)
def test_smoothing_is_a_weighted_mean_that_favours_no_direction(rows: int, seconds: float, rate: float) -> None:
    curve = AffectCurve(np.random.default_rng(rows).uniform(-1, 1, (rows, 2)).astype(np.float32), rate)
    smooth = curve.smooth(seconds)
    times = np.arange(rows) / rate
    apart = np.abs(times[:, None] - times)
    weights = np.exp(-0.5 * (apart / max(seconds, 1e-9)) ** 2) * (apart <= 4 * seconds)
    np.testing.assert_allclose(smooth.values, weights @ curve.values / weights.sum(axis=1, keepdims=True), atol=1e-5)
    backwards = AffectCurve(curve.values[::-1], rate).smooth(seconds)
    np.testing.assert_allclose(backwards.values[::-1], smooth.values, atol=1e-6)
    assert np.all(smooth.values <= curve.values.max(axis=0) + 1e-6)


def test_smoothing_leaves_what_is_level_and_what_is_not_asked_for() -> None:
    level = AffectCurve(np.tile([[0.3, -0.7]], (9, 1)))
    np.testing.assert_allclose(level.smooth(3).values, level.values, atol=1e-6)
    curve = AffectCurve(np.array([[0.0, -1.0], [1.0, 1.0]]))
    assert curve.smooth(0) == curve
    for seconds in (-1, math.inf, math.nan):
        with pytest.raises(ValueError, match="0 seconds or more"):
            curve.smooth(seconds)


@pytest.mark.parametrize("rate", [1.0, 4.0, 20.0])
def test_a_stretch_is_held_and_nothing_outside_its_ramps_moves(rate: float) -> None:
    curve = AffectCurve(np.random.default_rng(0).uniform(-1, 1, (round(40 * rate), 2)).astype(np.float32), rate)
    held = curve.hold(10.25, 12.5, arousal=0.75)
    times = np.arange(0, 40, 0.01)
    was, now = curve.at(times), held.at(times)
    np.testing.assert_allclose(now[:, 0], was[:, 0], atol=1e-6)
    inside, outside = (times >= 10.25) & (times <= 12.5), (times < 9.2) | (times > 13.55)
    np.testing.assert_allclose(now[inside, 1], 0.75, atol=1e-6)
    np.testing.assert_allclose(now[outside, 1], was[outside, 1], atol=1e-6)
    level = AffectCurve(np.zeros((40, 2))).hold(10.25, 12.5, arousal=0.75, valence=-0.5)
    np.testing.assert_allclose(level.at([9.25, 9.75, 10.25, 13, 13.5])[:, 1], [0, 0.375, 0.75, 0.375, 0], atol=1e-6)
    np.testing.assert_allclose(level.at([9.75, 11])[:, 0], [-0.25, -0.5], atol=1e-6)


def test_a_stretch_may_touch_the_ends_or_lie_beyond_a_short_curve() -> None:
    curve = AffectCurve(np.zeros((3, 2)))
    np.testing.assert_allclose(curve.hold(0, 3, arousal=1).at([0, 2.9])[:, 1], 1)
    np.testing.assert_allclose(curve.hold(8, 9, arousal=1).at([6, 8, 9, 10, 99])[:, 1], [0, 1, 1, 0, 0], atol=1e-6)
    for start, stop in ((3, 3), (-1, 2)):
        with pytest.raises(ValueError, match="a stretch begins"):
            curve.hold(start, stop, arousal=1)


@given(rows=st.integers(1, 40), rate=st.sampled_from([0.5, 2.0, 25.0, 50.0]))
def test_resampling_keeps_the_times(rows: int, rate: float) -> None:
    curve = AffectCurve(np.random.default_rng(rows).uniform(-1, 1, (rows, 2)))
    finer = curve.resample(rate)
    times = np.arange(len(finer)) / rate
    np.testing.assert_allclose(finer.values, curve.at(times), atol=1e-6)
    assert (len(finer) - 1) / rate < rows <= len(finer) / rate + 1e-9
