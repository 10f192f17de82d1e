"""A VideoLLaMA3 folder read safely: JSON, safetensors and a tokenizer; no code, nothing missing, nothing left over."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import Qwen2Tokenizer, VideoLlama3Config, VideoLlama3ForConditionalGeneration
from transformers.utils import logging as library_logging

from narrascore.errors import InputError
from narrascore.perception.pixels import PATCH_PIXELS
from narrascore.perception.vlm_remap import DAMO_MODEL_TYPE, TEXT_KEYS, VISION_KEYS, native_config, native_names

NATIVE_MODEL_TYPE = "video_llama_3"
NATIVE_KEYS = ("image_token_id", "video_token_id", "tie_word_embeddings")
NATIVE_TEXT_KEYS = (
    *TEXT_KEYS, "hidden_act", "rope_parameters", "rope_theta", "rope_scaling", "use_sliding_window", "sliding_window",
    "max_window_layers", "layer_types",
)  # fmt: skip
NATIVE_VISION_KEYS = (*VISION_KEYS, "num_channels", "hidden_act", "layer_norm_eps", "rope_parameters")
WEIGHTS_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
WITNESS_BYTES = 2**20
REPORTS = (("missing_keys", "missing"), ("unexpected_keys", "left over"))
"""What the library tells of its loading, and our word for it."""


def load_model(folder: Path, dtype: torch.dtype) -> VideoLlama3ForConditionalGeneration:
    """Build the library's model from a native folder or one of DAMO's, on the CPU, with every dropout at zero.

    Raises:
        InputError: if the folder is no such checkpoint, naming what is missing or left over.
    """
    library_logging.set_verbosity_error()
    library_logging.disable_progress_bar()
    settings = _read_json(folder / "config.json")
    tensors = _read_tensors(folder)
    if settings.get("model_type") == DAMO_MODEL_TYPE:
        settings, tensors = native_config(settings), native_names(tensors)
    elif settings.get("model_type") == NATIVE_MODEL_TYPE:
        settings = _known_keys(settings)
    else:
        raise InputError(
            f"{folder}: a model of type {settings.get('model_type')!r}; the eye reads VideoLLaMA3 "
            f"({NATIVE_MODEL_TYPE} or {DAMO_MODEL_TYPE})"
        )
    try:
        config = VideoLlama3Config(**settings)
        config.text_config.attention_dropout = config.vision_config.attention_dropout = 0.0
        model, report = VideoLlama3ForConditionalGeneration.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            dtype=dtype,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        raise InputError(f"{folder}: not a VideoLLaMA3 checkpoint ({_first_line(error)}); fetch it anew") from error
    wrong = [f"{len(report[key])} {word}, such as {min(report[key])}" for key, word in REPORTS if report[key]]
    if wrong:
        raise InputError(f"{folder}: tensors {'; '.join(wrong)}; fetch the checkpoint anew")
    if config.vision_config.patch_size != PATCH_PIXELS:
        raise InputError(
            f"{folder}: patches of {config.vision_config.patch_size} px; VideoLLaMA3's have {PATCH_PIXELS}"
        )
    return model


def load_tokenizer(folder: Path) -> Qwen2Tokenizer:
    """The tokenizer of either kind of checkpoint.

    Raises:
        InputError: if there is none.
    """
    try:
        return Qwen2Tokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder}: no usable tokenizer ({_first_line(error)}); fetch the checkpoint anew") from error


def witness(folder: Path) -> str:
    """16 hex digits that tell a folder's weights from others: over the config, and both ends of each weight file."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for name in _weight_files(folder):
        size = (folder / name).stat().st_size
        digest.update(f"{name} {size}".encode())
        with (folder / name).open("rb") as file:
            digest.update(file.read(WITNESS_BYTES))
            file.seek(max(0, size - WITNESS_BYTES))
            digest.update(file.read())
    return digest.hexdigest()[:16]


def licence(folder: Path) -> str:
    """What the checkpoint's own card says, if the card is there."""
    path = folder / "README.md"
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            found = re.search(r"^license:[ \t]*(\S+)", file.read(WITNESS_BYTES), re.MULTILINE)
        if found:
            return f"{found[1]} (weights)"
    return "unknown: see the checkpoint's own card"


def _known_keys(settings: dict[str, Any]) -> dict[str, Any]:
    """The model's shape and nothing else: another key could ask for attention kernels off the hub, which are code."""
    text, vision = settings.get("text_config"), settings.get("vision_config")
    if not isinstance(text, dict) or not isinstance(vision, dict):
        raise InputError("VideoLLaMA3 config.json: no text_config and vision_config; fetch the checkpoint anew")
    return {
        "text_config": {"model_type": "qwen2", **_only(text, NATIVE_TEXT_KEYS)},
        "vision_config": {"model_type": "video_llama_3_vision", **_only(vision, NATIVE_VISION_KEYS)},
        **_only(settings, NATIVE_KEYS),
    }


def _only(settings: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: settings[key] for key in keys if key in settings}


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name in _weight_files(folder):
        try:
            tensors.update(load_file(folder / name))
        except (OSError, SafetensorError) as error:
            raise InputError(f"{folder / name}: cannot be read ({_first_line(error)}); fetch it anew") from error
    return tensors


def _weight_files(folder: Path) -> list[str]:
    """The names of the files that hold the weights; those of an index must lie in the folder itself."""
    if (folder / WEIGHTS_FILE).is_file():
        return [WEIGHTS_FILE]
    if not (folder / INDEX_FILE).is_file():
        raise InputError(f"{folder}: holds neither {WEIGHTS_FILE} nor {INDEX_FILE}; only safetensors are read")
    names = _read_json(folder / INDEX_FILE).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InputError(f"{folder / INDEX_FILE}: no weight_map of file names; fetch it anew")
    files = sorted(set(names.values()))
    for name in files:
        if Path(name).name != name or not (folder / name).is_file():
            raise InputError(f"{folder / INDEX_FILE}: names {name!r}, which is not a file beside it; fetch it anew")
    return files


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({_first_line(error)}); give a VideoLLaMA3 folder") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: an object was expected; fetch the checkpoint anew")
    return data


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
