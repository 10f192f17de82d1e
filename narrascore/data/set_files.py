"""What lies in the folder of a downloaded film set: label files, films, and which belong together.

Nothing outside the folder is ever read: names in a table stay under it, and a link that leads out is refused.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from narrascore.errors import InputError

FILM_SUFFIXES = frozenset(".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .wmv .flv .ogv".split())
FILM_TABLE = "films.csv"
"""Films that have another name than their labels: `id,film`, the film's path from the set's folder."""


@dataclass(frozen=True)
class FoundFilm:
    """One film of a set, as the folder shows it.

    Attributes:
        id: unique within the set; of a film with labels, fit for a file's name.
        film: None where it was not found.
        labels: its label files.
        split: the set's own published split, where there is one.
        fault: why it cannot be used, one line; None if nothing is wrong so far.
    """

    id: str
    film: Path | None
    labels: tuple[Path, ...] = ()
    split: str | None = None
    fault: str | None = None


def path_under(root: Path, name: str | Path) -> Path:
    """The path of a file named within a set's folder.

    Raises:
        InputError: if the name is absolute, climbs with `..`, or is a link that leads out of the folder.
    """
    kinds = (PurePosixPath(name), PureWindowsPath(name))
    if any(kind.root or kind.drive or ".." in kind.parts for kind in kinds):
        raise InputError(f"{name}: names stay under {root}; give the path from there, without ..")
    path = root / name
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        raise InputError(f"{name}: a link that leads out of {root}, to {real}; copy what it shows into that folder")
    return path


def files_under(root: Path) -> list[Path]:
    """All files below a folder, sorted; hidden ones, such as a Mac's `._NAME`, are left out.

    Raises:
        InputError: if there is no such folder, or a folder in it is a link that leads out of it.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; data.root is where the set was unpacked")
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            path_under(root, (Path(folder) / name).relative_to(root))
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    return sorted(found)


def pair_films(
    root: Path,
    files: Iterable[Path],
    labels: Mapping[str, Sequence[Path]],
    *,
    also_named: Mapping[str, str] | None = None,
) -> list[FoundFilm]:
    """Put label files and films together by name; whatever has no partner, or more than one, gets a fault.

    Where no film has the very name of its labels, upper and lower case, spaces and underscores make no difference.

    Args:
        root: of the set.
        files: those among which films are looked for, by their suffix.
        labels: id -> its label files.
        also_named: id -> another name under which its film may lie.
    """
    films: dict[str, list[Path]] = {}
    for path in files:
        if path.suffix.lower() in FILM_SUFFIXES:
            films.setdefault(_key(path.stem), []).append(path)
    table = _read_film_table(root)
    found, used = [], set()
    for name in sorted(labels):
        names = [name, (also_named or {}).get(name, name)]
        alike = list(dict.fromkeys(path for kind in names for path in films.get(_key(kind), ())))
        choices = [path for path in alike if path.stem in names] or alike
        fault = None if _key(name) else "a name without a letter or digit"
        if name in table:
            try:
                choices = [path_under(root, table[name])]
            except InputError as error:
                fault = f"{FILM_TABLE}: {error}"
        used.update(choices)
        found.append(_with_film(root, FoundFilm(name, None, tuple(labels[name]), fault=fault), choices))
    for paths in films.values():
        for path in paths:
            if path not in used:
                shown = path.relative_to(root).as_posix()
                found.append(FoundFilm(shown, path, fault="no labels for this film"))
    return found


def _with_film(root: Path, film: FoundFilm, choices: Sequence[Path]) -> FoundFilm:
    fault = film.fault
    if fault is None and not choices:
        fault = f"no film for its labels ({film.labels[0].name}) under {root}; name it {film.id}, or in {FILM_TABLE}"
    elif fault is None and len(choices) > 1:
        shown = " and ".join(path.relative_to(root).as_posix() for path in choices)
        fault = f"more than one film for its labels: {shown}; keep one, or say which in {FILM_TABLE}"
    if fault is None:
        try:
            for path in (choices[0], *film.labels):
                path_under(root, path.relative_to(root))
        except InputError as error:
            fault = str(error)
    return FoundFilm(film.id, choices[0] if choices else None, film.labels, film.split, fault)


def _read_film_table(root: Path) -> dict[str, str]:
    path = root / FILM_TABLE
    if not path.exists():
        return {}
    try:
        with path_under(root, FILM_TABLE).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            if next(reader, None) != ["id", "film"]:
                raise InputError(f"{path}, line 1: the columns must be id,film")
            table: dict[str, str] = {}
            for row in reader:
                if len(row) != 2 or row[0] in table:
                    raise InputError(f"{path}, line {reader.line_num}: an id, once, and its film wanted, got {row}")
                table[row[0]] = row[1]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    return table


def _key(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())
