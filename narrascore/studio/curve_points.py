"""The points by which a curve is dragged: few enough for a finger, and where the curve turns."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from narrascore.affect import AffectCurve

CLOSEST_SECONDS, WIDEST_SECONDS = 2.0, 5.0
MOST_POINTS = 24
"""Of a long film the points lie further apart, so that there are about this many at most."""
BEND = 0.04
"""A turn counts if a straight line would miss it by this much, of the 2 that valence and arousal can move."""


def choose_points(curve: AffectCurve) -> list[float]:
    """Times of the points, in seconds, rising, each that of a row; the first and the last row are among them.

    The row that straight lines between the points so far miss the most becomes the next point, until they miss none by
    `BEND` or those that do are too close to a point; then the widest gaps are filled evenly.
    """
    last = len(curve) - 1
    apart = max(CLOSEST_SECONDS, last / curve.rate_hz / MOST_POINTS) * curve.rate_hz
    rows, points = np.arange(len(curve)), sorted({0, last})
    while True:
        missed = np.max(
            [np.abs(curve.values[:, i] - np.interp(rows, points, curve.values[points, i])) for i in (0, 1)], axis=0
        )
        near = np.abs(rows[:, None] - np.array(points)[None]).min(axis=1) < apart
        missed[near] = 0
        worst = int(np.argmax(missed))
        if missed[worst] < BEND:
            break
        points = sorted([*points, worst])
    widest = max(WIDEST_SECONDS * curve.rate_hz, 2 * apart)
    between = [
        round(left + (right - left) * part / parts)
        for left, right in pairwise(points)
        for parts in [math.ceil((right - left) / widest)]
        for part in range(1, parts)
    ]
    return [row / curve.rate_hz for row in sorted({*points, *between})]
