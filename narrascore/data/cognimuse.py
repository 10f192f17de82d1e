"""COGNIMUSE: half an hour each of Hollywood films, what seven viewers felt, most of them on two viewings.

    subj{S}_{I}_{MOVIE}.dat    time valence arousal, white space between them, no header; 25 Hz, in [-1, 1]

S is the viewer, I the viewing. Files may lie in any folder below the set's ("Emotion Annotation/experienced" in the
archive); the "intended" ones, an expert's view of what was meant, are not read: what is induced is what music needs.

The films themselves are not in the archive. Cut the excerpt that was annotated and name it after the movie
(`Crash.mp4`) or its code (`CRA.mp4`), or say which it is in `films.csv`. No split is published.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from narrascore.data.label_tables import read_rows
from narrascore.data.set_files import FoundFilm, files_under, pair_films
from narrascore.data.traces import FilmLabels, Trace, trace_of
from narrascore.errors import InputError

CODES = {
    "AmericanBeauty": "ABE", "BeautifulMind": "BMI", "Chicago": "CHI", "Crash": "CRA", "TheDeparted": "DEP",
    "FindingNemo": "FNE", "Gladiator": "GLA", "LOTRReturn": "LOR", "MDB": "MDB", "NoCountry": "NCO",
    "Ratatouille": "RAT", "ShakespeareInLove": "SIL",
}  # fmt: skip
"""The movie in a label file's name -> the code by which the database calls the excerpt."""

_NAME = re.compile(r"subj(?P<subject>\d+)_(?P<viewing>\d+)_(?P<movie>.+)\.dat", re.IGNORECASE)


def find_films(root: Path) -> list[FoundFilm]:
    """The movies that have labels, and the excerpts found for them.

    Raises:
        InputError: if there is no such folder, or no labels in it.
    """
    files = files_under(root)
    labels: dict[str, list[Path]] = {}
    for path in files:
        if match := _NAME.fullmatch(path.name):
            labels.setdefault(match["movie"], []).append(path)
    if not labels:
        raise InputError(f"{root}: no subj1_1_<Movie>.dat; data.root is where the archive was unpacked")
    return pair_films(root, files, labels, also_named=CODES)


def read_labels(found: FoundFilm, seconds: int) -> FilmLabels:
    """The mean over the viewers, each of whom is the mean of their own viewings, so that all count the same.

    A second that one of the files does not reach has no label.

    Args:
        found: the movie.
        seconds: F, of the excerpt.

    Raises:
        InputError: if a file is doubled or cannot be used.
    """
    viewings: dict[str, list[Trace]] = {}
    names: set[str] = set()
    for path in found.labels:
        match = _NAME.fullmatch(path.name)
        if match is None or path.name in names:
            raise InputError(f"{path.name}: found twice; keep one")
        names.add(path.name)
        trace = trace_of(path.name, read_rows(path, delimiter=None, widths=(3,)), time=0, values=(1, 2))
        viewings.setdefault(match["subject"], []).append(trace)
    viewers = [np.mean([trace.by_second(seconds) for trace in traces], axis=0) for traces in viewings.values()]
    return FilmLabels.of(np.mean(viewers, axis=0), [trace for traces in viewings.values() for trace in traces])
