"""Does the music follow the curve? Correlations over time within each piece, beside a floor and a ceiling.

    model          music made under a curve, measured against that curve
    shuffled       the same music, measured against the other pieces' curves
    time-shuffled  the same music, measured against its own curve cut into blocks of 6 s in another order
    gates closed   music made from the sentence alone, measured against the curve
    composer       the rule composer's music under the same curves: what perfect learning would reach

Zero lag is the headline. A correlation forgives a wrong level and a wrong spread; the concordance (CCC) does not, and
is taken after each feature has been brought to the curves' unit by one gain and one offset for all music of all rows. A
feature that stays constant while the curve moves has not followed: it counts as 0 and is never dropped. A constant
curve asks for nothing: such a piece does not count, and n says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrascore.affect import AffectCurve
from narrascore.evaluation.agreement import MEASURES, sums_of
from narrascore.evaluation.curves import EvaluationCurve
from narrascore.evaluation.intervals import NOTHING, Estimate, mean_over_pieces, ratio_of_pairs
from narrascore.evaluation.music import COMPOSER, GATES_CLOSED, MODEL

SHUFFLED, TIME_SHUFFLED = "shuffled", "time-shuffled"
ROWS = (MODEL, SHUFFLED, TIME_SHUFFLED, GATES_CLOSED, COMPOSER)

PAIRS = (
    ("arousal", "loudness"),
    ("arousal", "dynamics"),
    ("arousal", "onsets"),
    ("arousal", "sound onsets"),
    ("arousal", "tempo"),
    ("arousal", "sound tempo"),
    ("arousal", "centroid"),
    ("arousal", "flux"),
    ("arousal", "register"),
    ("arousal", "ruled arousal"),
    ("valence", "mode"),
    ("valence", "sound mode"),
    ("valence", "consonance"),
    ("valence", "sound consonance"),
    ("valence", "register"),
    ("valence", "ruled valence"),
)
"""(dimension of the curve, feature of the music): of its notes, of its sound, and what `agreement` reads."""
RULED = ("ruled valence", "ruled arousal")
"""What a regressor trained on the composer's pieces reads, in the curves' own unit."""
BARS = {
    ("arousal", "loudness"): 0.6,
    ("arousal", "dynamics"): 0.6,
    ("arousal", "onsets"): 0.6,
    ("valence", "mode"): 0.4,
}
"""The least share of the composer's correlation. Loudness has two readings, from the sound and from the notes, and the
bar holds for both."""

MAX_LAG_SECONDS = 4
BLOCK_SECONDS = 6
TIME_SHUFFLES = 16

Pair = tuple[str, str]
Features = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class PieceResult:
    """One feature of one piece in one row; nan where the curve is constant.

    Attributes:
        pearson, spearman: at zero lag.
        ccc: Lin's concordance, the feature in the curve's unit.
        best_lag_seconds, best_lag_pearson: the lag of 0 to 4 s at which the music follows best. It is picked on the
            measured data, so it flatters every row, the shuffled ones too; None where curves are averaged over.
        step: mean of the feature over the curve's high half less its mean over the low half; step curves only.
    """

    piece: str
    style: str
    row: str
    pair: Pair
    pearson: float
    spearman: float
    ccc: float
    best_lag_seconds: int | None = None
    best_lag_pearson: float | None = None
    step: float | None = None


@dataclass(frozen=True)
class Bar:
    """One requirement and whether it is met; None where there is nothing to compare with."""

    pair: Pair
    least_ratio: float
    ratio: Estimate
    reaches_ratio: bool | None
    clear_of_shuffled: bool

    @property
    def passed(self) -> bool | None:
        return None if self.reaches_ratio is None else self.reaches_ratio and self.clear_of_shuffled


@dataclass(frozen=True)
class TrackingReport:
    """Everything measured: the pieces, and the estimates over them."""

    pieces: list[PieceResult]
    seed: int
    rows: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        present = {piece.row for piece in self.pieces}
        object.__setattr__(self, "rows", tuple(row for row in ROWS if row in present))

    def pairs(self) -> list[Pair]:
        """The pairs that were measured, in the order of `PAIRS`."""
        present = {piece.pair for piece in self.pieces}
        return [pair for pair in PAIRS if pair in present]

    def values(self, row: str, pair: Pair, measure: str = "pearson") -> NDArray[np.float64]:
        """One value for each piece, `[n]`, nan where it was not measured."""
        values = [getattr(piece, measure) for piece in self.pieces if (piece.row, piece.pair) == (row, pair)]
        return np.array([math.nan if value is None else value for value in values], dtype=np.float64)

    def estimate(self, row: str, pair: Pair, measure: str = "pearson") -> Estimate:
        """The mean over pieces with its interval."""
        return mean_over_pieces(self.values(row, pair, measure), self.seed)

    def share_right(self, row: str, pair: Pair) -> float:
        """The share of step curves whose step went the right way (up)."""
        steps = self.values(row, pair, "step")
        steps = steps[np.isfinite(steps)]
        return float((steps > 0).mean()) if len(steps) else math.nan

    def ratio(self, pair: Pair, row: str = MODEL) -> Estimate:
        """The row's mean correlation as a share of the composer's on the same curves."""
        if COMPOSER not in self.rows or row not in self.rows:
            return NOTHING
        return ratio_of_pairs(self.values(row, pair), self.values(COMPOSER, pair), self.seed)

    def bars(self) -> list[Bar]:
        """Each requirement of `BARS` that could be measured."""
        bars = []
        for pair in self.pairs():
            if pair in BARS:
                ratio = self.ratio(pair)
                reached = ratio.value >= BARS[pair] if math.isfinite(ratio.value) else None
                model = self.estimate(MODEL, pair)
                clear = all(model.above(self.estimate(row, pair)) for row in (SHUFFLED, TIME_SHUFFLED))
                bars.append(Bar(pair, BARS[pair], ratio, reached, clear))
        return bars


def measure_tracking(
    features: Mapping[str, Sequence[Features]], curves: Sequence[EvaluationCurve], seed: int = 0
) -> TrackingReport:
    """Correlate every row's features with the curves they were asked to follow.

    Args:
        features: for each row with music of its own, `read_features` of each piece in the order of the curves.
        curves: the curves.
        seed: of the time-shuffles and the bootstrap.
    """
    results = []
    everything = [(asked.curve, piece) for row in features.values() for asked, piece in zip(curves, row, strict=True)]
    scales = {pair: scale_of(pair, everything) for pair in PAIRS}
    for row, pieces in features.items():
        for index, (asked, piece) in enumerate(zip(curves, pieces, strict=True)):
            for pair in PAIRS:
                if pair[1] in piece:
                    gain, offset = scales[pair]
                    played = gain * piece[pair[1]] + offset
                    results.append(_against_its_curve(row, pair, asked, played, gain))
                    if row == MODEL:
                        others = [other.curve for other in (*curves[:index], *curves[index + 1 :])]
                        rng = np.random.default_rng([seed, index])
                        blocks = [shuffle_in_time(asked.curve, rng) for _ in range(TIME_SHUFFLES)]
                        results.append(_against_wrong_curves(SHUFFLED, pair, asked, played, others))
                        results.append(_against_wrong_curves(TIME_SHUFFLED, pair, asked, played, blocks))
    return TrackingReport(results, seed)


def pearson(asked: ArrayLike, played: ArrayLike) -> float:
    """Pearson's r of two sequences `[F]`: 0 if `played` is constant, nan if `asked` is.

    Raises:
        ValueError: if the two are not of one length.
    """
    wanted, given = np.asarray(asked, dtype=np.float64), np.asarray(played, dtype=np.float64)
    if wanted.shape != given.shape or wanted.ndim != 1 or len(wanted) < 2:
        raise ValueError(f"two sequences of one length >= 2 are correlated: got {wanted.shape} and {given.shape}")
    if _constant(wanted):
        return math.nan
    if _constant(given):
        return 0.0
    wanted, given = wanted - wanted.mean(), given - given.mean()
    return float(np.clip(wanted @ given / np.sqrt((wanted @ wanted) * (given @ given)), -1, 1))


def spearman(asked: ArrayLike, played: ArrayLike) -> float:
    """Spearman's rho: Pearson's r of the ranks, ties sharing their mean rank; constants as in `pearson`."""
    return pearson(_ranks(asked), _ranks(played))


def concordance(asked: ArrayLike, played: ArrayLike) -> float:
    """Lin's concordance of two sequences `[F]` in one unit: 0 if `played` is constant, nan if `asked` is."""
    wanted = np.asarray(asked, dtype=np.float64)
    return math.nan if _constant(wanted) else float(MEASURES["CCC"](sums_of(np.asarray(played), wanted)))


def scale_of(pair: Pair, music: Sequence[tuple[AffectCurve, Features]]) -> tuple[float, float]:
    """Gain and offset that give a feature, over all music that is compared, the mean and spread of its curves.

    Of what is in the curves' unit already they are 1 and 0.
    """
    dimension, name = pair
    known = [(dimension_of(curve, dimension), piece[name]) for curve, piece in music if name in piece]
    if name in RULED or not known:
        return 1.0, 0.0
    asked, played = (np.concatenate(side) for side in zip(*known, strict=True))
    gain = 1.0 if _constant(played) else float(asked.std() / played.std())
    return gain, float(asked.mean() - gain * played.mean())


def best_lag(asked: ArrayLike, played: ArrayLike, max_lag_seconds: int = MAX_LAG_SECONDS) -> tuple[int, float]:
    """The lag at which the music follows best, and Pearson's r there; both sequences at 1 Hz.

    Lag L compares the curve at f seconds with the music at f + L.
    """
    wanted, given = np.asarray(asked), np.asarray(played)
    found = [pearson(wanted[: len(wanted) - lag], given[lag:]) for lag in range(max_lag_seconds + 1)]
    if np.isnan(found).all():
        return 0, math.nan
    lag = int(np.nanargmax(found))
    return lag, found[lag]


def step_response(asked: ArrayLike, played: ArrayLike) -> float:
    """Mean of `played` where `asked` is above the middle of its range, less its mean elsewhere; in its own unit."""
    wanted, given = np.asarray(asked, dtype=np.float64), np.asarray(played, dtype=np.float64)
    if _constant(wanted):
        return math.nan
    high = wanted > (wanted.min() + wanted.max()) / 2
    return float(given[high].mean() - given[~high].mean())


def shuffle_in_time(curve: AffectCurve, rng: np.random.Generator) -> AffectCurve:
    """The curve cut into blocks of 6 s in another order: as smooth within a block, its course destroyed."""
    cuts = range(BLOCK_SECONDS, len(curve), BLOCK_SECONDS)
    blocks = np.split(curve.values, list(cuts))
    order = rng.permutation(len(blocks))
    return AffectCurve(np.concatenate([blocks[i] for i in order]), curve.rate_hz)


def _against_its_curve(
    row: str, pair: Pair, asked: EvaluationCurve, played: NDArray[np.float64], gain: float
) -> PieceResult:
    wanted, given = together(asked.curve, pair[0], played)
    lag, lagged = best_lag(wanted, given)
    stepped = asked.shapes[0 if pair[0] == "valence" else 1] == "steps"
    step = step_response(wanted, given) / gain if stepped else None  # in the feature's own unit again
    at_once, by_rank, level = pearson(wanted, given), spearman(wanted, given), concordance(wanted, given)
    return PieceResult(asked.name, asked.style, row, pair, at_once, by_rank, level, lag, lagged, step)


def _against_wrong_curves(
    row: str, pair: Pair, asked: EvaluationCurve, played: NDArray[np.float64], wrong: Sequence[AffectCurve]
) -> PieceResult:
    """The mean over several wrong curves: less noise than drawing one of them."""

    def mean(correlate: Callable[[ArrayLike, ArrayLike], float]) -> float:
        found = np.array([correlate(*together(curve, pair[0], played)) for curve in wrong])
        return float(np.nanmean(found)) if np.isfinite(found).any() else math.nan

    return PieceResult(asked.name, asked.style, row, pair, mean(pearson), mean(spearman), mean(concordance))


def together(
    curve: AffectCurve, dimension: str, played: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curve's dimension and the feature over the seconds that both have."""
    rows = min(len(curve), len(played))
    return dimension_of(curve, dimension)[:rows], played[:rows]


def dimension_of(curve: AffectCurve, dimension: str) -> NDArray[np.float64]:
    """The curve's `valence` or `arousal`, `[F]`."""
    return (curve.valence if dimension == "valence" else curve.arousal).astype(np.float64)


def _constant(values: NDArray[np.float64]) -> bool:
    """Constant but for rounding."""
    low, high = values.min(), values.max()
    return bool(high - low <= 1e-9 * max(1.0, abs(low), abs(high)))


def _ranks(values: ArrayLike) -> NDArray[np.float64]:
    known = np.asarray(values, dtype=np.float64)
    ordered = np.sort(known)
    return (np.searchsorted(ordered, known, "left") + np.searchsorted(ordered, known, "right") + 1) / 2
