"""Eq. 3 and Eq. 4 by hand; what is saved; for which eye a probe may be used; how unsure it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.errors import InputError
from narrascore.perception.probe import AffectProbe, ProbeEnsemble, affect_loss, clip_towards_inside

EYE = {
    "eye": "vlm", "vlm": "a/b", "revision": "1", "dtype": "bfloat16", "primer": "Feel.", "mode": "windows",
    "size": [420, 224],
}  # fmt: skip


def probe_of(seed: int = 0, width: int = 5, hidden: int = 7) -> AffectProbe:
    torch.manual_seed(seed)
    probe = AffectProbe(width, hidden)
    probe.standardise(states_of(seed))
    return probe.eval()


def states_of(seed: int, rows: int = 40, width: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(2, 3, size=(rows, width)).astype(np.float32)


def test_the_probe_is_a_clipped_two_layer_perceptron_of_standardised_states() -> None:
    probe, states = probe_of(), states_of(0)
    weights = {name: tensor.double().numpy() for name, tensor in probe.state_dict().items()}
    standard = (states - states.mean(0)) / states.std(0)
    pre = standard @ weights["hidden.weight"].T + weights["hidden.bias"]
    units = pre * 0.5 * (1 + torch.erf(torch.from_numpy(pre) / np.sqrt(2)).numpy())
    by_hand = np.clip(units @ weights["output.weight"].T + weights["output.bias"], -1, 1)
    curve = probe(states)
    assert isinstance(curve, AffectCurve) and curve.rate_hz == 1
    np.testing.assert_allclose(curve.values, by_hand, atol=1e-5)
    torch.testing.assert_close(probe(torch.from_numpy(states)), torch.tensor(curve.values), atol=1e-6, rtol=0)


def test_a_column_that_never_moves_does_not_become_infinite() -> None:
    probe, states = probe_of(), states_of(1)
    states[:, 2] = 4
    probe.standardise(states)
    assert np.isfinite(probe(states).values).all()


def test_clipping_lets_no_gradient_lead_further_out_and_every_one_lead_back() -> None:
    values = torch.tensor([-3.0, -3.0, 0.2, 0.2, 3.0, 3.0], requires_grad=True)
    clipped = clip_towards_inside(values)
    assert clipped.tolist() == [-1, -1, pytest.approx(0.2), pytest.approx(0.2), 1, 1]
    clipped.backward(torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]))  # descent moves values the other way
    assert values.grad is not None and values.grad.tolist() == [0, -1, 1, -1, 1, 0]


def test_a_prediction_far_outside_returns_to_its_label() -> None:
    """Under torch's own clamp its gradient would be zero for ever."""
    value = torch.full((1, 2), 5.0, requires_grad=True)
    optimiser = torch.optim.SGD([value], lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        affect_loss(clip_towards_inside(value), torch.tensor([[0.5, -0.5]]), 0.0).backward()
        optimiser.step()
    torch.testing.assert_close(value.detach(), torch.tensor([[0.5, -0.5]]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("l1_weight", [0.0, 1.0, 0.3])
def test_the_loss_is_eq_4_over_labelled_seconds(l1_weight: float) -> None:
    affect = torch.tensor([[[0.0, 0.0], [1.0, -1.0]], [[0.5, 0.5], [0.9, 0.9]]])
    labels = torch.tensor([[[0.3, -0.4], [1.0, 0.0]], [[torch.nan, 0.5], [torch.nan, torch.nan]]])
    by_hand = ((0.09 + 0.16) + l1_weight * 0.7 + 1.0 + l1_weight * 1.0) / 2
    assert affect_loss(affect, labels, l1_weight).item() == pytest.approx(by_hand)


def test_a_missing_label_sends_no_nan_into_the_gradient() -> None:
    affect = torch.zeros(3, 2, requires_grad=True)
    affect_loss(affect, torch.tensor([[0.5, 0.5], [torch.nan, 1.0], [torch.nan, torch.nan]])).backward()
    assert affect.grad is not None
    assert affect.grad[1:].abs().max() == 0 and affect.grad[0].abs().min() > 0


def test_only_the_trained_parts_and_the_statistics_are_saved(tmp_path: Path) -> None:
    probe = probe_of()
    probe.save(tmp_path, {"eye": EYE, "data": "none"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["probe.json", "probe.safetensors"]
    shapes = {name: array.shape for name, array in load_file(tmp_path / "probe.safetensors").items()}
    assert shapes == {
        "mean": (5,), "scale": (5,), "hidden.weight": (7, 5), "hidden.bias": (7,), "output.weight": (2, 7),
        "output.bias": (2,),
    }  # fmt: skip
    back = AffectProbe.load(tmp_path, EYE)
    assert back(states_of(3)) == probe(states_of(3)) and not back.training
    assert back.about["data"] == "none"


def test_a_probe_is_refused_for_another_mode_unless_allowed_and_for_another_eye_always(tmp_path: Path) -> None:
    probe_of().save(tmp_path, {"eye": EYE})
    for key, value in (("mode", "stream"), ("primer", "Count.")):
        with pytest.raises(InputError, match=f"{key} '{EYE[key]}'.*{key} '{value}'"):
            AffectProbe.load(tmp_path, {**EYE, key: value})
        AffectProbe.load(tmp_path, {**EYE, key: value}, allow_mode_mismatch=True)
    for key, value in (("eye", "cinematic"), ("vlm", "c/d"), ("revision", "2")):
        with pytest.raises(InputError, match=f"{key} '{EYE[key]}'.*{key} '{value}'"):
            AffectProbe.load(tmp_path, {**EYE, key: value}, allow_mode_mismatch=True)
    AffectProbe.load(tmp_path, {**EYE, "size": (420, 224)})  # JSON knows no tuples
    AffectProbe.load(tmp_path, {**EYE, "dtype": "float32"})  # the last digits are no other mode


def test_a_damaged_probe_is_an_input_error(tmp_path: Path) -> None:
    probe = probe_of()
    with torch.no_grad():
        probe.output.bias[0] = torch.nan
    probe.save(tmp_path, {"eye": EYE})
    with pytest.raises(InputError, match="not finite"):
        AffectProbe.load(tmp_path)
    with pytest.raises(ValueError, match="needs its own probe"):
        probe_of()(states_of(0, width=4))


def test_the_spread_is_that_of_thinned_networks_and_touches_no_other_randomness() -> None:
    probe, states = probe_of(hidden=64), states_of(2)
    before = torch.get_rng_state()
    spread = probe.spread(states, passes=400, seed=3)
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(spread, probe.spread(states, passes=400, seed=3))
    assert (spread != probe.spread(states, passes=400, seed=4)).any()
    probe.train()
    torch.manual_seed(0)
    with torch.no_grad():
        drawn: Tensor = torch.stack([probe(torch.from_numpy(states)) for _ in range(400)])
    np.testing.assert_allclose(spread.mean(), drawn.std(0).mean(), rtol=0.1)
    assert probe(states) == probe.eval()(states), "the curve itself never has dropout"


def test_an_ensemble_is_its_members_mean_and_disagreement() -> None:
    one, two, states = probe_of(0), probe_of(1), states_of(2)
    ensemble = ProbeEnsemble([one, two])
    np.testing.assert_allclose(ensemble(states).values, (one(states).values + two(states).values) / 2, atol=1e-6)
    distance = np.abs(one(states).values - two(states).values) / 2
    np.testing.assert_allclose(ensemble.spread(states), distance, atol=1e-6)
    with pytest.raises(ValueError, match="at least two"):
        ProbeEnsemble([one])
