"""Training shards: codes, curve and caption of many pieces, quick to read at random.

    folder/
      train-00000.safetensors      codes/<id> [K, T] int16, curve/<id> [F, 2] float32 (1 Hz), up to 256 pieces
      manifest/train-00000.parquet one row a piece: id, source, start_seconds, silence_share, caption, split,
                                   sha256, shard

A shard's manifest is written after its tensors, each under a temporary name first: where the manifest lies, the shard
is whole. `pandas.read_parquet(folder / "manifest")` reads the whole manifest. Several captions of one piece stand in
the caption field on a line each; whoever trains picks one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from narrascore.errors import InputError

SPLITS = ("train", "validation", "test")
COLUMNS = ("id", "source", "start_seconds", "silence_share", "caption", "split", "sha256", "shard")


@dataclass(frozen=True, eq=False)
class ShardItem:
    """One piece or clip.

    Attributes:
        id: unique within the set; letters, digits, `-`, `_` and `.`.
        codes: `[K, T]` int16.
        curve: `[F, 2]` float32, valence and arousal at 1 Hz.
        caption: one sentence, or several on a line each.
        split: `train`, `validation` or `test`.
        source: where it comes from: a file, or what made it.
        start_seconds: where in the source it begins.
        silence_share: share of it that is silent, 0 to 1.
    """

    id: str
    codes: NDArray[np.int16]
    curve: NDArray[np.float32]
    caption: str
    split: str = "train"
    source: str = ""
    start_seconds: float = 0.0
    silence_share: float = 0.0

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.dtype != np.int16:
            raise ValueError(f"codes must be [K, T] int16: got {self.codes.shape} {self.codes.dtype}")
        if self.curve.ndim != 2 or self.curve.shape[1] != 2 or self.curve.dtype != np.float32:
            raise ValueError(f"curve must be [F, 2] float32: got {self.curve.shape} {self.curve.dtype}")
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}: got {self.split!r}")


def write_shards(folder: str | Path, items: Iterable[ShardItem], *, per_shard: int = 256) -> list[Path]:
    """Write items into shards named by split and number, in the order in which they come.

    Returns:
        The shards' tensor files.
    """
    if per_shard < 1:
        raise ValueError(f"per_shard must be at least 1: got {per_shard}")
    counts = dict.fromkeys(SPLITS, 0)
    waiting: dict[str, list[ShardItem]] = {split: [] for split in SPLITS}
    written = []

    def flush(split: str) -> None:
        written.append(write_shard(folder, shard_name(split, counts[split]), waiting[split]))
        counts[split] += 1
        waiting[split] = []

    for item in items:
        waiting[item.split].append(item)
        if len(waiting[item.split]) == per_shard:
            flush(item.split)
    for split in SPLITS:
        if waiting[split]:
            flush(split)
    return written


def shard_name(split: str, number: int) -> str:
    """The name of a split's shard, without an ending."""
    return f"{split}-{number:05d}"


def is_written(folder: str | Path, name: str) -> bool:
    """Whether a shard is there and whole."""
    folder = Path(folder)
    return _manifest_path(folder, name).is_file() and _tensor_path(folder, name).is_file()


def write_shard(folder: str | Path, name: str, items: Sequence[ShardItem]) -> Path:
    """Write one shard, tensors first, then its manifest. The same items give the same tensor file, byte for byte.

    Raises:
        InputError: if the folder cannot be written.
    """
    folder = Path(folder)
    tensors: dict[str, NDArray[Any]] = {}
    for item in items:
        tensors[f"codes/{item.id}"] = np.ascontiguousarray(item.codes)
        tensors[f"curve/{item.id}"] = np.ascontiguousarray(item.curve)
    if len(tensors) != 2 * len(items):
        raise ValueError(f"shard {name}: two items have the same id")
    rows = pd.DataFrame([_row(item, name) for item in items], columns=list(COLUMNS))
    manifest, path = _manifest_path(folder, name), _tensor_path(folder, name)
    try:
        manifest.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, str(path.with_suffix(".part")))
        os.replace(path.with_suffix(".part"), path)
        rows.to_parquet(manifest.with_suffix(".part"), index=False)
        os.replace(manifest.with_suffix(".part"), manifest)
    except OSError as error:
        raise InputError(f"shard {name}: cannot be written in {folder} ({error}); is there room?") from error
    return path


class ShardSet(Sequence[ShardItem]):
    """The items of one split, read from memory-mapped files as they are asked for. Survives fork and pickling.

    Attributes:
        folder: where the shards lie.
        manifest: one row an item, in the order of `shards`; its columns are `COLUMNS`.
    """

    def __init__(self, folder: Path, manifest: pd.DataFrame) -> None:
        self.folder = folder
        self.manifest = manifest
        self._open: dict[str, Any] = {}
        self._pid = os.getpid()

    @classmethod
    def open(cls, folder: str | Path, split: str) -> ShardSet:
        """Open one split.

        Raises:
            InputError: if there is none, naming what is there.
        """
        folder = Path(folder)
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}: got {split!r}")
        parts = sorted((folder / "manifest").glob(f"{split}-*.parquet"))
        if not parts:
            there = sorted({part.name.rsplit("-", 1)[0] for part in (folder / "manifest").glob("*.parquet")})
            raise InputError(
                f"no {split} shards in {folder} (there: {', '.join(there) or 'nothing'}); prepare them first"
            )
        return cls(folder, pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True))

    def __len__(self) -> int:
        return len(self.manifest)

    def __getitem__(self, index: Any) -> Any:
        """The item at a whole number, counted from the end where it is negative.

        Raises:
            IndexError: if there is no such item.
            InputError: if its shard is missing or damaged.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        row = self.manifest.iloc[int(index)]
        try:
            shard = self._shard(row["shard"])
            codes, curve = shard.get_tensor(f"codes/{row['id']}"), shard.get_tensor(f"curve/{row['id']}")
        except (OSError, SafetensorError) as error:
            raise InputError(f"shard {row['shard']} in {self.folder}: {error}; prepare it again") from error
        return ShardItem(
            id=row["id"], codes=codes, curve=curve, caption=row["caption"], split=row["split"], source=row["source"],
            start_seconds=float(row["start_seconds"]), silence_share=float(row["silence_share"]),
        )  # fmt: skip

    def __iter__(self) -> Iterator[ShardItem]:
        return (self[index] for index in range(len(self)))

    def damaged(self) -> list[str]:
        """The ids of the items whose codes are not the ones the manifest was written for."""
        return [
            item.id for item, wanted in zip(self, self.manifest["sha256"], strict=True) if _sha256(item.codes) != wanted
        ]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def _shard(self, name: str) -> Any:
        if self._pid != os.getpid():
            self._open, self._pid = {}, os.getpid()
        if name not in self._open:
            self._open[name] = safe_open(str(_tensor_path(self.folder, name)), framework="np")
        return self._open[name]


def batched(items: Iterable[ShardItem], size: int) -> Iterator[list[ShardItem]]:
    """Items in lists of `size`, the last one shorter."""
    running = iter(items)
    while batch := list(islice(running, size)):
        yield batch


def _row(item: ShardItem, shard: str) -> dict[str, object]:
    return {
        "id": item.id, "source": item.source, "start_seconds": float(item.start_seconds),
        "silence_share": float(item.silence_share), "caption": item.caption, "split": item.split,
        "sha256": _sha256(item.codes), "shard": shard,
    }  # fmt: skip


def _sha256(codes: NDArray[np.int16]) -> str:
    return hashlib.sha256(np.ascontiguousarray(codes).tobytes()).hexdigest()


def _tensor_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def _manifest_path(folder: Path, name: str) -> Path:
    return folder / "manifest" / f"{name}.parquet"
