"""Markers: where a film's music turns, and where it strikes; for an editor as SRT or CSV, and from one."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve

CONTEXT_SECONDS = 8.0
"""A section differs from the one before it by what lies this long on either side of their border."""
SECTION_STEP = 0.25
"""How far valence and arousal together must move, of the 2 that each can: an eighth of the way."""

HIT_SECONDS = 2.0
HIT_RISE = 0.2
"""A hit: arousal rises by a tenth of its range within two seconds."""

CAPTION_SECONDS = 1.0
"""How long a marker stands in SRT, unless the next comes sooner."""


@dataclass(frozen=True)
class Marker:
    """A moment of the film.

    Attributes:
        seconds: from the picture's start.
        kind: `section`, where the mood turns, or `hit`, where it rises fast.
        valence, arousal: of the curve: its mean from a section's beginning to that of the next, or its value at the
            moment of a hit. None, which only an editor's own markers have, says nothing of it.
    """

    seconds: float
    kind: Literal["section", "hit"]
    valence: float | None
    arousal: float | None

    @property
    def label(self) -> str:
        said = {"valence": self.valence, "arousal": self.arousal}
        return f"{self.kind}: " + ", ".join(f"{name} {value:+.2f}" for name, value in said.items() if value is not None)


def find_markers(curve: AffectCurve) -> list[Marker]:
    """Read the turns and the hits off a curve, in time order.

    - A section begins at 0, and wherever the means of valence and arousal over the 8 s after a moment differ from
      those over the 8 s before it by at least 0.25 (as a distance in the plane), more than at any moment within 8 s.
    - A hit is where arousal has risen by at least 0.2 within 2 s, more than at any moment within 2 s; its moment is
      the end of the steepest step of that rise.
    """
    return sorted([*_sections(curve), *_hits(curve)], key=lambda marker: (marker.seconds, marker.kind != "section"))


def to_csv(markers: Sequence[Marker]) -> str:
    """A table `time_seconds,kind,valence,arousal`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("time_seconds", "kind", "valence", "arousal"))
    for marker in markers:
        values = ("" if value is None else f"{value:.4f}" for value in (marker.valence, marker.arousal))
        writer.writerow((f"{marker.seconds:.3f}", marker.kind, *values))
    return out.getvalue()


def to_srt(markers: Sequence[Marker]) -> str:
    """Subtitles, one a marker, a second long or up to the next; markers of one moment share theirs."""
    moments = sorted({marker.seconds for marker in markers})
    captions = []
    for number, seconds in enumerate(moments, 1):
        following = moments[number] if number < len(moments) else seconds + CAPTION_SECONDS
        lines = [marker.label for marker in markers if marker.seconds == seconds]
        times = f"{_clock(seconds)} --> {_clock(min(seconds + CAPTION_SECONDS, following))}"
        captions.append("\n".join([str(number), times, *lines]) + "\n")
    return "\n".join(captions)


def _sections(curve: AffectCurve) -> list[Marker]:
    context = max(1, round(CONTEXT_SECONDS * curve.rate_hz))
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(curve.values, axis=0, dtype=np.float64)])
    rows = np.arange(len(curve))
    before, after = np.maximum(rows - context, 0), np.minimum(rows + context, len(curve))
    left = (sums[rows] - sums[before]) / np.maximum(rows - before, 1)[:, None]
    right = (sums[after] - sums[rows]) / (after - rows)[:, None]
    distance = np.where(rows > 0, np.linalg.norm(right - left, axis=1), np.inf)  # the film's start is a section's
    starts = _peaks(distance, context, SECTION_STEP)
    stops = [*starts[1:], len(curve)]
    means = [(sums[stop] - sums[start]) / (stop - start) for start, stop in zip(starts, stops, strict=True)]
    return [Marker(row / curve.rate_hz, "section", *map(float, mean)) for row, mean in zip(starts, means, strict=True)]


def _hits(curve: AffectCurve) -> list[Marker]:
    span = max(1, round(HIT_SECONDS * curve.rate_hz))
    if len(curve) <= span:
        return []
    arousal = curve.arousal.astype(np.float64)
    rise = arousal[span:] - arousal[:-span]
    markers = []
    for row in _peaks(rise, span, HIT_RISE):
        end = row + 1 + int(np.argmax(np.diff(arousal[row : row + span + 1])))
        markers.append(Marker(end / curve.rate_hz, "hit", *map(float, curve.values[end])))
    return markers


def _peaks(values: NDArray[np.float64], apart: int, least: float) -> list[int]:
    """Rows of at least `least` that no row within `apart` of them exceeds; of equal ones the first."""
    found: list[int] = []
    for row in np.flatnonzero(values >= least).tolist():
        around = values[max(0, row - apart) : row + apart + 1]
        if values[row] >= around.max() and not (found and row - found[-1] <= apart):
            found.append(row)
    return found


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"
