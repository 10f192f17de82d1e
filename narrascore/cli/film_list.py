"""Films as they are named on a command line: files, folders of films, and text lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from narrascore.errors import InputError

LIST_SUFFIX = ".txt"
FILM_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .flv .gif .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .webm .wmv".split()
)
"""What counts as a film in a folder; a file that is named itself may be called anything."""


def find_films(names: Sequence[str]) -> list[Path]:
    """Every film that is named, once, in order.

    A folder stands for the films in it, by name; scored films are left out. A `.txt` file is a list of names, one a
    line, seen from the list's own folder; blank lines and those that begin with `#` are left out.

    Raises:
        InputError: if a list cannot be read, or a folder or list names no film.
    """
    films = [film for name in names for film in _films_of(Path(name))]
    return list({film.absolute(): film for film in films}.values())


def _films_of(path: Path) -> list[Path]:
    if path.suffix.lower() == LIST_SUFFIX and path.is_file():
        return _required(path, _listed(path))
    if path.is_dir():
        return _required(path, _inside(path))
    return [path]


def _listed(path: Path) -> Iterator[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of films ({error})") from error
    for line in (line.strip() for line in lines):
        if line and not line.startswith("#"):
            yield path.parent / Path(line).expanduser()


def _inside(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        is_film = path.suffix.lower() in FILM_SUFFIXES and not path.name.startswith(".") and path.is_file()
        if is_film and not path.stem.endswith(".scored"):
            yield path


def _required(path: Path, films: Iterator[Path]) -> list[Path]:
    found = list(films)
    if not found:
        raise InputError(f"{path}: names no film; give films, a folder with films, or a list with one name a line")
    return found
