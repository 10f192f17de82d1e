"""Labels at their own times, and the way from there to one row a second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrascore.data.label_tables import Row
from narrascore.errors import InputError

WIDE_GAP_SECONDS = 10.0
"""Labels further apart than this are read linearly like others, and said to be."""

_ROUNDING_SECONDS = 1e-6
"""A time written as 6.9999999 is the seventh second's: such files come from programs that added up 0.04."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What one label file says.

    Attributes:
        name: of the file.
        times: `[N]` seconds of the film, rising, from 0.
        values: `[N, D]`, each in [-1, 1].
    """

    name: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def stop_seconds(self) -> float:
        """Where the last label ends: it lasts as long as labels are apart (a second, if it is alone)."""
        step = float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1.0
        return float(self.times[-1]) + step

    @property
    def widest_gap(self) -> tuple[float, float]:
        """The two times between which there is no label for longest."""
        if len(self.times) == 1:
            return float(self.times[0]), float(self.times[0])
        index = int(np.argmax(np.diff(self.times)))
        return float(self.times[index]), float(self.times[index + 1])

    def by_second(self, seconds: int) -> NDArray[np.float64]:
        """One row for each second of the film, by the labels' times, never by their number.

        Row f is the mean of the labels whose time lies in [f, f + 1). A second without a label of its own, between
        two that have one, is read linearly in its middle; before the first and after the last label there is NaN.

        Returns:
            `[seconds, D]`.
        """
        rows = np.full((seconds, self.values.shape[1]), np.nan)
        second = np.floor(self.times + _ROUNDING_SECONDS).astype(np.int64)
        inside = second < seconds
        count = np.bincount(second[inside], minlength=seconds)
        middle = np.arange(seconds) + 0.5
        between = (count == 0) & (middle > self.times[0]) & (middle < self.times[-1])
        for column, values in enumerate(self.values.T):
            total = np.bincount(second[inside], weights=values[inside], minlength=seconds)
            rows[count > 0, column] = total[count > 0] / count[count > 0]
            rows[between, column] = np.interp(middle[between], self.times, values)
        return rows


@dataclass(frozen=True, eq=False)
class FilmLabels:
    """The labels of one film at 1 Hz.

    Attributes:
        rows: `[F, 2]` float32, valence and arousal of each second, NaN where there is none.
        stop_seconds: where the labels end, by their own times.
        notes: what is odd about them, one line each.
    """

    rows: NDArray[np.float32]
    stop_seconds: float
    notes: tuple[str, ...]

    @classmethod
    def of(cls, rows: NDArray[np.float64], traces: Sequence[Trace]) -> FilmLabels:
        """Rows made of these traces; where the traces end apart, the part that all of them cover counts."""
        stops = [trace.stop_seconds for trace in traces]
        notes = []
        if max(stops) - min(stops) > 1:
            notes.append(f"its label files end between {min(stops):.0f} and {max(stops):.0f} s; what all cover counts")
        for trace in traces:
            start, stop = trace.widest_gap
            if stop - start > WIDE_GAP_SECONDS:
                notes.append(f"{trace.name}: no label from {start:.0f} to {stop:.0f} s, read linearly")
        return cls(rows.astype(np.float32), min(stops), tuple(notes))


def trace_of(name: str, rows: Sequence[Row], time: int, values: Sequence[int]) -> Trace:
    """Take a table's columns as times and labels.

    Args:
        name: of the file.
        rows: from `narrascore.data.label_tables.read_rows`.
        time: the column of times, in seconds.
        values: the columns of labels.

    Raises:
        InputError: naming the line whose time does not rise or whose label is out of range.
    """
    table = np.array([row for _, row in rows], dtype=np.float64)
    times, labels = table[:, time], table[:, list(values)]
    before = np.concatenate([[-math.inf], times[:-1]])
    wrong = np.flatnonzero((times < 0) | (times <= before) | (np.abs(labels) > 1).any(axis=1))
    if len(wrong):
        first = int(wrong[0])
        where = f"{name}, line {rows[first][0]}"
        if times[first] < 0:
            raise InputError(f"{where}: times count from 0, got {times[first]:g}")
        if times[first] <= before[first]:
            raise InputError(f"{where}: times must rise, {times[first]:g} follows {before[first]:g}")
        worst = max(labels[first], key=abs)
        raise InputError(f"{where}: labels lie in [-1, 1], got {worst:g}")
    return Trace(name, times, labels)
