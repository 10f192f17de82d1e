"""A folder of one's own: films, and beside each a table of what was felt.

NAME.mp4    any film that can be scored
NAME.csv    time_seconds,valence,arousal at any rising times, in [-1, 1]: what a scored film's curve.csv has
"""

from __future__ import annotations

from pathlib import Path

from narrascore.affect import CSV_COLUMNS
from narrascore.data.label_tables import read_rows
from narrascore.data.set_files import FILM_TABLE, FoundFilm, files_under, pair_films
from narrascore.data.traces import FilmLabels, trace_of
from narrascore.errors import InputError


def find_films(root: Path) -> list[FoundFilm]:
    """The films and tables that lie in the folder itself.

    Raises:
        InputError: if there is no such folder, or no table in it.
    """
    files = [path for path in files_under(root) if path.parent == root]
    tables = {path.stem: [path] for path in files if path.suffix == ".csv" and path.name != FILM_TABLE}
    if not tables:
        raise InputError(f"{root}: no NAME.csv beside a film; its columns are {','.join(CSV_COLUMNS)}")
    return pair_films(root, files, tables)


def read_labels(found: FoundFilm, seconds: int) -> FilmLabels:
    """The table as it is given.

    Args:
        found: the film.
        seconds: F, of the film.

    Raises:
        InputError: if the table cannot be used.
    """
    path = found.labels[0]
    trace = trace_of(path.name, read_rows(path, delimiter=",", widths=(3,), columns=CSV_COLUMNS), 0, (1, 2))
    return FilmLabels.of(trace.by_second(seconds), [trace])
