"""DAMO's video-stage checkpoints (`videollama3_qwen2`, remote code only) as the library's own `video_llama_3`.

The two are one architecture under two sets of names:

    DAMO                                    the library
    model.vision_encoder.*                  model.vision_model.*
    model.mm_projector.readout.*            model.projector.readout.*
    model.{embed_tokens,layers,norm}.*      model.language_model.{embed_tokens,layers,norm}.*
    lm_head.*                               lm_head.*     (absent where it is tied to embed_tokens)

In the settings, text keys move under `text_config`, `vision_encoder_config` becomes `vision_config`, and
`image_token_index` (`<image>`, 151665) becomes `image_token_id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from narrascore.errors import InputError

DAMO_MODEL_TYPE = "videollama3_qwen2"
RENAMES = (
    ("model.vision_encoder.", "model.vision_model."),
    ("model.mm_projector.readout.", "model.projector.readout."),
    ("model.embed_tokens.", "model.language_model.embed_tokens."),
    ("model.layers.", "model.language_model.layers."),
    ("model.norm.", "model.language_model.norm."),
    ("lm_head.", "lm_head."),
)
TEXT_KEYS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "vocab_size", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings",
)  # fmt: skip
VISION_KEYS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "patch_size")
PROJECTOR = "mlp2x_gelu"


def native_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the library's names.

    Raises:
        InputError: naming the tensors for which there is no rule.
    """
    renamed, strange = {}, []
    for name, tensor in tensors.items():
        rule = next(((old, new) for old, new in RENAMES if name.startswith(old)), None)
        if rule is None:
            strange.append(name)
        else:
            renamed[rule[1] + name.removeprefix(rule[0])] = tensor
    if strange:
        raise InputError(
            f"VideoLLaMA3 checkpoint: {len(strange)} tensors have no place in the model, such as {strange[0]}; "
            "give a full checkpoint of DAMO-NLP-SG/VideoLLaMA3-2B or -7B, or a native one"
        )
    return renamed


def native_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """DAMO's settings as those of the library's `VideoLlama3Config`.

    Raises:
        InputError: if a key is missing, or has a value that the library's model has no counterpart for.
    """
    vision = config.get("vision_encoder_config") or {}
    missing = [key for key in (*TEXT_KEYS, "rope_theta", "image_token_index") if key not in config]
    missing += [f"vision_encoder_config.{key}" for key in VISION_KEYS if key not in vision]
    if missing:
        raise InputError(f"VideoLLaMA3 config.json: no {', '.join(missing)}; fetch the checkpoint anew")
    for key, value, expected in (
        ("mm_projector_type", config.get("mm_projector_type", PROJECTOR), PROJECTOR),
        ("rope_scaling", config.get("rope_scaling"), None),
        ("use_sliding_window", config.get("use_sliding_window", False), False),
        ("hidden_act", config.get("hidden_act", "silu"), "silu"),
    ):
        if value != expected:
            raise InputError(
                f"VideoLLaMA3 config.json: {key} is {value!r}, and only {expected!r} is known to the library's model; "
                "use DAMO-NLP-SG/VideoLLaMA3-2B or -7B"
            )
    return {
        "text_config": {
            "model_type": "qwen2",
            **{key: config[key] for key in TEXT_KEYS},
            "rope_parameters": {"rope_type": "default", "rope_theta": float(config["rope_theta"])},
        },
        "vision_config": {"model_type": "video_llama_3_vision", **{key: vision[key] for key in VISION_KEYS}},
        "image_token_id": config["image_token_index"],
        "tie_word_embeddings": config["tie_word_embeddings"],
    }
