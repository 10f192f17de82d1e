"""Tiny real Demucs models, built from their constructors, and one exported as the library exports its own."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

SOURCES = ["drums", "bass", "other", "vocals"]
ARGUMENTS: dict[str, Any] = {
    "sources": SOURCES, "channels": 4, "depth": 4, "nfft": 4096, "t_layers": 1, "t_heads": 2, "bottom_channels": 8,
    "dconv_comp": 2, "samplerate": 8000,
}  # fmt: skip


def tiny_htdemucs(seed: int = 0) -> Any:
    """A hybrid transformer Demucs at 8 kHz in stereo that sees 1.5 s at a time."""
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(seed)
    return HTDemucs(**ARGUMENTS, segment=Fraction(3, 2)).eval()


def export_tiny_htdemucs(path: Path, **metadata: str) -> Path:
    """The model of `tiny_htdemucs` as Demucs writes its own to the hub."""
    kwargs = {**ARGUMENTS, "segment": {"_type": "fraction", "numerator": 3, "denominator": 2}}
    said = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(kwargs), **metadata}
    save_file({name: tensor.contiguous() for name, tensor in tiny_htdemucs().state_dict().items()}, path, said)
    return path
