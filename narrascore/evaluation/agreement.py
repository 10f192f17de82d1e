"""How well a curve agrees with its labels: CCC, PCC and MSE as functions of sums over seconds.

As sums, so that ten thousand resamples of films are one matrix product. The numbers are torchmetrics', by which the
training of the probe takes its validation CCC; a test holds the two together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sums_of(curve: NDArray[np.floating], labels: NDArray[np.floating]) -> Floats:
    """`[6]`: count and sums of x, y, x^2, y^2 and xy over labelled seconds; x is read, y is felt."""
    known = np.isfinite(labels)
    x, y = curve[known].astype(np.float64), labels[known].astype(np.float64)
    return np.array([len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()])


def _moments(sums: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Means of x and y, their variances and covariance, the latter three unbiased."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    degrees = np.maximum(n - 1, 1)
    squares = (xx - x * x / n, yy - y * y / n, xy - x * y / n)
    # what rounding leaves of a constant's variance is none
    xx, yy, xy = (np.where(np.abs(value) < 1e-9 * n, 0, value) / degrees for value in squares)
    return x / n, y / n, xx, yy, xy


def _ccc(sums: Floats) -> Floats:
    """Lin 1989: 2 cov / (var x + var y + (mean x - mean y)^2)."""
    x, y, xx, yy, xy = _moments(sums)
    return _divide(2 * xy, xx + yy + (x - y) ** 2)


def _pcc(sums: Floats) -> Floats:
    _, _, xx, yy, xy = _moments(sums)
    return _divide(xy, np.sqrt(np.maximum(xx * yy, 0)))


def _mse(sums: Floats) -> Floats:
    n, _, _, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return np.asarray((xx - 2 * xy + yy) / n)


def _divide(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


MEASURES = {"CCC": _ccc, "PCC": _pcc, "MSE": _mse}
"""Name -> sums `[..., 6]` -> `[...]`."""
