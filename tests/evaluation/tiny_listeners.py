"""Tiny real listening models, saved as their checkpoints are: CLAP, AST and PE-AV's sound half."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    PeAudioConfig,
    PeAudioFeatureExtractor,
    PeAudioModel,
)


def tiny_clap(folder: Path, seed: int = 0) -> Path:
    """16 dimensions; looks at one second, 48 kHz."""
    torch.manual_seed(seed)
    text = ClapTextConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=20,
    )  # fmt: skip
    audio = ClapAudioConfig(
        spec_size=64, num_mel_bins=16, window_size=4, patch_embeds_hidden_size=8, depths=[1, 1],
        num_attention_heads=[2, 2], hidden_size=16, num_hidden_layers=2, num_classes=4,
    )  # fmt: skip
    config = ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=16)
    ClapModel(config).save_pretrained(folder)
    ClapFeatureExtractor(feature_size=16, max_length_s=1, truncation="rand_trunc").save_pretrained(folder)
    return folder


def tiny_ast(folder: Path, seed: int = 0) -> Path:
    """527 classes over 64 spectrogram frames, 16 kHz."""
    torch.manual_seed(seed)
    config = ASTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_length=64,
        num_mel_bins=32, num_labels=527,
    )  # fmt: skip
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor(num_mel_bins=32, max_length=64).save_pretrained(folder)
    return folder


def tiny_pe_audio(folder: Path, seed: int = 0) -> Path:
    """16 dimensions, 48 kHz."""
    torch.manual_seed(seed)
    text = {
        "model_type": "modernbert", "vocab_size": 20, "hidden_size": 16, "intermediate_size": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        "cls_token_id": 1, "sep_token_id": 2,
    }  # fmt: skip
    audio = {
        "model_type": "pe_audio_encoder", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "head_dim": 8,
        "dac_config": {
            "model_type": "dac", "downsampling_ratios": [2, 8, 10, 12], "encoder_hidden_size": 2, "codebook_dim": 8,
            "hidden_size": 32, "n_codebooks": 1, "codebook_size": 4, "upsampling_ratios": [12, 10, 8, 2],
            "decoder_hidden_size": 16,
        },
    }  # fmt: skip
    PeAudioModel(PeAudioConfig(text_config=text, audio_config=audio)).save_pretrained(folder)
    PeAudioFeatureExtractor().save_pretrained(folder)
    return folder
