"""Composed windows on the disk, each under a key that says exactly what it was composed from."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from narrascore.files import digest
from narrascore.media.output import replacing
from narrascore.synthesis.composing import ComposedWindow
from narrascore.synthesis.musicgen import FrozenMusicGen

LIBRARIES = ("narrascore", "torch", "transformers", "numpy")
REUSED = ("threads", "rows")
"""What a run that goes on takes over from the one before, instead of its own."""


def environment(musicgen: FrozenMusicGen, rows: int = 1) -> dict[str, Any]:
    """What the last bits of a result depend on beside its settings: versions, processor, engine and its shape.

    Args:
        musicgen: on its device.
        rows: windows in a batch.
    """
    weight = next(musicgen.decoder.parameters())
    return {
        "versions": {name: _version(name) for name in LIBRARIES},
        "machine": platform.machine(),
        "instruction_set": _instruction_set(),
        "device": weight.device.type,
        "dtype": str(weight.dtype).removeprefix("torch."),
        "engine": musicgen.engine_name,
        "rows": rows,
        "threads": torch.get_num_threads(),
    }


def _instruction_set() -> str:
    """Such as `AVX512 VNNI BF16 AMX`: products in fewer bits differ in their last bits between them."""
    extensions = {
        "VNNI": torch.cpu._is_vnni_supported(),
        "BF16": torch.cpu._is_avx512_bf16_supported(),
        "AMX": torch.cpu._is_amx_tile_supported(),
    }
    return " ".join([torch.backends.cpu.get_cpu_capability(), *(name for name, has in extensions.items() if has)])


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In which words two environments differ, such as `torch 2.12 then, 2.13 now`; not in what is reused anyway."""
    flat = [{**kind, **kind.get("versions", {}), "versions": None} for kind in (before, now)]
    names = [name for name in dict.fromkeys([*flat[0], *flat[1]]) if name not in REUSED]
    return [
        f"{name.replace('_', ' ')} {flat[0].get(name)} then, {flat[1].get(name)} now"
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    ]


class WindowStore:
    """A folder of finished windows: `00000.safetensors`, `00001.safetensors`, ...

    A window is taken back only under the key it was saved with, so a window of another curve, sentence or seed is
    composed anew and then replaced; and only if it was composed in the same environment, or an accepted one.

    Args:
        folder: made when the first window is saved.
        environment: of this run, as `environment` tells it.
        accepted: earlier environments whose windows are good enough.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, Any], accepted: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self.folder = folder
        self._made_in = digest(environment)
        self._accepted = {self._made_in, *map(digest, accepted)}

    def of_cue(self, start: int) -> WindowStore:
        """The store of the cue that begins at a frame of the film: this one at 0, else a folder in it."""
        store = copy(self)
        store.folder = self.folder / cue_folder(start)
        return store

    def load(self, index: int, key: str) -> ComposedWindow | None:
        """Window `index` with its new frames `[K, n]` (int16), or None if it is absent, damaged or another unit."""
        path = self._path(index)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})["about"])
                if about["key"] != key or about["environment"] not in self._accepted:
                    return None
                return ComposedWindow(file.get_tensor("codes"), tuple(about["collapses"]))
        except (SafetensorError, OSError, KeyError, ValueError):
            return None

    def row(self, index: int) -> dict[str, Any]:
        """What is told of a kept window: its key, where it was composed, why earlier draws of it were thrown away, and
        what was found in each take if there were several."""
        with safe_open(self._path(index), framework="pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["about"])
        return about

    def save(self, index: int, key: str, window: ComposedWindow) -> None:
        """Keep window `index`, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        about: dict[str, Any] = {"key": key, "environment": self._made_in, "collapses": window.collapses}
        tensors = {"codes": window.codes.to(torch.int16).contiguous()}
        if window.takes:
            about |= {"kept": window.kept, "takes": [take.describe() for take in window.takes]}
            tensors["takes"] = torch.stack([take.codes for take in window.takes]).to(torch.int16)
        with replacing(self._path(index)) as partial:
            # Not `save_file`, which tells of a full disk in words of its own.
            partial.write_bytes(save(tensors, {"about": json.dumps(about)}))

    def takes(self, index: int, key: str) -> Tensor | None:
        """All takes of a kept window with its prompt, `[takes, K, T]` (int16); None if there was one, or it is gone."""
        try:
            with safe_open(self._path(index), framework="pt") as file:
                about = json.loads((file.metadata() or {})["about"])
                return file.get_tensor("takes") if about["key"] == key and "takes" in about else None
        except (SafetensorError, OSError, KeyError, ValueError):
            return None

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.safetensors"


def cue_folder(start: int) -> str:
    """Where in a folder of windows those of the cue lie that begins at a frame of the film; empty for the folder."""
    return f"cue-{start}" if start else ""


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with this many threads: results differ in their last bits between one and two."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "source"
