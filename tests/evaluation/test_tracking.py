"""Tracking: what follows counts as 1, what does not as 0, and nothing is dropped."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascore.affect import AffectCurve
from narrascore.evaluation.curves import evaluation_curves
from narrascore.evaluation.tracking import (
    BARS,
    PAIRS,
    SHUFFLED,
    TIME_SHUFFLED,
    best_lag,
    measure_tracking,
    pearson,
    shuffle_in_time,
    spearman,
    step_response,
)

stats = pytest.importorskip("scipy.stats")  # comes with muspy

CURVES = evaluation_curves(24)


def obedient(asked):
    """Features that are the curve itself in other units."""
    arousal, valence = asked.curve.arousal.astype(float), asked.curve.valence.astype(float)
    return {"loudness": -30 + 12 * arousal, "dynamics": 8 + 7 * arousal, "onsets": 5 + 4 * arousal,
            "tempo": 100 + 60 * arousal, "mode": valence, "register": 60 + 3 * valence}  # fmt: skip


def deaf(index, asked):
    """Features that wander on their own, as slowly as a curve does."""
    other = evaluation_curves(24, seed=99)[index].curve.resample(1.0, asked.duration_seconds)
    return {"onsets": other.arousal.astype(float), "mode": other.valence.astype(float)}


def stuck(asked):
    return {"onsets": np.full(asked.duration_seconds, 3.0), "mode": np.full(asked.duration_seconds, 0.1)}


def test_perfect_tracking_is_one_and_shuffled_curves_are_near_zero():
    report = measure_tracking({"model": [obedient(asked) for asked in CURVES]}, CURVES)
    for pair in BARS:
        assert report.estimate("model", pair).value == pytest.approx(1)
        for row in (SHUFFLED, TIME_SHUFFLED):
            wrong = report.estimate(row, pair)
            assert wrong.n == 24
            assert abs(wrong.value) < 0.1
            assert wrong.low < 0.03 and wrong.high > -0.03


def test_bars_pass_for_the_obedient_and_fail_for_the_deaf():
    ceiling = [obedient(asked) for asked in CURVES]
    good = measure_tracking({"model": ceiling, "composer": ceiling}, CURVES)
    assert [bar.pair for bar in good.bars()] == list(BARS)
    assert all(bar.passed for bar in good.bars())
    assert all(bar.ratio.low == bar.ratio.value == 1 for bar in good.bars())

    wandering = [deaf(i, asked) for i, asked in enumerate(CURVES)]
    same = [{name: piece[name] for name in ("onsets", "mode")} for piece in ceiling]
    bad = measure_tracking({"model": wandering, "composer": same}, CURVES)
    assert [bar.passed for bar in bad.bars()] == [False, False]
    assert all(abs(bar.ratio.value) < 0.3 for bar in bad.bars())


def test_without_a_composer_no_verdict_is_given():
    report = measure_tracking({"model": [obedient(asked) for asked in CURVES]}, CURVES)
    assert [bar.passed for bar in report.bars()] == [None] * len(BARS)
    assert report.rows == ("model", SHUFFLED, TIME_SHUFFLED)


def test_half_the_pieces_following_is_half_the_correlation():
    features = [obedient(asked) if i % 2 else stuck(asked) for i, asked in enumerate(CURVES)]
    report = measure_tracking({"model": features}, CURVES)
    onsets = report.estimate("model", ("arousal", "onsets"))
    assert onsets.value == pytest.approx(0.5) and onsets.n == 24


def test_constant_feature_is_zero_and_constant_curve_does_not_count():
    moving, still = np.linspace(-1, 1, 50), np.full(50, 0.3)
    assert pearson(moving, still) == spearman(moving, still) == 0
    assert math.isnan(pearson(still, moving)) and math.isnan(step_response(still, moving))
    assert pearson(moving, still + 1e-12 * np.arange(50)) == 0  # rounding is no movement


def test_report_is_the_same_again():
    features = {"model": [obedient(asked) for asked in CURVES[:5]]}
    assert measure_tracking(features, CURVES[:5], 7) == measure_tracking(features, CURVES[:5], 7)


def test_best_lag_finds_a_delay_and_zero_lag_pays_for_it():
    asked = CURVES[3].curve.arousal.astype(float)
    late = np.concatenate([np.full(3, asked[0]), asked[:-3]])
    lag, found = best_lag(asked, late)
    assert lag == 3 and found == pytest.approx(1)
    assert pearson(asked, late) < 0.999


def test_step_response_is_the_difference_of_the_halves():
    asked = np.array([-0.5, -0.5, 0.5, 0.5])
    assert step_response(asked, [1, 2, 8, 9]) == pytest.approx(7)
    report = measure_tracking({"model": [obedient(asked) for asked in CURVES]}, CURVES)
    stepped = sum(asked.shapes[1] == "steps" for asked in CURVES)
    assert report.estimate("model", ("arousal", "onsets"), "step").n == stepped > 0
    assert report.share_right("model", ("arousal", "onsets")) == 1


def test_shuffling_in_time_keeps_the_values_and_six_second_blocks():
    curve = AffectCurve(np.linspace([-1, 1], [1, -1], 50))
    mixed = shuffle_in_time(curve, np.random.default_rng(0))
    assert sorted(mixed.arousal.tolist()) == sorted(curve.arousal.tolist())
    steps = np.abs(np.diff(mixed.arousal))
    assert (steps < 0.05).sum() >= 50 - 1 - 8


def test_every_bar_is_about_a_measured_pair():
    assert set(BARS) <= set(PAIRS)


sequences = st.lists(st.integers(-5, 5), min_size=3, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_correlations_equal_scipys(data):
    one = data.draw(sequences)
    other = data.draw(st.lists(st.integers(-5, 5), min_size=len(one), max_size=len(one)))
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert pearson(one, other) == pytest.approx(stats.pearsonr(one, other)[0], abs=1e-9)
        assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other)[0], abs=1e-9)
