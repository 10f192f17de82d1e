"""Fingerprints that tell whether a file is still the one that was written, and small files that are whole or absent."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrascore.media.output import replacing, sync

WHOLE_BYTES, END_BYTES = 2**26, 2**20
"""A fingerprint reads the whole of a file up to the first size, and this much of both ends of a larger one."""


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def digest(value: object) -> str:
    """sha256 of a value as canonical JSON: equal values have equal digests on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def array_digest(array: NDArray[np.generic]) -> str:
    """sha256 of an array's shape, type and values."""
    about = f"{array.shape} {array.dtype}".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()


def fingerprint(path: Path) -> str | None:
    """A witness that a file is still the one that was written: its size and content; None if it is gone."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            content = hashlib.sha256(file.read(WHOLE_BYTES if size <= WHOLE_BYTES else END_BYTES))
            if size > WHOLE_BYTES:
                file.seek(size - END_BYTES)
                content.update(file.read(END_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return f"{size}-{content.hexdigest()}"


def replace_folder(made: Path, path: Path) -> None:
    """Put a finished folder in the place of an older one; a power cut then leaves a whole one or none."""
    for file in sorted(made.rglob("*")):
        sync(file)
    sync(made)
    if path.exists():
        shutil.rmtree(path)
    made.replace(path)
    sync(path.parent)


def move(path: Path, target: Path) -> None:
    """Move a file or folder to a new name on the same disk; a power cut then leaves it under one name or the other."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    sync(target.parent)
    sync(path.parent)


def nearest(path: Path) -> Path:
    """The path itself if it exists, else the first folder above it that does."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
