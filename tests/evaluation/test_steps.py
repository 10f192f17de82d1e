"""Answers to jumps: a feature that is the curve's delayed copy has the curve's span and that delay."""

import math

import numpy as np
import pytest

from narrascore.evaluation.steps import HALF_PERIOD_SECONDS, LEVEL, STEP_PAIRS, measure_steps, run_steps, square_waves
from tests.evaluation.test_reports import RulePlayer, composer

CURVES = square_waves(8)


def delayed(asked, seconds, dimension):
    values = getattr(asked.curve, dimension).astype(float)
    return np.concatenate([np.full(seconds, values[0]), values[: len(values) - seconds]])


def test_square_waves_jump_in_one_dimension_and_begin_on_either_side():
    for asked in CURVES:
        moving = 0 if asked.shapes[0] == "steps" else 1
        assert not asked.curve.values[:, 1 - moving].any()
        assert np.abs(asked.curve.values[:, moving]) == pytest.approx(np.full(len(asked.curve), LEVEL))
        assert len(np.flatnonzero(np.diff(asked.curve.values[:, moving]))) == 4
    assert {(asked.shapes, asked.curve.values[0].any() and asked.curve.values[0].sum() > 0) for asked in CURVES} == {
        (shapes, up) for shapes in (("steps", "rest"), ("rest", "steps")) for up in (True, False)
    }
    assert len({asked.name for asked in CURVES}) == len(CURVES)


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_delayed_copy_is_seen_with_its_span_and_its_delay(delay):
    features = [
        {"loudness": -30 + 10 * delayed(asked, delay, "arousal"), "mode": np.full(asked.duration_seconds, 0.1)}
        for asked in CURVES
    ]
    found = {response.pair: response for response in measure_steps({"model": features}, CURVES)}
    loudness = found["arousal", "loudness"]
    assert loudness.change.value == pytest.approx(10 * 2 * LEVEL)
    assert loudness.change.n == 4
    assert loudness.half_seconds == pytest.approx(delay - 0.5)  # between the last second before and the first after
    assert loudness.rise_seconds == pytest.approx(0.8)
    assert math.isnan(found["valence", "mode"].half_seconds)  # what does not move takes no time


def test_a_ramp_takes_its_time():
    features = []
    for asked in CURVES:
        jumps = np.flatnonzero(np.diff(asked.curve.arousal)) + 1
        grid = [point for jump in jumps for point in (jump, jump + 4)]
        values = [value for jump in jumps for value in (asked.curve.arousal[jump - 1], asked.curve.arousal[jump])]
        ramp = np.interp(np.arange(asked.duration_seconds), grid, values) if len(jumps) else asked.curve.arousal
        features.append({"onsets": ramp})
    [onsets] = measure_steps({"model": features}, CURVES)
    assert onsets.half_seconds == pytest.approx(2)
    assert onsets.rise_seconds == pytest.approx(3.2)


def test_rules_that_follow_are_seen_to_step_and_closed_gates_are_not(tmp_path):
    responses, text = run_steps(RulePlayer(), composer, tmp_path, n=4, command="evaluate metrics=steps")
    found = {(response.row, response.pair): response for response in responses}
    for pair in (("arousal", "dynamics"), ("arousal", "loudness"), ("valence", "mode")):
        assert found["model", pair].change.low > 0, pair
        assert found["model", pair].half_seconds < HALF_PERIOD_SECONDS / 2, pair
    assert abs(found["gates closed", ("arousal", "dynamics")].change.value) < 0.5
    assert {pair for _, pair in found} == set(STEP_PAIRS)
    assert "evaluate metrics=steps" in text
    assert (tmp_path / "steps.png").read_bytes().startswith(b"\x89PNG")
