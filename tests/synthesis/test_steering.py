"""Steering without labels: linear in the curve, orthogonal, beside a random direction, and without a data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from narrascore.affect import AffectCurve
from narrascore.lexicon import vocabulary
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.composing import compose_window
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.steering import (
    CORNERS,
    Steering,
    contrast_sentences,
    find_steering,
    fit_shared_directions,
    make_linear,
)
from narrascore.synthesis.training import train_adapter
from narrascore.synthesis.training_settings import AdapterTrainingSettings
from narrascore.windows import Window
from tests.synthesis.tiny import tiny_encodec_musicgen, tiny_score_musicgen


@pytest.fixture(scope="module", params=["mono", "stereo", "notes"])
def musicgen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "notes":
        return FrozenMusicGen.from_pretrained(tiny_score_musicgen(folder, window_seconds=2.0, prompt_seconds=0.5))
    return FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(folder, stereo=request.param == "stereo"))


@pytest.fixture(scope="module")
def steering(musicgen: FrozenMusicGen) -> Steering:
    return find_steering(musicgen, (0, 1, 2), seconds=0.3)


def steered(musicgen: FrozenMusicGen, steering: Steering, scale: float = 0.15) -> AffectAdapter:
    adapter = AffectAdapter(musicgen.width, (0, 1, 2), hidden=9).eval()
    steering.write_into(adapter, scale)
    return adapter


def test_control_is_linear_in_the_curve_and_nothing_where_it_is_neutral(
    musicgen: FrozenMusicGen, steering: Steering
) -> None:
    adapter = steered(musicgen, steering)
    affect = torch.rand(1, 50 + 2 * adapter.halo, 2) * 2 - 1
    wanted = 0.15 * steering.stream_norm * affect[:, adapter.halo : -adapter.halo] @ steering.directions
    torch.testing.assert_close(adapter(affect), wanted, rtol=1e-4, atol=1e-4)
    assert adapter(torch.zeros_like(affect)).abs().max() == 0
    assert adapter.gates.sum().item() == pytest.approx(1, abs=1e-5)


def test_arousal_is_orthogonal_to_valence_and_the_random_directions_are_as_long(steering: Steering) -> None:
    random = steering.random(seed=1)
    for directions in (steering.directions, random.directions):
        torch.testing.assert_close(directions @ directions.T, torch.eye(2), rtol=0, atol=1e-5)
    assert (random.directions @ steering.directions.T).abs().max() < 0.9
    assert torch.equal(random.gates, steering.gates) and random.stream_norm == steering.stream_norm
    assert not torch.equal(random.directions, steering.random(seed=2).directions)


def test_the_same_seed_finds_the_same_directions(musicgen: FrozenMusicGen, steering: Steering) -> None:
    again = find_steering(musicgen, (0, 1, 2), seconds=0.3)
    assert torch.equal(again.directions, steering.directions) and torch.equal(again.gates, steering.gates)


def test_scale_is_the_share_of_the_hidden_state_that_a_full_curve_moves(
    musicgen: FrozenMusicGen, steering: Steering
) -> None:
    adapter = steered(musicgen, steering, scale=0.4)
    control = adapter.control(AffectCurve([[1.0, 0.0]] * 3), 0, 5, musicgen.frame_rate_hz)
    moved = (adapter.gates.sum() * control).norm(dim=-1) / steering.stream_norm
    torch.testing.assert_close(moved, torch.full((5,), 0.4), rtol=1e-3, atol=0)


def test_a_difference_that_is_one_direction_times_a_scale_is_found_exactly() -> None:
    valence, arousal = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    arousal -= (arousal @ valence) / (valence @ valence) * valence
    scales = torch.tensor([0.5, 1.0, 2.0])
    found = fit_shared_directions(scales[:, None, None] * torch.stack([valence, arousal]), 10.0)
    torch.testing.assert_close(found.gates, scales / scales.sum())
    torch.testing.assert_close(found.directions[0], valence / valence.norm(), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.directions[1], arousal / arousal.norm(), rtol=0, atol=1e-5)
    assert found.explained == pytest.approx(1, abs=1e-5)


def test_what_was_played_cancels_and_what_the_sentence_changes_is_left(
    musicgen: FrozenMusicGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one sentence for all four corners there is music, but no difference in means."""
    alike = {genre: sentences[:1] * 4 for genre, sentences in contrast_sentences(musicgen).items()}
    monkeypatch.setattr("narrascore.synthesis.steering.contrast_sentences", lambda _: dict(list(alike.items())[:2]))
    nothing = find_steering(musicgen, (0, 1, 2), seconds=0.3)
    assert max(nothing.lengths) < 1e-4 * nothing.stream_norm


def test_sentences_of_a_genre_differ_in_mood_and_pace_alone_and_the_embedded_model_knows_their_words(
    musicgen: FrozenMusicGen,
) -> None:
    assert sum(v for v, _ in CORNERS) == sum(a for _, a in CORNERS) == sum(v * a for v, a in CORNERS) == 0
    for genre, sentences in contrast_sentences(musicgen).items():
        assert len(set(sentences)) == 4, genre
        if musicgen.codec.held_code is not None:
            words = {word for sentence in sentences for word in sentence.replace(",", "").split()}
            assert words <= set(vocabulary()), genre


def test_a_linear_projector_uses_every_unit_and_can_be_trained_from_there() -> None:
    torch.manual_seed(0)
    adapter, matrix = AffectAdapter(16, (0,), hidden=8), torch.randn(16, 2)
    make_linear(adapter.projector, matrix)
    affect = torch.rand(1, 5 + 2 * adapter.halo, 2) * 2 - 1
    torch.testing.assert_close(adapter.eval()(affect), affect[:, adapter.halo : -adapter.halo] @ matrix.T)
    adapter(affect).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in adapter.projector.parameters())


@pytest.mark.parametrize("init", ["steering", "random_direction"])
def test_without_training_a_usable_adapter_is_saved_and_no_data_set_is_read(
    musicgen: FrozenMusicGen, tmp_path: Path, init: str
) -> None:
    settings = AdapterTrainingSettings(
        None, tmp_path, init=init, train=False, steering_seconds=0.3, steering_scale=5.0, hidden=8
    )  # type: ignore[arg-type]
    made = train_adapter(musicgen, settings)
    saved = AffectAdapter.load(tmp_path)
    assert all(torch.equal(saved.state_dict()[name], tensor) for name, tensor in made.state_dict().items())
    about = json.loads((tmp_path / "adapter.json").read_text())
    assert about["training"]["init"] == init and 0 < about["steering"]["explained"] <= 1
    low, high = (
        compose_window(musicgen, saved, "calm strings", AffectCurve([[v, v]] * 3), Window(0, 0, 20, 0), None, "s").codes
        for v in (-1.0, 1.0)
    )
    assert not torch.equal(low, high), "the curve must be heard"
