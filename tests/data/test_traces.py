"""Labels become one row a second by their times, whatever their rate and wherever they begin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascore.data.traces import FilmLabels, Trace


def trace(times: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray | None = None) -> Trace:
    times = np.asarray(times, dtype=np.float64)
    values = np.zeros(len(times)) if values is None else np.asarray(values, dtype=np.float64)
    return Trace("t.txt", times, np.stack([values, -values], axis=1))


@given(
    start=st.integers(0, 20_000).map(lambda thousandths: thousandths / 1000),
    step=st.integers(20, 9000).map(lambda thousandths: thousandths / 1000),
    labels=st.integers(1, 200),
    seconds=st.integers(1, 60),
    seed=st.integers(0, 9),
)
def test_each_second_is_the_mean_of_its_own_labels_or_lies_between_its_neighbours(
    start: float, step: float, labels: int, seconds: int, seed: int
) -> None:
    times = start + step * np.arange(labels)
    values = np.random.default_rng(seed).uniform(-1, 1, labels)
    rows = trace(times, values).by_second(seconds)
    assert rows.shape == (seconds, 2)
    np.testing.assert_array_equal(rows[:, 1], -rows[:, 0])
    for second in range(seconds):
        own = [value for time, value in zip(times, values, strict=True) if math.floor(time + 1e-6) == second]
        if own:
            assert rows[second, 0] == pytest.approx(np.mean(own))
        elif times[0] < second + 0.5 < times[-1]:
            after = int(np.searchsorted(times, second + 0.5))
            part = (second + 0.5 - times[after - 1]) / step
            assert rows[second, 0] == pytest.approx(values[after - 1] * (1 - part) + values[after] * part)
        else:
            assert np.isnan(rows[second, 0])


@given(shift=st.integers(0, 30), rate=st.sampled_from([0.2, 0.5, 1.0, 2.0, 25.0]))
def test_labels_that_come_later_are_later_rows(shift: int, rate: float) -> None:
    times = np.arange(round(10 * rate) + 1) / rate
    values = np.sin(times) / 2
    early, late = trace(times, values).by_second(60), trace(times + shift, values).by_second(60)
    np.testing.assert_allclose(late[shift:], early[: 60 - shift])
    assert np.isnan(late[:shift]).all()


def test_times_that_were_added_up_fall_into_their_second() -> None:
    times = np.cumsum(np.full(250, 0.04)) - 0.04
    assert (np.floor(times) != np.arange(250) // 25).any()
    rows = trace(times, np.arange(250) // 25 / 10).by_second(10)
    np.testing.assert_allclose(rows[:, 0], np.arange(10) / 10, atol=1e-12)


def test_the_labels_of_a_second_beyond_the_film_are_not_its_last() -> None:
    rows = trace([0, 1, 2, 3, 400], [0.1, 0.2, 0.3, 0.4, 1.0]).by_second(3)
    np.testing.assert_allclose(rows[:, 0], [0.1, 0.2, 0.3])


def test_a_trace_ends_where_its_last_label_does() -> None:
    assert trace([0, 1, 2, 3]).stop_seconds == 4
    assert trace(np.arange(100) / 25).stop_seconds == pytest.approx(4)
    assert trace([7]).stop_seconds == 8


def test_what_is_odd_is_said() -> None:
    rows = np.zeros((9, 2))
    assert FilmLabels.of(rows, [trace(range(9)), trace(range(9))]).notes == ()
    labels = FilmLabels.of(rows, [trace(range(9)), trace(range(5)), trace([0, 30, 31])])
    assert labels.stop_seconds == 5
    assert labels.notes == (
        "its label files end between 5 and 46 s; what all cover counts",
        "t.txt: no label from 0 to 30 s, read linearly",
    )
