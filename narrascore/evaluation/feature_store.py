"""Features of a folder's clips, each computed once and kept: a stopped run goes on where it stopped.

    cache/<digest of the embedder's description>/<digest of the clip's samples>.safetensors     values [D] float64

The key is what was heard, not where it lay: a file that is moved or renamed costs nothing, one that is changed is heard
anew, and so is everything when an embedder's weights or settings change.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from narrascore.errors import InputError
from narrascore.evaluation.clips import pieces_in
from narrascore.files import array_digest, digest
from narrascore.media.output import replacing

Progress = Callable[[str], None]


@dataclass(frozen=True)
class FeatureSet:
    """One row a clip.

    Attributes:
        values: `[n, D]` float64.
        pieces: which piece each clip is of, `[n]`.
        places: which clip of its piece it is, `[n]`, from 0.
    """

    values: NDArray[np.float64]
    pieces: Sequence[str]
    places: Sequence[int]

    @property
    def clips(self) -> list[tuple[str, int]]:
        """(piece, place) of every row; what pairs the clips of two sets."""
        return list(zip(self.pieces, self.places, strict=True))

    def rows_of(self) -> list[NDArray[np.int64]]:
        """The rows of each piece, which are resampled and halved together: a piece's clips are no independent draws."""
        names = np.array(self.pieces)
        return [np.flatnonzero(names == name) for name in dict.fromkeys(self.pieces)]


class ClipReader(Protocol):
    """What the store asks of an embedder that looks at clips."""

    @property
    def name(self) -> str: ...

    @property
    def suffixes(self) -> tuple[str, ...]: ...

    def describe(self) -> dict[str, object]: ...

    def clips(self, path: Path) -> Iterator[NDArray[Any]]: ...

    def embed(self, clip: NDArray[Any]) -> NDArray[np.float64]: ...


def embed_folder(embedder: ClipReader, folder: Path, cache: Path, progress: Progress | None = None) -> FeatureSet:
    """Every clip of every piece in a folder, from the cache where it has been embedded before.

    Raises:
        InputError: if the folder holds no piece that this embedder reads, or one cannot be read.
        ModelUnavailableError: if the embedder's weights are not at hand.
    """
    pieces = pieces_in(folder, embedder.suffixes)
    if not pieces:
        raise InputError(f"{folder}: no music for {embedder.name}, which reads {', '.join(embedder.suffixes)}")
    shelf = cache / digest(embedder.describe())[:16]
    shelf.mkdir(parents=True, exist_ok=True)
    rows: list[NDArray[np.float64]] = []
    names: list[str] = []
    places: list[int] = []
    for number, piece in enumerate(pieces, start=1):
        if progress is not None:
            progress(f"{embedder.name}: {folder.name}, piece {number} of {len(pieces)}")
        for place, clip in enumerate(embedder.clips(piece.path)):
            rows.append(_kept_or_made(shelf / f"{array_digest(clip)}.safetensors", embedder, clip))
            names.append(piece.name)
            places.append(place)
    return FeatureSet(np.stack(rows), names, places)


def _kept_or_made(path: Path, embedder: ClipReader, clip: NDArray[Any]) -> NDArray[np.float64]:
    """The saved row; embedded and saved if it is absent or was cut short."""
    with contextlib.suppress(SafetensorError, OSError), safe_open(path, framework="numpy") as file:
        return np.asarray(file.get_tensor("values"))
    values = np.ascontiguousarray(embedder.embed(clip), dtype=np.float64)
    with replacing(path) as partial:
        save_file({"values": values}, partial)
    return values
