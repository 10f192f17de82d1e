"""Distances between two sets of music, as pure functions over features `[n, D]`, one row a clip.

    Fréchet distance (Heusel et al. 2017; FAD after Kilgour et al. 2019 when the features are of sound)
    the same without its bias in n (Chong and Forsyth 2020)
    kernel distance, KAD (Chung et al. 2025)
    density and coverage (Naeem et al. 2020)
    Kullback-Leibler divergence of class logits, and similarity of paired features

What the numbers mean depends on whose features they are: a distance has no name without its embedder's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]

NEIGHBOURS = 5
"""Naeem et al.'s k."""
KERNEL_SCALE = 100.0
"""Chung et al. print their distance times this."""
EXTRAPOLATION_SIZES = 15
SMALLEST_SHARE = 0.25
"""Of the clips, in the smallest set that the extrapolation looks at."""


def frechet_distance(features: Features, reference: Features) -> float:
    """|m - m'|^2 + tr(S + S' - 2 (S S')^1/2), the squared Wasserstein distance of two Gaussians.

    With S = A'A and S' = B'B the last trace is the sum of the singular values of A B', so no root of a matrix is taken
    and rank-deficient covariances, which fewer clips than dimensions give, do no harm.

    Args:
        features, reference: `[n, D]` and `[m, D]`, n and m at least 2.

    Raises:
        ValueError: if the shapes do not fit or a set is too small for a covariance.
    """
    _check_sets(features, reference, least=2)
    spread, spread_reference = _spread(features), _spread(reference)
    mean = np.square(features.mean(axis=0) - reference.mean(axis=0)).sum()
    traces = np.square(spread).sum() + np.square(spread_reference).sum()
    common = np.linalg.svd(spread @ spread_reference.T, compute_uv=False).sum()
    return max(0.0, float(mean + traces - 2 * common))


def frechet_infinity(features: Features, reference: Features, seed: int = 0) -> float:
    """The Fréchet distance that infinitely many clips would have: a line in 1/n, read off at 0.

    Only the first set is extrapolated; the reference stays as large as it is. May fall below zero by chance.

    Args:
        features: `[n, D]`, n at least 8, or the line has too few points to hold on to.
        reference: `[m, D]`.
        seed: of the subsets, which are drawn without replacement.
    """
    _check_sets(features, reference, least=8)
    rng = np.random.default_rng(seed)
    sizes = np.unique(np.linspace(max(2, SMALLEST_SHARE * len(features)), len(features), EXTRAPOLATION_SIZES).round())
    subsets = [rng.permutation(len(features))[: int(size)] for size in sizes]
    distances = [frechet_distance(features[subset], reference) for subset in subsets]
    _, at_infinity = np.polyfit(1 / sizes, distances, deg=1)
    return float(at_infinity)


def kernel_distance(features: Features, reference: Features, bandwidth: float | None = None) -> float:
    """Unbiased squared maximum mean discrepancy under a Gaussian kernel, times 100 (KAD).

    Being unbiased, it is about 0 for two sets of one kind whatever their size, and may be slightly negative.

    Args:
        features, reference: `[n, D]` and `[m, D]`, n and m at least 2.
        bandwidth: of the kernel; the median distance between two clips of the reference by default.
    """
    _check_sets(features, reference, least=2)
    own, others = _squared_distances(reference, reference), _squared_distances(features, features)
    if bandwidth is None:
        bandwidth = median_distance(reference)
    if bandwidth <= 0:
        return float("nan")  # more than half of the reference is one and the same clip
    within = [(_kernel(d, bandwidth).sum() - len(d)) / (len(d) * (len(d) - 1)) for d in (own, others)]
    between = _kernel(_squared_distances(features, reference), bandwidth).mean()
    return float(KERNEL_SCALE * (sum(within) - 2 * between))


def median_distance(reference: Features) -> float:
    """The median distance between two different clips of the reference."""
    return float(np.median(np.sqrt(_squared_distances(reference, reference)[np.triu_indices(len(reference), 1)])))


def density_coverage(features: Features, reference: Features, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """How tightly the clips lie among the reference, and how much of the reference they reach.

    Around each clip of the reference lies a ball that ends at its k-th neighbour within the reference. Density counts
    the balls that a clip lies in, over k, and is 1 on average for two sets of one kind; coverage is the share of balls
    with a clip in them.

    Args:
        features, reference: `[n, D]` and `[m, D]`, m more than `neighbours`.
    """
    _check_sets(features, reference, least=1)
    if len(reference) <= neighbours:
        raise ValueError(f"the reference must have more clips than neighbours: got {len(reference)} and {neighbours}")
    # a row's own distance, which is 0, comes first in its sorted row, so place k holds the k-th neighbour
    radii = np.sort(_squared_distances(reference, reference), axis=1)[:, neighbours]
    inside = _squared_distances(features, reference) < radii
    return float(inside.sum(axis=1).mean() / neighbours), float(inside.any(axis=0).mean())


def class_divergence(logits: Features, reference: Features) -> Features:
    """KL(reference || music) between the softmax of paired class logits `[n, D]`; one value a pair, `[n]`, in nats."""
    _check_pairs(logits, reference)
    log_music, log_reference = _log_softmax(logits), _log_softmax(reference)
    divergence: Features = (np.exp(log_reference) * (log_reference - log_music)).sum(axis=1)
    return divergence


def paired_similarity(features: Features, others: Features) -> Features:
    """Cosine of paired features `[n, D]`, of sound and picture for instance; one value a pair, `[n]`."""
    _check_pairs(features, others)
    norms = np.linalg.norm(features, axis=1) * np.linalg.norm(others, axis=1)
    similarity: Features = np.full(len(norms), np.nan)
    np.divide((features * others).sum(axis=1), norms, out=similarity, where=norms > 0)
    return similarity


def _spread(features: Features) -> Features:
    """A with A'A = the covariance: `[min(n, D), D]`, so that the products below stay small."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else np.asarray(centred)


def _squared_distances(one: Features, other: Features) -> Features:
    """`[n, m]`; what rounding makes negative is 0, and so is a clip's distance from itself."""
    squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * one @ other.T
    if one is other:
        np.fill_diagonal(squares, 0)
    return np.asarray(np.maximum(squares, 0))


def _kernel(squared: Features, bandwidth: float) -> Features:
    return np.asarray(np.exp(-squared / (2 * bandwidth**2)))


def _log_softmax(logits: Features) -> Features:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _check_sets(features: Features, reference: Features, least: int) -> None:
    if features.ndim != 2 or reference.ndim != 2 or features.shape[1] != reference.shape[1]:
        raise ValueError(f"two sets must be [n, D] and [m, D] of one D: got {features.shape} and {reference.shape}")
    if min(len(features), len(reference)) < least:
        raise ValueError(f"each set must have at least {least} clips: got {len(features)} and {len(reference)}")


def _check_pairs(one: Features, other: Features) -> None:
    if one.ndim != 2 or one.shape != other.shape:
        raise ValueError(f"pairs must be two [n, D] of one shape: got {one.shape} and {other.shape}")
