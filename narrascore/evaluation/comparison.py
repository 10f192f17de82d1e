"""Systems as folders of generated music, beside a reference: every number with what it takes to read it.

A Fréchet distance depends on the embedder, on the number of clips and on chance, so each cell carries its backend, n,
sample rate, window and interval, and the table has a row of the reference against itself. What cannot be measured here
is a dash with the command that would fill it; nothing stands in for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import InputError, ModelUnavailableError
from narrascore.evaluation.distances import (
    NEIGHBOURS,
    Features,
    class_divergence,
    density_coverage,
    frechet_distance,
    frechet_infinity,
    kernel_distance,
    paired_similarity,
)
from narrascore.evaluation.embedders import Embedder
from narrascore.evaluation.feature_store import FeatureSet, Progress
from narrascore.evaluation.intervals import Estimate, mean_over_pieces
from narrascore.evaluation.measurements import REFERENCE as REFERENCE
from narrascore.evaluation.measurements import ComparisonReport as ComparisonReport
from narrascore.evaluation.measurements import Measurement as Measurement
from narrascore.evaluation.measurements import Missing as Missing

DRAWS = 100
HALVINGS = 20


class SetMetric(NamedTuple):
    """A metric of two sets `[n, D]` and `[m, D]`, how many clips both must have, and its lowest and highest value."""

    measure: Callable[[Features, Features], float]
    least: int
    lowest: float = -math.inf
    highest: float = math.inf


SETS = {
    "FD": SetMetric(frechet_distance, 2, lowest=0),
    "FD-infinity": SetMetric(frechet_infinity, 8),
    "KAD": SetMetric(kernel_distance, 2),
    "density": SetMetric(lambda music, reference: density_coverage(music, reference)[0], NEIGHBOURS + 1, lowest=0),
    "coverage": SetMetric(lambda music, reference: density_coverage(music, reference)[1], NEIGHBOURS + 1, 0, 1),
}
"""Metrics between two sets."""
PAIRS = {"logits": ("KLD", class_divergence), "paired": ("similarity", paired_similarity)}
"""Metrics of pairs of clips, by the kind of features."""


def compare_systems(
    systems: Mapping[str, Path],
    reference: Path,
    embedders: Sequence[Embedder],
    cache: Path,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    commands: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> ComparisonReport:
    """Measure folders of generated music against a folder of real music.

    Args:
        systems: name -> folder, one file a piece; files of one name in several folders answer the same film.
        reference: the music that those films have.
        embedders: whose features are compared.
        cache: of features; may be shared between comparisons.
        seed: of resampling, halving and extrapolation.
        draws: of the bootstrap.
        commands: system -> what makes its folder, for the dashes of a system whose folder is not there.
        progress: told what is being heard and counted.

    Raises:
        InputError: if there is no folder of that name for the reference.
    """
    if not reference.is_dir():
        raise InputError(f"{reference}: no such folder; give the one with the music to compare with")
    cells: list[Measurement] = []
    for embedder in embedders:
        truth = _read(embedder.reference, embedder, reference, reference, cache, progress)
        for system, folder in {REFERENCE: reference, **systems}.items():
            if isinstance(truth, Missing):
                command = embedder.command(folder, reference) if truth.command else ""
                cells += _missing(embedder, system, Missing(truth.why, command))
                continue
            if not folder.is_dir():
                cells += _missing(
                    embedder, system, Missing(f"{folder}: no such folder", (commands or {}).get(system, ""))
                )
                continue
            heard = system == REFERENCE and embedder.kind != "paired"
            music = truth if heard else _read(embedder.features, embedder, folder, reference, cache, progress)
            if isinstance(music, Missing):
                cells += _missing(embedder, system, music)
                continue
            if music.values.shape[1] != truth.values.shape[1]:
                widths = f"{music.values.shape[1]} and {truth.values.shape[1]}"
                cells += _missing(embedder, system, Missing(f"features of two networks: {widths} wide"))
                continue
            if progress is not None:
                progress(f"{embedder.name}: measuring {system}")
            if embedder.kind == "embedding":
                cells += _measure_sets(embedder, system, music, truth, seed, draws)
            else:
                cells.append(_measure_pairs(embedder, system, music, truth, seed))
    order = {system: place for place, system in enumerate((REFERENCE, *systems))}
    return ComparisonReport(tuple(sorted(cells, key=lambda cell: order[cell.system])))


def _read(
    read: Callable[[Path, Path, Progress | None], FeatureSet],
    embedder: Embedder,
    folder: Path,
    reference: Path,
    cache: Path,
    progress: Progress | None,
) -> FeatureSet | Missing:
    """Features, or why there are none."""
    try:
        return read(folder, cache, progress)
    except ModelUnavailableError as error:
        command = embedder.command(folder, reference)
        return Missing(str(error).partition("; ")[0], command)  # the rest is the way out, which the command is already
    except InputError as error:
        return Missing(str(error))


def _measure_sets(
    embedder: Embedder, system: str, music: FeatureSet, truth: FeatureSet, seed: int, draws: int
) -> list[Measurement]:
    cells = []
    for name, metric in SETS.items():
        result: Estimate | Missing
        reference_n = len(truth.values)
        if system == REFERENCE:
            result = _floor(metric, truth, seed)
            reference_n -= result.n if isinstance(result, Estimate) else 0
        elif min(len(music.values), len(truth.values)) < metric.least:
            result = Missing(f"{metric.least} clips a side are needed: got {len(music.values)} and {len(truth.values)}")
        else:
            result = _with_interval(metric, music, truth, seed, draws)
        cells.append(_cell(embedder, system, name, result, reference_n, music.values.shape[1]))
    return cells


def _with_interval(metric: SetMetric, music: FeatureSet, truth: FeatureSet, seed: int, draws: int) -> Estimate:
    """The value, and the spread of the bootstrap around it.

    Draws with replacement hold clips twice, which by itself moves every one of these metrics, so what is taken
    from them is how far they scatter about their own mean, not where they lie.
    """
    value, rng = metric.measure(music.values, truth.values), np.random.default_rng(seed)
    ours, theirs = music.rows_of(), truth.rows_of()
    if min(len(ours), len(theirs)) < 2:
        return Estimate(value, math.nan, math.nan, len(music.values))
    drawn = []
    for _ in range(draws):
        one, other = music.values[_resampled(ours, rng)], truth.values[_resampled(theirs, rng)]
        if min(len(one), len(other)) >= metric.least:
            drawn.append(metric.measure(one, other))
    known = np.array([draw for draw in drawn if math.isfinite(draw)])
    if len(known) < 2:
        return Estimate(value, math.nan, math.nan, len(music.values))
    ends = np.clip(value + np.percentile(known - known.mean(), (2.5, 97.5)), metric.lowest, metric.highest)
    return Estimate(value, float(ends[0]), float(ends[1]), len(music.values))


def _floor(metric: SetMetric, truth: FeatureSet, seed: int) -> Estimate | Missing:
    """The metric between random halves of the reference: the mean of the halvings, and where 95 % of them lie."""
    pieces, rng = truth.rows_of(), np.random.default_rng(seed)
    if len(pieces) < 2 or len(truth.values) < 2 * metric.least:
        have = f"{len(truth.values)} clips of {len(pieces)} pieces"
        return Missing(f"halves of {metric.least} clips and of different pieces are needed: got {have}")
    values, sizes = [], []
    for _ in range(HALVINGS):
        order = rng.permutation(len(pieces))
        one, other = (np.concatenate([pieces[i] for i in half]) for half in np.array_split(order, 2))
        if min(len(one), len(other)) >= metric.least:
            values.append(metric.measure(truth.values[one], truth.values[other]))
            sizes.append(len(one))
    if not values:
        return Missing(f"no halving of the pieces leaves {metric.least} clips on both sides")
    low, high = np.percentile(values, (2.5, 97.5))
    return Estimate(float(np.mean(values)), float(low), float(high), round(float(np.mean(sizes))))


def _measure_pairs(embedder: Embedder, system: str, music: FeatureSet, truth: FeatureSet, seed: int) -> Measurement:
    metric, measure = PAIRS[embedder.kind]
    theirs = {clip: row for row, clip in enumerate(truth.clips)}
    both = [(row, theirs[clip]) for row, clip in enumerate(music.clips) if clip in theirs]
    result: Estimate | Missing = Missing("no file has the name of one in the reference, so nothing pairs them")
    if both:
        rows, partners = np.array(both).T
        values = measure(music.values[rows], truth.values[partners])
        names = np.array(music.pieces)[rows]
        result = mean_over_pieces([float(values[names == name].mean()) for name in dict.fromkeys(names)], seed)
    n = result.n if isinstance(result, Estimate) else 0
    return _cell(embedder, system, metric, result, n, music.values.shape[1])


def _missing(embedder: Embedder, system: str, missing: Missing) -> list[Measurement]:
    metrics = list(SETS) if embedder.kind == "embedding" else [PAIRS[embedder.kind][0]]
    return [Measurement(system, metric, embedder.name, missing, 0, 0, 0, embedder.window_seconds) for metric in metrics]


def _cell(
    embedder: Embedder, system: str, metric: str, result: Estimate | Missing, reference_n: int, dimension: int
) -> Measurement:
    return Measurement(
        system, metric, embedder.name, result, reference_n, dimension, embedder.sample_rate_hz, embedder.window_seconds
    )


def _resampled(pieces: Sequence[NDArray[np.int64]], rng: np.random.Generator) -> NDArray[np.int64]:
    return np.concatenate([pieces[i] for i in rng.integers(len(pieces), size=len(pieces))])
