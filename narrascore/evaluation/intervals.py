"""Means and ratios over pieces, with 95 % bootstrap intervals (Efron and Tibshirani 1993, percentile form)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000


@dataclass(frozen=True)
class Estimate:
    """A value over `n` pieces and the ends of its 95 % interval; nan where nothing could be measured."""

    value: float
    low: float
    high: float
    n: int

    def __format__(self, digits: str) -> str:
        """Value and interval, each in the format of a float (by default `.2f`); a dash for nothing."""
        if not math.isfinite(self.value):
            return "-"
        value, low, high = (format(number, digits or ".2f") for number in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"

    def __str__(self) -> str:
        return format(self)

    def above(self, other: Estimate) -> bool:
        """Whether the whole interval lies above the whole of the other's."""
        return self.low > other.high


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def mean_over_pieces(values: Sequence[float] | NDArray[np.float64], seed: int = 0) -> Estimate:
    """The mean of one value per piece; pieces resampled with replacement. Pieces that are nan do not count."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return NOTHING
    means = _resamples(len(known), seed) @ known
    return Estimate(float(known.mean()), *_ends(means), len(known))


def ratio_of_pairs(
    values: Sequence[float] | NDArray[np.float64], references: Sequence[float] | NDArray[np.float64], seed: int = 0
) -> Estimate:
    """Ratio of two means over the same pieces, resampled as pairs; nothing if the reference's mean is not positive.

    Raises:
        ValueError: if the two are not of one length.
    """
    top, bottom = np.asarray(values, dtype=np.float64), np.asarray(references, dtype=np.float64)
    if top.shape != bottom.shape:
        raise ValueError(f"a paired ratio needs the same pieces on both sides: got {len(top)} and {len(bottom)}")
    both = np.isfinite(top) & np.isfinite(bottom)
    top, bottom = top[both], bottom[both]
    if len(top) == 0 or bottom.mean() <= 0:
        return NOTHING
    weights = _resamples(len(top), seed)
    return Estimate(float(top.mean() / bottom.mean()), *_ratio_ends(weights @ top, weights @ bottom), len(top))


def ratio_of_groups(
    values: Sequence[float] | NDArray[np.float64], references: Sequence[float] | NDArray[np.float64], seed: int = 0
) -> Estimate:
    """Ratio of two means over different pieces, each side resampled by itself.

    Two zeros are in the ratio 1; a value beside a reference of zero is in no ratio.
    """
    top, bottom = np.asarray(values, dtype=np.float64), np.asarray(references, dtype=np.float64)
    top, bottom = top[np.isfinite(top)], bottom[np.isfinite(bottom)]
    if len(top) == 0 or len(bottom) == 0:
        return NOTHING
    if not top.any() and not bottom.any():
        return Estimate(1.0, 1.0, 1.0, len(top))
    if bottom.mean() <= 0:
        return NOTHING
    ends = _ratio_ends(_resamples(len(top), seed) @ top, _resamples(len(bottom), seed + 1) @ bottom)
    return Estimate(float(top.mean() / bottom.mean()), *ends, len(top))


def statistic_of_pieces(
    sums: NDArray[np.float64], statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: int = 0
) -> Estimate:
    """A statistic over all parts of all pieces, such as a correlation over their seconds; pieces resampled whole.

    Args:
        sums: `[n, k]`: for each piece, the k sums over its parts that the statistic is made of.
        statistic: sums `[..., k]` -> `[...]`.
    """
    if len(sums) == 0:
        return NOTHING
    draws = statistic(len(sums) * (_resamples(len(sums), seed) @ sums))
    return Estimate(float(statistic(sums.sum(axis=0))), *_ends(draws), len(sums))


@lru_cache(maxsize=8)
def _resamples(n: int, seed: int) -> NDArray[np.float64]:
    """`[RESAMPLES, n]`: the share of each piece in each draw with replacement, so that draw @ values is its mean."""
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n


def _ends(draws: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def _ratio_ends(tops: NDArray[np.float64], bottoms: NDArray[np.float64]) -> tuple[float, float]:
    """A draw whose reference is not positive has no ratio and counts as unbounded, so it can only widen."""
    ratios = np.divide(tops, bottoms, out=np.full(len(bottoms), math.inf), where=bottoms > 0)
    low, high = np.percentile(ratios, (2.5, 97.5), method="nearest")
    return float(low), float(high)
