"""Trained listeners: the library's own outputs, from a folder, and nothing where the weights are not whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ASTForAudioClassification, AutoFeatureExtractor

from narrascore.errors import ModelUnavailableError
from narrascore.evaluation.listening_models import (
    AstLogits,
    ClapEmbedding,
    EncodecLatents,
    PerceptionEncoderAudio,
    PretrainedEmbedder,
)
from narrascore.files import digest
from narrascore.synthesis.musicgen import FrozenMusicGen
from tests.evaluation.tiny_listeners import tiny_ast, tiny_clap, tiny_pe_audio
from tests.synthesis.tiny import tiny_encodec_musicgen

MODELS = [
    (ClapEmbedding, tiny_clap, 16),
    (AstLogits, tiny_ast, 527),
    (PerceptionEncoderAudio, tiny_pe_audio, 16),
    (EncodecLatents, tiny_encodec_musicgen, 32),
]


def sound(seconds: float, rate: int, hz: float = 440.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize(("kind", "build", "width"), MODELS)
def test_every_model_gives_a_row_of_its_own_that_repeats(
    kind: type[PretrainedEmbedder], build: Callable[..., Path], width: int, tmp_path: Path
) -> None:
    embedder = kind(build(tmp_path / "one"))
    clip = sound(1.0, embedder.sample_rate_hz)
    row = embedder.embed(clip)
    assert row.shape == (width,) and row.dtype == np.float64 and np.isfinite(row).all()
    again = kind(tmp_path / "one")
    assert np.array_equal(again.embed(clip), row)
    assert not np.array_equal(again.embed(sound(1.0, embedder.sample_rate_hz, 880.0)), row)
    other = kind(build(tmp_path / "two", seed=1))
    assert digest(embedder.describe()) == digest(again.describe()) != digest(other.describe())


def test_ast_logits_are_the_library_s(tmp_path: Path) -> None:
    folder = tiny_ast(tmp_path)
    clip = sound(0.5, 16_000)
    inputs = AutoFeatureExtractor.from_pretrained(folder)(clip, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        wanted = ASTForAudioClassification.from_pretrained(folder).eval()(**inputs).logits[0]
    assert AstLogits(folder).embed(clip) == pytest.approx(wanted.numpy(), abs=1e-6)


def test_clap_rows_are_of_unit_length(tmp_path: Path) -> None:
    assert np.linalg.norm(ClapEmbedding(tiny_clap(tmp_path)).embed(sound(1.0, 48_000))) == pytest.approx(1)


def test_encodec_latents_are_those_of_the_music_model_s_codec(tmp_path: Path) -> None:
    embedder = EncodecLatents(tiny_encodec_musicgen(tmp_path))
    codec = FrozenMusicGen.from_pretrained(tmp_path).codec
    clip = sound(1.0, codec.sample_rate_hz)
    latents = codec.model.encoder(torch.from_numpy(clip)[None, None])[0]
    wanted = torch.cat([latents.mean(dim=1), latents.std(dim=1)])
    assert embedder.sample_rate_hz == codec.sample_rate_hz == 8000
    assert embedder.embed(clip) == pytest.approx(wanted.detach().numpy(), abs=1e-6)


def test_a_checkpoint_with_a_weight_missing_is_refused(tmp_path: Path) -> None:
    """The library alone would fill it at random and say so in a log."""
    weights = load_file(tiny_ast(tmp_path) / "model.safetensors")
    gone = next(name for name in weights if name.startswith("classifier.dense"))
    save_file(
        {name: w for name, w in weights.items() if name != gone}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ModelUnavailableError, match="1 weights are missing") as refused:
        AstLogits(tmp_path).embed(sound(0.5, 16_000))
    assert refused.value.exit_code == 4 and "\n" not in str(refused.value)


def test_another_model_s_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="cannot be read as CLAP"):
        ClapEmbedding(tiny_ast(tmp_path)).embed(sound(0.5, 48_000))
