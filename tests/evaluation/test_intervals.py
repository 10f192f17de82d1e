"""Intervals: seeded, covering, and honest about nothing."""

import math

import numpy as np
import pytest

from narrascore.evaluation.intervals import NOTHING, Estimate, mean_over_pieces, ratio_of_groups, ratio_of_pairs


def test_bootstrap_is_seeded():
    values = np.random.default_rng(0).normal(size=24)
    assert mean_over_pieces(values, seed=3) == mean_over_pieces(values, seed=3)
    assert mean_over_pieces(values, seed=3) != mean_over_pieces(values, seed=4)


def test_interval_of_the_mean_is_close_to_the_normal_one():
    values = np.random.default_rng(1).normal(size=400)
    estimate = mean_over_pieces(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.value == pytest.approx(half, rel=0.1)
    assert estimate.value - estimate.low == pytest.approx(half, rel=0.1)


def test_pieces_without_a_value_do_not_count():
    assert mean_over_pieces([1.0, math.nan, 3.0]).n == 2
    assert mean_over_pieces([math.nan]).n == 0
    assert str(NOTHING) == f"{NOTHING}" == "-"


def test_an_estimate_reads_as_value_and_interval():
    estimate = Estimate(0.5, 0.25, 1.0, 9)
    assert str(estimate) == f"{estimate}" == "0.50 [0.25, 1.00]"
    assert f"{estimate:.3f}" == "0.500 [0.250, 1.000]"


def test_pairs_share_their_luck_so_an_exact_share_has_no_spread():
    reference = np.random.default_rng(2).uniform(0.1, 1, 24)
    ratio = ratio_of_pairs(0.6 * reference, reference)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.6, 0.6, 0.6))
    apart = ratio_of_groups(0.6 * reference, reference)
    assert apart.low < 0.6 < apart.high


def test_a_reference_that_is_not_positive_gives_no_ratio():
    assert ratio_of_pairs([1.0, 2.0], [-1.0, 1.0]).n == 0
    assert ratio_of_groups([1.0, 2.0], [0.0, 0.0]).n == 0
    assert ratio_of_groups([0.0, 0.0], [0.0, 0.0]).value == 1
    with pytest.raises(ValueError, match="same pieces"):
        ratio_of_pairs([1.0], [1.0, 2.0])


def test_above_means_the_whole_interval():
    assert Estimate(0.5, 0.4, 0.6, 9).above(Estimate(0.1, 0.0, 0.3, 9))
    assert not Estimate(0.5, 0.2, 0.6, 9).above(Estimate(0.1, 0.0, 0.3, 9))
    assert not NOTHING.above(NOTHING)
