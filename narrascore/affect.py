"""The affect curve: where a film's emotion goes, second by second (paper 3.3)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrascore.errors import InputError

CSV_COLUMNS = ("time_seconds", "valence", "arousal")
MAX_CSV_BYTES = 32 * 2**20
MAX_HELD_SECONDS = 2.0
"""A table's last values are held for this long without a word."""


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

    def adjust(self, gain: float = 1.0, offset: tuple[float, float] = (0.0, 0.0)) -> AffectCurve:
        """Stretch about zero, shift by (valence, arousal), and clip to [-1, 1]."""
        moved = self.values * np.float32(gain) + np.asarray(offset, dtype=np.float32)
        return AffectCurve(np.clip(moved, -1, 1), self.rate_hz)

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
        fraction of a second.

        Args:
            path: the table.
            clip: bring values outside [-1, 1] to the nearest end instead of refusing them.
            duration_seconds: of the film; a table that ends more than `MAX_HELD_SECONDS` and one of its own steps
                before that is refused. One row alone stands for the whole film.

        Raises:
            InputError: with the number of the line that cannot be used.
        """
        path = Path(path)
        try:
            if not path.is_file():
                raise InputError(f"curve {path.name}: not a regular file; give a CSV with {','.join(CSV_COLUMNS)}")
            if path.stat().st_size > MAX_CSV_BYTES:
                raise InputError(f"curve {path.name}: larger than {MAX_CSV_BYTES >> 20} MiB, so hardly a curve")
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"curve {path.name}: cannot be read as text ({error})") from error
        times: list[float] = []
        values: list[tuple[float, float]] = []
        for line, row in _rows(text, path.name):
            time, valence, arousal = row
            if times and time <= times[-1]:
                raise InputError(f"curve {path.name}, line {line}: times must rise, {time:g} follows {times[-1]:g}")
            if not clip and max(abs(valence), abs(arousal)) > 1:
                raise InputError(
                    f"curve {path.name}, line {line}: valence and arousal lie in [-1, 1], got {valence:g} and "
                    f"{arousal:g}; ask for clipping if that is meant (--clip-curve)"
                )
            times.append(time)
            values.append((valence, arousal))
        if not times:
            raise InputError(f"curve {path.name}: no rows; give a CSV with {','.join(CSV_COLUMNS)}")
        if len(times) > 1 and times[-1] + (times[-1] - times[-2]) + MAX_HELD_SECONDS < duration_seconds:
            raise InputError(
                f"curve {path.name}, line {line}: the last time is {times[-1]:g} s and the film lasts "
                f"{duration_seconds:g} s; add rows, or one at the end to hold its values"
            )
        points = np.clip(np.array(values, dtype=np.float64), -1, 1)
        rate_hz = _grid_rate(times)
        grid = np.arange(math.floor(times[-1] * rate_hz + 1e-6) + 1) / rate_hz
        return cls(np.stack([np.interp(grid, times, points[:, i]) for i in range(2)], axis=-1), rate_hz)


def _rows(text: str, name: str) -> Iterator[tuple[int, tuple[float, float, float]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = tuple(cell.strip() for cell in next(reader, []))
        if header != CSV_COLUMNS:
            raise InputError(f"curve {name}, line 1: the columns must be {','.join(CSV_COLUMNS)}")
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            line = reader.line_num
            if len(row) != 3:
                raise InputError(f"curve {name}, line {line}: three values wanted, got {len(row)}")
            try:
                time, valence, arousal = (float(cell) for cell in row)
            except ValueError as error:
                raise InputError(f"curve {name}, line {line}: {error}") from error
            if not (math.isfinite(time) and math.isfinite(valence) and math.isfinite(arousal)) or time < 0:
                raise InputError(f"curve {name}, line {line}: times from 0 and finite numbers wanted, got {row}")
            yield line, (time, valence, arousal)
    except csv.Error as error:
        raise InputError(f"curve {name}, line {reader.line_num}: {error}") from error


def _grid_rate(times: list[float]) -> float:
    """1 Hz, or the finest of 2, 4, 5, 10, 20, 25 Hz that the smallest step asks for."""
    step = min(np.diff(times), default=1.0)
    return next((float(rate) for rate in (1, 2, 4, 5, 10, 20) if step >= 1 / rate - 1e-6), 25.0)
