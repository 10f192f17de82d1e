"""Bending the curve that is scored: what a user wants at moments and over stretches, laid over what `curve.csv` says.

curve.csv --markers--> --directions--> the curve that the music follows

`curve.csv` itself stays as it is: taken back, a wish leaves no trace in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import RAMP_SECONDS, AffectCurve
from narrascore.directions import Direction
from narrascore.markers import Marker

EASE_SECONDS = 2.0
"""The curve comes to a hit, and leaves it, within this time."""


def bend_curve(curve: AffectCurve, markers: Sequence[Marker], directions: Sequence[Direction]) -> AffectCurve:
    """The curve with markers followed, then directions, later ones over earlier ones; itself where there are none."""
    if markers:
        curve = follow_markers(curve, markers)
    for direction in directions:
        if direction.bends_curve:
            start, stop = float(direction.start_seconds), float(direction.stop_seconds)
            curve = curve.hold(start, stop, valence=direction.valence, arousal=direction.arousal)
    return curve


def follow_markers(curve: AffectCurve, markers: Sequence[Marker]) -> AffectCurve:
    """Move a curve to what its markers say, valence and arousal each by itself, within [-1, 1].

    - From a section's marker to the next the curve is lifted or lowered as a whole, so that its mean there is the
      marker's value; it comes there within the second before. Sections that do not say it are left as they are.
    - At a hit it then reaches the marker's value: it is lifted or lowered there, and by less and less within two
      seconds on either side, along a raised cosine.

    A curve's own markers (`find_markers`) so leave it as it is.

    Args:
        curve: the curve.
        markers: in time order.

    Returns:
        A curve of at least `FINE_HZ` rows a second.
    """
    sections = [marker for marker in markers if marker.kind == "section"]
    hits = [marker for marker in markers if marker.kind == "hit"]
    fine = curve.refine(max((hit.seconds for hit in hits), default=0.0) + EASE_SECONDS)
    seconds = np.arange(len(fine)) / fine.rate_hz
    values = fine.values.astype(np.float64)
    for column, name in enumerate(("valence", "arousal")):
        lifted = values[:, column] + _lift(seconds, curve, sections, name, column)
        values[:, column] = _reach(np.clip(lifted, -1, 1), seconds, hits, name)
    return AffectCurve(values.astype(np.float32), fine.rate_hz)


def _lift(
    seconds: NDArray[np.float64], curve: AffectCurve, sections: Sequence[Marker], name: str, column: int
) -> NDArray[np.float64]:
    """How far the sections move the curve at each of these times.

          section 1            section 2
         ________________
        /                \\_______________
    ___/                   the second before
    """
    starts = [marker.seconds for marker in sections]
    corners, lifts = [-RAMP_SECONDS], [0.0]
    for marker, stop in zip(sections, [*starts[1:], math.inf], strict=False):
        wanted = getattr(marker, name)
        lift = 0.0 if wanted is None else wanted - _mean(curve, marker.seconds, stop, column)
        corners += [max(corners[-1], marker.seconds - RAMP_SECONDS), marker.seconds]
        lifts += [lifts[-1], lift]
    return np.interp(seconds, corners, lifts)


def _mean(curve: AffectCurve, start: float, stop: float, column: int) -> float:
    """The curve's mean over its own rows from start to stop; its value at the start if there are none."""
    # Tables round times to milliseconds, so a row this near to a border is on it.
    first, last = (math.ceil(min((time - 0.0005) * curve.rate_hz, len(curve)) - 1e-9) for time in (start, stop))
    rows = curve.values[max(first, 0) : last, column]
    return float(rows.mean(dtype=np.float64)) if len(rows) else float(curve.at(start)[column])


def _reach(
    values: NDArray[np.float64], seconds: NDArray[np.float64], hits: Sequence[Marker], name: str
) -> NDArray[np.float64]:
    """Values at these times, brought to the hits' one after another."""
    for marker in hits:
        wanted = getattr(marker, name)
        if wanted is None:
            continue
        lift = wanted - np.interp(marker.seconds, seconds, values)
        first, last = np.searchsorted(seconds, [marker.seconds - EASE_SECONDS, marker.seconds + EASE_SECONDS])
        away = (seconds[first:last] - marker.seconds) / EASE_SECONDS
        values[first:last] = np.clip(values[first:last] + lift * np.cos(np.pi / 2 * away) ** 2, -1, 1)
    return values
