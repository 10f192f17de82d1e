"""The affect curve: where a film's emotion goes, second by second (paper 3.3)."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrascore.errors import InputError
from narrascore.spreadsheet import Numbers, read_table

CSV_COLUMNS = ("time_seconds", "valence", "arousal")
MAX_HELD_SECONDS = 2.0
"""A table's last values are held for this long without a word."""
SMOOTHING_REACH = 4.0
"""Where the smoothing kernel ends, in standard deviations: its weight there is 0.0003 of that in its middle."""
FINE_HZ = 20.0
"""Rows a second, at least, of a curve that is bent at moments of the user's choosing."""
RAMP_SECONDS = 1.0
"""The curve comes to a value that it is held at, and leaves it, within this time: as steeply as rows a second apart."""


@dataclass(frozen=True, eq=False)
class AffectCurve:
    """Valence and arousal over time.

    Attributes:
        values: `[F, 2]` float32, columns valence and arousal, each in [-1, 1]; row f is the film at f / rate_hz s.
        rate_hz: rows per second; the paper's curves have 1.

    Raises:
        ValueError: if the shape, the range or the rate is wrong.
    """

    values: NDArray[np.float32]
    rate_hz: float = 1.0

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != 2 or len(values) == 0:
            raise ValueError(f"an affect curve is [F, 2] with F >= 1: got {values.shape}")
        if not np.isfinite(values).all() or np.abs(values).max() > 1:
            raise ValueError("valence and arousal must be finite and in [-1, 1]: clip the values first")
        if not (self.rate_hz > 0 and math.isfinite(self.rate_hz)):
            raise ValueError(f"rate_hz must be positive: got {self.rate_hz}; the paper uses 1")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @property
    def valence(self) -> NDArray[np.float32]:
        """`[F]`, in [-1, 1]: from unpleasant to pleasant."""
        return self.values[:, 0]

    @property
    def arousal(self) -> NDArray[np.float32]:
        """`[F]`, in [-1, 1]: from calm to excited."""
        return self.values[:, 1]

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AffectCurve)
            and self.rate_hz == other.rate_hz
            and np.array_equal(self.values, other.values)
        )

    def at(self, seconds: ArrayLike) -> NDArray[np.float32]:
        """Read the curve at any time, linearly between rows, holding the first and the last value.

        Args:
            seconds: film times, any shape `[...]`.

        Returns:
            `[..., 2]`.
        """
        rows = np.asarray(seconds, dtype=np.float64) * self.rate_hz
        grid = np.arange(len(self.values))
        return np.stack([np.interp(rows, grid, self.values[:, i]) for i in range(2)], axis=-1).astype(np.float32)

    def resample(self, rate_hz: float, duration_seconds: float | None = None) -> AffectCurve:
        """The same curve at another rate, over `duration_seconds` (by default its own length)."""
        duration = len(self.values) / self.rate_hz if duration_seconds is None else duration_seconds
        rows = max(1, math.ceil(duration * rate_hz - 1e-9))
        return AffectCurve(self.at(np.arange(rows) / rate_hz), rate_hz)

    def refine(self, duration_seconds: float = 0.0) -> AffectCurve:
        """The same line through more rows, a whole multiple of its own and at least `FINE_HZ` a second, so that it can
        be bent between them; held on to a row at `duration_seconds` if it ends before."""
        rate_hz = self.rate_hz * max(1, math.ceil(FINE_HZ / self.rate_hz - 1e-9))
        return self.resample(rate_hz, max(duration_seconds + 1 / rate_hz, len(self.values) / self.rate_hz))

    def smooth(self, seconds: float) -> AffectCurve:
        """Each row as the mean of those around it, weighted by a Gaussian.

        Near the ends the weights of the rows that are there count as all of them.

        Args:
            seconds: the Gaussian's standard deviation; it ends at `SMOOTHING_REACH` of them. 0 changes nothing.

        Raises:
            ValueError: if it is negative or not finite.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"a curve is smoothed over 0 seconds or more: got {seconds}")
        deviation, count = seconds * self.rate_hz, len(self.values)
        reach = min(math.floor(SMOOTHING_REACH * deviation), count - 1)
        if reach == 0:
            return self
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)

        def around(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.convolve(rows, kernel)[reach : reach + count]

        weights = around(np.ones(count))
        means = np.stack([around(self.values[:, i].astype(np.float64)) / weights for i in range(2)], axis=1)
        return AffectCurve(np.clip(means, -1, 1), self.rate_hz)  # a rounding error may lie outside

    def adjust(self, gain: float = 1.0, offset: tuple[float, float] = (0.0, 0.0)) -> AffectCurve:
        """Stretch about zero, shift by (valence, arousal), and clip to [-1, 1]."""
        moved = self.values * np.float32(gain) + np.asarray(offset, dtype=np.float32)
        return AffectCurve(np.clip(moved, -1, 1), self.rate_hz)

    def hold(
        self,
        start_seconds: float,
        stop_seconds: float,
        *,
        valence: float | None = None,
        arousal: float | None = None,
    ) -> AffectCurve:
        """The same curve, but at a value of the user's from start to stop, with a ramp of a second on either side.

              start     stop
               _________            held
              /         \
        -----'           `-----     as it was

        Args:
            start_seconds, stop_seconds: the stretch, in film time.
            valence, arousal: its value there, in [-1, 1]; None leaves it as it is.

        Returns:
            A curve of at least `FINE_HZ` rows a second; outside stretch and ramps it runs as before.

        Raises:
            ValueError: if the stretch ends before it begins, or a value is out of range.
        """
        if not 0 <= start_seconds < stop_seconds:
            raise ValueError(f"a stretch begins at 0 or later and then ends: got {start_seconds} to {stop_seconds}")
        fine = self.refine(stop_seconds + RAMP_SECONDS)
        corners = [start_seconds - RAMP_SECONDS, start_seconds, stop_seconds, stop_seconds + RAMP_SECONDS]
        weight = np.interp(np.arange(len(fine)) / fine.rate_hz, corners, [0, 1, 1, 0])
        values = fine.values.astype(np.float64)
        for column, wanted in zip(values.T, (valence, arousal), strict=True):
            if wanted is not None:
                column += weight * (wanted - column)
        return AffectCurve(values.astype(np.float32), fine.rate_hz)

    def to_csv(self) -> str:
        """The curve as the table a user edits: `time_seconds,valence,arousal`."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for row, (valence, arousal) in enumerate(self.values):
            writer.writerow((f"{row / self.rate_hz:.10g}", f"{valence:.4f}", f"{arousal:.4f}"))
        return out.getvalue()

    def _repr_html_(self) -> str:
        """For notebooks."""
        from narrascore.display import show_curve

        return show_curve(self)

    @classmethod
    def from_csv(cls, path: str | Path, *, clip: bool = False, duration_seconds: float = 0.0) -> AffectCurve:
        """Read a curve from a table with the columns `time_seconds,valence,arousal`, at any rising times.

        Uneven times are read linearly onto a grid of 1 Hz, or finer where the table's smallest step is a whole
        fraction of a second. What spreadsheets make of a table is read too: see `narrascore.spreadsheet`.

        Args:
            path: the table.
            clip: bring values outside [-1, 1] to the nearest end instead of refusing them.
            duration_seconds: of the film; a table that ends more than `MAX_HELD_SECONDS` and one of its own steps
                before that is refused. One row alone stands for the whole film.

        Raises:
            InputError: with the number of the line that cannot be used.
        """
        path = Path(path)
        what, columns = f"curve {path.name}", ",".join(CSV_COLUMNS)
        table, numbers = read_table(path, what), Numbers()
        line, header = next(table, (1, []))
        if ",".join(header).lower() != columns:
            raise InputError(f"{what}, line {line}: the columns must be {columns}")
        times: list[float] = []
        values: list[tuple[float, float]] = []
        for line, cells in table:
            where = f"{what}, line {line}"
            if len(cells) != 3:
                way_out = "; decimals with a comma want semicolons between the values" if len(cells) > 3 else ""
                raise InputError(f"{where}: three values wanted, got {len(cells)}{way_out}")
            time, valence, arousal = (numbers.read(cell, where) for cell in cells)
            if time < 0:
                raise InputError(f"{where}: times count from 0, got {time:g}")
            if times and time <= times[-1]:
                raise InputError(f"{where}: times must rise, {time:g} follows {times[-1]:g}")
            if not clip and max(abs(valence), abs(arousal)) > 1:
                raise InputError(
                    f"{where}: valence and arousal lie in [-1, 1], got {valence:g} and {arousal:g}; ask for clipping "
                    "if that is meant (--clip-curve)"
                )
            times.append(time)
            values.append((valence, arousal))
        if not times:
            raise InputError(f"{what}: no rows; give a CSV with {columns}")
        if len(times) > 1 and times[-1] + (times[-1] - times[-2]) + MAX_HELD_SECONDS < duration_seconds:
            raise InputError(
                f"{what}, line {line}: the last time is {times[-1]:g} s and the film lasts "
                f"{duration_seconds:g} s; add rows, or one at the end to hold its values"
            )
        points = np.clip(np.array(values, dtype=np.float64), -1, 1)
        rate_hz = _grid_rate(times)
        grid = np.arange(math.floor(times[-1] * rate_hz + 1e-6) + 1) / rate_hz
        return cls(np.stack([np.interp(grid, times, points[:, i]) for i in range(2)], axis=-1), rate_hz)


def _grid_rate(times: list[float]) -> float:
    """1 Hz, or the finest of 2, 4, 5, 10, 20, 25 Hz that the smallest step asks for."""
    step = min(np.diff(times), default=1.0)
    return next((float(rate) for rate in (1, 2, 4, 5, 10, 20) if step >= 1 / rate - 1e-6), 25.0)
