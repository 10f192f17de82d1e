"""MediaEval's "Emotional Impact of Movies" task of 2018, and of 2017.

    2018   MEDIAEVAL18_{id:02d}_Valence-Arousal.txt         time, valence, arousal; every second
    2017   MEDIAEVAL17_{id:02d}_Valence-Arousal.txt         segment, start, valence, arousal; segments of 10 s,
           <Movie>-MEDIAEVAL2017-valence_arousal.txt        one every 5 s

Each begins with a line of names; some copies have tabs between columns, some commas. The films are MEDIAEVAL18_{id}.mp4
and so on; files may lie in any folder below the set's. Film 27 of 2018 has an empty label file in some copies, film 46
labels of about 100 s for a film of some 3000 s: both are left out by name.

The published split, as two public loaders have it and the numbers of films add up (the archives themselves were not at
hand): of 2018, films 0 to 53 are for development, 54 to 65 the test; of 2017, the films with a name are for
development, the numbered ones the test. By the same numbers films 0 to 43 of 2018 are those of 2017, the 30 of
LIRIS-ACCEDE continuous among them, so never train on one set and test on another.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from narrascore.data.label_tables import read_lines, read_rows, split_line
from narrascore.data.set_files import FoundFilm, files_under, pair_films
from narrascore.data.traces import FilmLabels, Trace, trace_of
from narrascore.errors import InputError

FIRST_TEST_FILM_2018 = 54
SEGMENT_SECONDS = 10.0
DELIMITERS = ("\t", ",", ";", None)

_NUMBERED = re.compile(r"(?P<film>MEDIAEVAL(?P<year>17|18)_(?P<number>\d{2}))_Valence-Arousal\.txt", re.IGNORECASE)
_NAMED = re.compile(r"(?P<film>.+)-MEDIAEVAL(?P<year>2017)-valence_arousal\.txt", re.IGNORECASE)


def find_films(root: Path) -> list[FoundFilm]:
    """The task's films and labels, those of development without a split of their own.

    Raises:
        InputError: if there is no such folder, no labels in it, or those of both years, which share films.
    """
    files = files_under(root)
    labels: dict[str, list[Path]] = {}
    tests, years = set(), set()
    for path in files:
        match = _NUMBERED.fullmatch(path.name) or _NAMED.fullmatch(path.name)
        if match is None:
            continue
        film, year = match["film"], match["year"][-2:]
        labels.setdefault(film, []).append(path)
        years.add(year)
        numbered = match.re is _NUMBERED
        if numbered and (year == "17" or int(match["number"]) >= FIRST_TEST_FILM_2018):
            tests.add(film)
    if not labels:
        raise InputError(f"{root}: no MEDIAEVAL18_00_Valence-Arousal.txt or the like; data.root holds the archives")
    if len(years) > 1:
        raise InputError(f"{root}: labels of 2017 and of 2018, which share 44 films; give a folder with one of them")
    found = pair_films(root, files, labels)
    return [dataclasses.replace(film, split="test" if film.id in tests else None) for film in found]


def read_labels(found: FoundFilm, seconds: int) -> FilmLabels:
    """The labels as they are given; a segment of 2017 stands for its middle.

    Args:
        found: the film.
        seconds: F, of the film.

    Raises:
        InputError: if the file is doubled or cannot be used.
    """
    if len(found.labels) != 1:
        raise InputError(f"{found.labels[0].name}: found twice; keep one")
    trace = _read_trace(found.labels[0])
    return FilmLabels.of(trace.by_second(seconds), [trace])


def _read_trace(path: Path) -> Trace:
    number, header = read_lines(path)[0]
    choices = [(kind, len(split_line(header, kind))) for kind in DELIMITERS]
    delimiter, width = next((choice for choice in choices if choice[1] in (3, 4)), (None, 0))
    names = split_line(header, delimiter)
    if not width or any(_is_number(name) for name in names):
        raise InputError(
            f"{path.name}, line {number}: three or four names of columns, with tabs, commas or semicolons between "
            f"them, are wanted, got {header[:60]!r}"
        )
    rows = read_rows(path, delimiter=delimiter, widths=(width,), columns=names)
    if width == 3:
        return trace_of(path.name, rows, time=0, values=(1, 2))
    trace = trace_of(path.name, rows, time=1, values=(2, 3))
    return dataclasses.replace(trace, times=trace.times + SEGMENT_SECONDS / 2)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
