"""Trained parts on disk: one safetensors file and one JSON file each, nothing that can run code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from narrascore.errors import InputError

MAX_JSON_BYTES = 4 * 2**20


def save_part(folder: str | Path, name: str, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write `name.safetensors` and `name.json` into a folder, made if need be.

    Args:
        folder: where to.
        name: `adapter`, `probe`, ...
        tensors: the trained parts alone.
        about: constructor arguments, data, metrics: anything JSON holds.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(about, indent=2) + "\n"
    partial = folder / f".{name}.safetensors.tmp"
    save_file({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, partial)
    partial.replace(folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def load_part(folder: str | Path, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_part` wrote: the tensors, on the CPU, and what is said about them.

    Raises:
        InputError: if a file is missing or is not what its name says.
    """
    folder = Path(folder)
    weights, about = folder / f"{name}.safetensors", folder / f"{name}.json"
    for path in (weights, about):
        if not path.is_file():
            raise InputError(f"{folder}: holds no {path.name}; give the folder that training wrote")
    if about.stat().st_size > MAX_JSON_BYTES:
        raise InputError(f"{about.name} in {folder}: larger than {MAX_JSON_BYTES >> 20} MiB, so hardly a description")
    try:
        described = json.loads(about.read_text(encoding="utf-8"))
        tensors = load_file(weights)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{name} in {folder}: {error}; train it again or fetch it anew") from error
    if not isinstance(described, dict):
        raise InputError(f"{about.name} in {folder}: an object was expected; train it again or fetch it anew")
    return tensors, described
