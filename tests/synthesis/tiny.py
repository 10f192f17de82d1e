"""Tiny real backbones, built from configs: a MusicGen over EnCodec, mono or stereo, and one over the score codec."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)

from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codes import REST
from recipes.embedded.model import build_model, save_model

WORDS = ("<pad>", "</s>", "<unk>", "calm", "strings", "fast", "drums", "slow", "piano")


def tiny_encodec_musicgen(folder: Path, *, stereo: bool = False, seed: int = 0) -> Path:
    """A MusicGen of EnCodec codes: width 32, 4 blocks, 4 codebooks (8 in stereo), 100 Hz, 8 kHz."""
    torch.manual_seed(seed)
    text = T5Config(
        vocab_size=len(WORDS), d_model=24, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.1,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    codec = EncodecConfig(
        sampling_rate=8000, audio_channels=1, num_filters=4, hidden_size=16, codebook_dim=16, codebook_size=64,
        upsampling_ratios=[8, 5, 2], num_lstm_layers=1, target_bandwidths=[2.4], use_causal_conv=False,
        norm_type="weight_norm", normalize=False,
    )  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=64, num_codebooks=8 if stereo else 4, audio_channels=2 if stereo else 1, hidden_size=32,
        num_hidden_layers=4, num_attention_heads=4, ffn_dim=64, max_position_embeddings=256, pad_token_id=64,
        bos_token_id=64,
    )  # fmt: skip
    config = MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict())
    model = MusicgenForConditionalGeneration(config).eval()
    _spread(model)
    model.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


def with_sound(folder: Path) -> Path:
    """The same checkpoint with codebooks that mean something: a fresh EnCodec's are zeros, so all codes sound alike."""
    weights, noise = load_file(folder / "model.safetensors"), torch.Generator().manual_seed(0)
    for name in sorted(name for name in weights if name.endswith("codebook.embed")):
        weights[name] = torch.randn(weights[name].shape, generator=noise)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def tiny_score_musicgen(
    folder: Path, *, seed: int = 0, window_seconds: float = 30.0, prompt_seconds: float = 12.0
) -> Path:
    """A MusicGen of notes: width 32, 4 blocks, untrained; its music is noise, its path is the real one."""
    model = build_model(width=32, layers=4, heads=4, text_width=32, text_layers=1, seed=seed)
    sampling = {"top_k": 128, "temperature": 1.0, "text_guidance": 2.0, "control_guidance": 3.0}
    card = {
        "name": "tiny", "licence": "none", "window_seconds": window_seconds, "prompt_seconds": prompt_seconds,
        "sampling": sampling,
    }  # fmt: skip
    save_model(model, folder, card)
    return folder


def sleepy(musicgen: FrozenMusicGen) -> FrozenMusicGen:
    """The same untrained notes, but by a model that would rather rest: about half of its windows of 8 s collapse."""
    norm = musicgen.decoder.model.decoder.layer_norm
    with torch.no_grad():
        norm.weight[0], norm.bias[0] = 0.0, 1.0
        for head in musicgen.decoder.lm_heads:
            head.weight[:, 0] = 0.0
            head.weight[REST, 0] = 11.0
    return musicgen


def open_adapter(
    musicgen: FrozenMusicGen, *, seed: int = 1, gate: float = 0.5, blocks: tuple[int, ...] | None = None
) -> AffectAdapter:
    """An adapter with open gates and a temporal branch that is not zero, as a trained one has; three quarters of the
    blocks, unless they are named."""
    torch.manual_seed(seed)
    blocks = blocks or tuple(range(musicgen.blocks * 3 // 4))
    adapter = AffectAdapter(musicgen.width, blocks, hidden=16, dilations=(1, 2, 4)).eval()
    torch.nn.init.normal_(adapter.temporal.output.weight, std=0.3)
    torch.nn.init.normal_(adapter.projector[0].weight, std=2.0)
    torch.nn.init.constant_(adapter.gates, gate)
    return adapter


def _spread(model: MusicgenForConditionalGeneration) -> None:
    """Weights large enough that greedy choices are clear and text matters."""
    for name, weight in model.decoder.named_parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.3 if "embed" in name or "lm_heads" in name else 0.15)
