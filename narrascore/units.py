"""Composed windows on the disk, each under a key that says exactly what it was composed from."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from narrascore.media.output import replacing
from narrascore.synthesis.musicgen import FrozenMusicGen

WHOLE_FILE = "codes.safetensors"
LIBRARIES = ("narrascore", "torch", "transformers", "numpy")


def environment(musicgen: FrozenMusicGen) -> dict[str, object]:
    """What the last bits of a result depend on beside its settings: versions, instruction set and threads."""
    weight = next(musicgen.decoder.parameters())
    return {
        "versions": {name: _version(name) for name in LIBRARIES},
        "machine": platform.machine(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "device": weight.device.type,
        "dtype": str(weight.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }


class WindowStore:
    """A folder of finished windows: `00000.safetensors`, `00001.safetensors`, ...

    A window is taken back only under the key it was saved with, so a window of another curve, sentence, seed or
    library version is composed anew and then replaced.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, index: int, key: str) -> Tensor | None:
        """The new frames `[K, n]` (int16) of window `index`, or None if it is absent, damaged or another unit."""
        return _load(self._path(index), key)

    def save(self, index: int, key: str, codes: Tensor) -> None:
        """Keep the new frames `[K, n]` of window `index`, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _save(self._path(index), key, codes)

    @property
    def whole(self) -> Path:
        """Where the whole film's codes are kept."""
        return self.folder / WHOLE_FILE

    def keys(self) -> list[str]:
        """The keys of the windows that are kept, in order."""
        keys = []
        for path in sorted(self.folder.glob("[0-9]*.safetensors")):
            with contextlib.suppress(SafetensorError, OSError), safe_open(path, framework="pt") as file:
                keys.append((file.metadata() or {}).get("key", ""))
        return keys

    def load_whole(self, key: str) -> Tensor | None:
        """The whole film's codes `[K, T]` (int16), kept once all windows were there; None as for `load`."""
        return _load(self.whole, key)

    def save_whole(self, key: str, codes: Tensor) -> None:
        """Keep the whole film's codes `[K, T]`: they stay usable when a later version would compose other windows."""
        _save(self.whole, key, codes)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.safetensors"


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with this many threads: results differ in their last bits between one and two."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _load(path: Path, key: str) -> Tensor | None:
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            codes: Tensor = file.get_tensor("codes")
            return codes
    except (SafetensorError, OSError):
        return None


def _save(path: Path, key: str, codes: Tensor) -> None:
    with replacing(path) as partial:
        save_file({"codes": codes.to(torch.int16).contiguous()}, partial, metadata={"key": key})


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "source"
