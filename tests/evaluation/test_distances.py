"""Distances: equal to closed forms and to straightforward slow versions of their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from narrascore.evaluation.distances import (
    class_divergence,
    density_coverage,
    frechet_distance,
    frechet_infinity,
    kernel_distance,
    median_distance,
    paired_similarity,
)


def sample(n: int, dimension: int, *, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return shift + scale * np.random.default_rng(seed).normal(size=(n, dimension))


def with_moments(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`[n, D]` whose mean and covariance are exactly these."""
    white = sample(n, len(mean), seed=seed)
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white.T))).T
    return mean + white @ np.linalg.cholesky(covariance).T


def frechet_by_eigenvalues(one: np.ndarray, other: np.ndarray) -> float:
    """The definition, the root's trace taken from the eigenvalues of the product."""
    s, t = np.cov(one.T), np.cov(other.T)
    root = np.sqrt(np.linalg.eigvals(s @ t).astype(complex)).real.sum()
    return float(np.square(one.mean(axis=0) - other.mean(axis=0)).sum() + np.trace(s) + np.trace(t) - 2 * root)


class Identity(torch.nn.Module):
    """Features that are given as they are."""

    num_features = 12

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def test_frechet_of_gaussians_is_the_closed_form():
    """Diagonal covariances: |m - m'|^2 + sum (s - s')^2."""
    s, t = np.array([1.0, 4.0, 0.25]), np.array([2.25, 1.0, 0.25])
    mean = np.array([0.5, -1.0, 2.0])
    one = with_moments(mean, np.diag(s), 200, seed=0)
    other = with_moments(np.zeros(3), np.diag(t), 300, seed=1)
    wanted = (mean**2).sum() + np.square(np.sqrt(s) - np.sqrt(t)).sum()
    assert frechet_distance(one, other) == pytest.approx(wanted, rel=1e-9)


def test_frechet_equals_eigenvalues_and_torchmetrics_to_six_digits():
    mixing = sample(12, 12, seed=2)
    one, other = sample(90, 12, seed=3) @ mixing, sample(70, 12, seed=4, shift=0.3)
    value = frechet_distance(one, other)
    assert value == pytest.approx(frechet_by_eigenvalues(one, other), rel=1e-6)
    metric = FrechetInceptionDistance(feature=Identity(), normalize=True).set_dtype(torch.float64)
    metric.update(torch.from_numpy(other), real=True)
    metric.update(torch.from_numpy(one), real=False)
    assert value == pytest.approx(float(metric.compute()), rel=1e-6)


def test_frechet_of_a_set_with_itself_is_zero_even_with_fewer_clips_than_dimensions():
    few = sample(10, 64, seed=5)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-10)
    with pytest.raises(ValueError, match="at least 2 clips"):
        frechet_distance(few[:1], few)
    with pytest.raises(ValueError, match="of one D"):
        frechet_distance(few, few[:, :3])


def test_frechet_infinity_takes_away_most_of_the_bias():
    """Against a reference so large that its own bias is small, two samples of one Gaussian come close to 0."""
    reference, music = sample(6000, 16, seed=6), sample(300, 16, seed=7)
    biased, corrected = frechet_distance(music, reference), frechet_infinity(music, reference)
    assert biased > 0.3
    assert abs(corrected) < 0.35 * biased


def test_kernel_distance_is_its_definition():
    one, other = sample(7, 3, seed=8), sample(6, 3, seed=9, shift=0.5)
    pairs = [np.linalg.norm(other[i] - other[j]) for i in range(6) for j in range(i)]
    bandwidth = float(np.median(pairs))
    assert median_distance(other) == pytest.approx(bandwidth)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-float(np.square(a - b).sum()) / (2 * bandwidth**2))

    within = np.mean([kernel(one[i], one[j]) for i in range(7) for j in range(7) if i != j])
    within += np.mean([kernel(other[i], other[j]) for i in range(6) for j in range(6) if i != j])
    between = np.mean([kernel(a, b) for a in one for b in other])
    assert kernel_distance(one, other) == pytest.approx(100 * (within - 2 * between))


def test_kernel_distance_has_no_bias_where_the_frechet_distance_has():
    draws = [
        (kernel_distance(one, other), frechet_distance(one, other))
        for seed in range(30)
        for one, other in [(sample(20, 16, seed=2 * seed), sample(20, 16, seed=2 * seed + 1))]
    ]
    kernel, frechet = np.array(draws).T
    assert abs(kernel.mean()) < 3 * kernel.std() / math.sqrt(30)
    assert frechet.min() > 1


def test_density_and_coverage_are_their_definition():
    music, reference, k = sample(40, 3, seed=10, scale=1.2), sample(30, 3, seed=11), 4
    radii = [sorted(np.linalg.norm(reference - y, axis=1))[k] for y in reference]
    held = [[np.linalg.norm(x - y) < radius for y, radius in zip(reference, radii, strict=True)] for x in music]
    density = sum(map(sum, held)) / (k * len(music))
    coverage = sum(any(row[i] for row in held) for i in range(len(reference))) / len(reference)
    assert density_coverage(music, reference, k) == (pytest.approx(density), pytest.approx(coverage))
    with pytest.raises(ValueError, match="more clips than neighbours"):
        density_coverage(music, reference[:4], k)


def test_one_good_clip_over_and_over_is_dense_and_covers_little():
    reference = sample(60, 4, seed=12)
    middle = reference[np.linalg.norm(reference, axis=1).argmin()]
    density, coverage = density_coverage(np.tile(middle, (50, 1)), reference)
    full = density_coverage(sample(60, 4, seed=13), reference)
    assert density > 1.5 * full[0]
    assert coverage < 0.5 * full[1]


def test_every_distance_grows_with_the_shift():
    reference = sample(120, 8, seed=14)
    shifted = [sample(120, 8, seed=15, shift=shift) for shift in (0.0, 0.5, 1.0, 2.0)]
    frechet = [frechet_distance(music, reference) for music in shifted]
    kernel = [kernel_distance(music, reference) for music in shifted]
    coverage = [density_coverage(music, reference)[1] for music in shifted]
    assert frechet == sorted(frechet) and kernel == sorted(kernel) and coverage == sorted(coverage, reverse=True)
    assert frechet[2] - frechet[1] == pytest.approx(8 * (1 - 0.25), rel=0.35)


def test_divergence_by_hand():
    """Reference (1/2, 1/4, 1/4) under music (1/4, 1/4, 1/2): 1/2 ln 2 + 0 - 1/4 ln 2."""
    music, reference = np.log([[1.0, 1.0, 2.0]]), np.log([[4.0, 2.0, 2.0]])
    assert class_divergence(music, reference) == pytest.approx([0.25 * math.log(2)])
    assert class_divergence(music, music + 7.0) == pytest.approx([0.0])
    extreme = np.array([[900.0, -900.0]])
    assert class_divergence(-extreme, extreme) == pytest.approx([1800.0])


def test_similarity_is_the_cosine_and_nothing_for_a_zero():
    one = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]])
    other = np.array([[6.0, 8.0], [0.0, 2.0], [1.0, 1.0]])
    values = paired_similarity(one, other)
    assert values[:2] == pytest.approx([1.0, 0.0]) and math.isnan(values[2])
    with pytest.raises(ValueError, match="of one shape"):
        paired_similarity(one, other[:2])
