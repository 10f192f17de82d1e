"""Labelled films as a folder: which films, where their labels are known, and who is trained on which.

    folder/
      films.json           one entry a film: id, path, split, seconds
      labels.safetensors   <id> [F, 2] float32: valence and arousal of second [f, f + 1), NaN where there is no label

Written by the preparation of film sets, read by the training of the probe.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from narrascore.errors import InputError
from narrascore.windows import overlapping_windows

FILMS_FILE, LABELS_FILE = "films.json", "labels.safetensors"
SPLITS = ("train", "validation", "test")
CLIP_SECONDS, HOP_SECONDS = 30, 15
"""The paper's clips: 30 s, one every 15 s (4.1)."""


@dataclass(frozen=True, eq=False)
class LabelledFilm:
    """A film and what its viewers felt.

    Attributes:
        id: unique within the set.
        path: of the film.
        labels: `[F, 2]` float32, valence and arousal in [-1, 1] of each second, NaN where there is no label.
        split: `train`, `validation` or `test`; a film is wholly in one.
    """

    id: str
    path: Path
    labels: NDArray[np.float32]
    split: str

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.shape[1] != 2 or self.labels.dtype != np.float32:
            raise ValueError(f"labels are [F, 2] float32: got {self.labels.shape} {self.labels.dtype}")
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}: got {self.split!r}")

    @property
    def known(self) -> NDArray[np.bool_]:
        """`[F]`: seconds whose valence and arousal are both labelled."""
        return np.asarray(np.isfinite(self.labels).all(axis=1))

    def clips(self) -> list[tuple[int, int]]:
        """Seconds (start, stop) of its clips of 30 s, one every 15 s, over the labelled part alone.

        The last is moved back to end with the labels; a part shorter than a clip is one clip.
        """
        seconds = np.flatnonzero(self.known)
        if not len(seconds):
            return []
        first, total = int(seconds[0]), int(seconds[-1]) + 1 - int(seconds[0])
        windows = overlapping_windows(total, CLIP_SECONDS, CLIP_SECONDS - HOP_SECONDS)
        return [(first + start, first + stop) for start, stop in windows]


def write_films(folder: str | Path, films: Sequence[LabelledFilm]) -> None:
    """Write a set, labels first: where `films.json` lies, the set is whole."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if len({film.id for film in films}) != len(films):
        raise ValueError("two films have the same id")
    save_file({film.id: np.ascontiguousarray(film.labels) for film in films}, str(folder / LABELS_FILE))
    entries = [
        {"id": film.id, "path": str(film.path), "split": film.split, "seconds": len(film.labels)} for film in films
    ]
    partial = folder / f".{FILMS_FILE}.tmp"
    partial.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / FILMS_FILE)


def read_films(folder: str | Path, split: str | None = None) -> list[LabelledFilm]:
    """The films of a set, of one split or all, in the order in which they were written.

    Raises:
        InputError: if the folder holds no such set.
    """
    folder = Path(folder)
    try:
        entries = json.loads((folder / FILMS_FILE).read_text(encoding="utf-8"))
        labels = load_file(folder / LABELS_FILE)
        films = [
            LabelledFilm(entry["id"], Path(entry["path"]), labels[entry["id"]], entry["split"]) for entry in entries
        ]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(f"{folder}: no set of labelled films ({error}); prepare one first") from error
    return [film for film in films if split in (None, film.split)]
