"""LIRIS-ACCEDE continuous: 30 films under free licences, what their viewers felt, second by second.

    continuous-movies/<Movie>.mp4
    continuous-annotations/<Movie>_Valence.txt, <Movie>_Arousal.txt    Time <tab> Mean <tab> Std; 1 Hz, in [-1, 1]

The two folders may lie anywhere below the set's, as the archives unpack. No split is published.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from narrascore.data.label_tables import read_rows
from narrascore.data.set_files import FoundFilm, files_under, pair_films
from narrascore.data.traces import FilmLabels, Trace, trace_of
from narrascore.errors import InputError

MOVIES, ANNOTATIONS = "continuous-movies", "continuous-annotations"
DIMENSIONS = ("Valence", "Arousal")
COLUMNS = ("Time", "Mean", "Std")
_NAME = re.compile(rf"(?P<movie>.+)_(?P<dimension>{'|'.join(DIMENSIONS)})\.txt")


def find_films(root: Path) -> list[FoundFilm]:
    """The set's films and labels.

    Raises:
        InputError: if there is no such folder, or no labels in it.
    """
    files = files_under(root)
    labels: dict[str, list[Path]] = {}
    for path in files:
        match = _NAME.fullmatch(path.name)
        if match and path.parent.name == ANNOTATIONS:
            labels.setdefault(match["movie"], []).append(path)
    if not labels:
        raise InputError(f"{root}: no {ANNOTATIONS}/<Movie>_Valence.txt; data.root is where the archives were unpacked")
    return pair_films(root, [path for path in files if path.parent.name == MOVIES], labels)


def read_labels(found: FoundFilm, seconds: int) -> FilmLabels:
    """The mean over the viewers, as the set gives it.

    Args:
        found: the film.
        seconds: F, of the film.

    Raises:
        InputError: if a file is missing, doubled, or cannot be used.
    """
    traces = [_read_dimension(found, dimension) for dimension in DIMENSIONS]
    return FilmLabels.of(np.concatenate([trace.by_second(seconds) for trace in traces], axis=1), traces)


def _read_dimension(found: FoundFilm, dimension: str) -> Trace:
    name = f"{found.id}_{dimension}.txt"
    paths = [path for path in found.labels if path.name == name]
    if len(paths) != 1:
        raise InputError(f"{name}: {'found twice' if paths else 'missing'}; both dimensions are wanted, once")
    rows = read_rows(paths[0], delimiter="\t", widths=(len(COLUMNS),), columns=COLUMNS)
    return trace_of(name, rows, time=0, values=(1,))
