"""The embedded model from nothing: its tokenizer, its text encoder and its decoder, as the library's own classes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)

from narrascore.lexicon import SYNONYMS, vocabulary
from narrascore.synthesis.score_codes import CODEBOOKS, FRAME_RATE_HZ, TABLE_SIZE
from narrascore.synthesis.score_model import ScoreCodecConfig

WINDOW_SECONDS, PROMPT_SECONDS = 30.0, 12.0
SPECIALS = ("<pad>", "</s>", "<unk>")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words of the lexicon; synonyms are replaced by the words the composer uses, others become `<unk>`."""
    words = {word: i for i, word in enumerate((*SPECIALS, *vocabulary()))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    synonyms = [normalizers.Replace(Regex(rf"\b{re.escape(a)}\b"), b) for a, b in SYNONYMS.items() if a not in words]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *synonyms])
    punctuation = pre_tokenizers.Split(Regex(r"[^\p{L}\p{N}]+"), "removed")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([punctuation])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", words["</s>"])])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )


def build_model(
    *, width: int = 256, layers: int = 8, heads: int = 4, text_width: int = 128, text_layers: int = 2, seed: int = 0
) -> MusicgenForConditionalGeneration:
    """An untrained MusicGen over the score codec, every dropout and layerdrop at zero."""
    torch.manual_seed(seed)
    text = T5Config(
        vocab_size=len(SPECIALS) + len(vocabulary()), d_model=text_width, d_kv=text_width // 4, d_ff=2 * text_width,
        num_layers=text_layers, num_decoder_layers=0, num_heads=4, dropout_rate=0.0, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0, is_encoder_decoder=False,
    )  # fmt: skip
    positions = int(WINDOW_SECONDS * FRAME_RATE_HZ) + CODEBOOKS
    decoder = MusicgenDecoderConfig(
        vocab_size=TABLE_SIZE, num_codebooks=CODEBOOKS, audio_channels=1, hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=heads, ffn_dim=4 * width, max_position_embeddings=positions, dropout=0.0,
        attention_dropout=0.0, activation_dropout=0.0, layerdrop=0.0, pad_token_id=TABLE_SIZE, bos_token_id=TABLE_SIZE,
    )  # fmt: skip
    config = MusicgenConfig(
        text_encoder=text.to_dict(), audio_encoder=ScoreCodecConfig().to_dict(), decoder=decoder.to_dict()
    )
    config.decoder.pad_token_id = config.decoder.bos_token_id = TABLE_SIZE
    model = MusicgenForConditionalGeneration(config)
    _initialise(model.decoder, width, layers)
    return model


def _initialise(decoder: torch.nn.Module, width: int, layers: int) -> None:
    """Start where a small decoder learns fast: the library's 0.02 drowns its embeddings in the sinusoidal positions."""
    for name, weight in decoder.named_parameters():
        if "embed_tokens" in name:
            torch.nn.init.normal_(weight, std=0.12)
        elif weight.ndim == 2:
            last = name.endswith(("out_proj.weight", "fc2.weight"))
            torch.nn.init.normal_(weight, std=weight.shape[1] ** -0.5 / ((2 * layers) ** 0.5 if last else 1.0))


def save_model(model: MusicgenForConditionalGeneration, folder: Path, card: dict[str, object]) -> None:
    """Write the checkpoint as any MusicGen folder: weights in 16 bits, tokenizer, and the defaults it plays best with.

    `narrascore.json` keeps what the library's configuration has no place for: the window it was trained on, sampling
    and guidance defaults, the licence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.half() for name, tensor in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=weights, safe_serialization=True)
    build_tokenizer().save_pretrained(folder)
    (folder / "narrascore.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
