"""A tiny real VideoLLaMA3: a folder as the library writes it, and the same weights under DAMO's names."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Qwen2Config, VideoLlama3Config, VideoLlama3ForConditionalGeneration, VideoLlama3VisionConfig
from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>", "<image>")
"""As in the real tokenizer; `<image>` is the one that DAMO's checkpoints put in a picture's place."""

WIDTH = 32
CONTEXT_TOKENS = 1024


def tiny_vlm_folder(
    folder: Path, *, tied: bool = True, seed: int = 0, context_tokens: int = CONTEXT_TOKENS, blocks: int = 3
) -> Path:
    """A native checkpoint: width 32, 4 query and 2 KV heads, vision width 48 in 2 blocks, patches of 14 px.

    Its tokenizer has a token for each byte and the chat's special tokens, so any text can be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _save_tokenizer(folder)
    torch.manual_seed(seed)
    text = Qwen2Config(
        vocab_size=len(vocabulary), hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=blocks,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=context_tokens, attention_dropout=0.1,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0}, tie_word_embeddings=tied,
    )  # fmt: skip
    vision = VideoLlama3VisionConfig(
        hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, patch_size=14,
        attention_dropout=0.1,
    )  # fmt: skip
    config = VideoLlama3Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"], tie_word_embeddings=tied,
    )  # fmt: skip
    model = VideoLlama3ForConditionalGeneration(config).eval()
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.2)  # large enough that pictures and words matter
    model.save_pretrained(folder)
    return folder


def tiny_damo_folder(folder: Path, *, tied: bool = True, shards: int = 1, seed: int = 0) -> Path:
    """The weights of `tiny_vlm_folder` as DAMO's video-stage checkpoints name, describe and shard them."""
    native = tiny_vlm_folder(folder / "native", tied=tied, seed=seed)
    model = VideoLlama3ForConditionalGeneration.from_pretrained(native)
    text, vision = model.config.text_config, model.config.vision_config
    vocabulary = _save_tokenizer(folder)
    config = {
        "architectures": ["Videollama3Qwen2ForCausalLM"],
        "auto_map": {
            "AutoConfig": "configuration_videollama3.Videollama3Qwen2Config",
            "AutoModelForCausalLM": "modeling_videollama3.Videollama3Qwen2ForCausalLM",
        },
        "model_type": "videollama3_qwen2",
        "hidden_size": text.hidden_size,
        "intermediate_size": text.intermediate_size,
        "num_hidden_layers": text.num_hidden_layers,
        "num_attention_heads": text.num_attention_heads,
        "num_key_value_heads": text.num_key_value_heads,
        "vocab_size": text.vocab_size,
        "max_position_embeddings": text.max_position_embeddings,
        "rms_norm_eps": text.rms_norm_eps,
        "rope_theta": text.rope_parameters["rope_theta"],
        "rope_scaling": None,
        "hidden_act": "silu",
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": 21,
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.46.3",
        "image_token_index": vocabulary["<image>"],
        "mm_projector_type": "mlp2x_gelu",
        "tokenizer_model_max_length": 16384,
        "use_token_compression": True,
        "vision_encoder": None,
        "vision_encoder_config": {
            "model_type": "videollama3_vision_encoder",
            "hidden_size": vision.hidden_size,
            "intermediate_size": vision.intermediate_size,
            "num_hidden_layers": vision.num_hidden_layers,
            "num_attention_heads": vision.num_attention_heads,
            "patch_size": vision.patch_size,
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    renamed = {_damo_name(name): tensor.contiguous() for name, tensor in model.state_dict().items()}
    if tied:
        del renamed["lm_head.weight"]  # safetensors holds a shared tensor once
    _save_shards(folder, renamed, shards)
    return folder


def _damo_name(name: str) -> str:
    for native, damo in (
        ("model.vision_model.", "model.vision_encoder."),
        ("model.projector.", "model.mm_projector."),
        ("model.language_model.", "model."),
    ):
        if name.startswith(native):
            return damo + name.removeprefix(native)
    return name


def _save_shards(folder: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    weight_map = {}
    names = list(tensors)
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        save_file({name: tensors[name] for name in names[shard::shards]}, folder / file, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(names[shard::shards], file))
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _save_tokenizer(folder: Path) -> dict[str, int]:
    """Byte-level, without merges; returns token -> id."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(256 - len(printable))]
    vocabulary = {token: index for index, token in enumerate([*letters, *SPECIAL])}
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[], additional_special_tokens=list(SPECIAL[1:]))
    tokenizer.save_pretrained(folder)
    return {token: int(tokenizer.convert_tokens_to_ids(token)) for token in vocabulary}
