"""Tables as they are found in downloaded sets: CSV with spaces in its header, short rows and stray tabs."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from narrascore.errors import InputError
from narrascore.media.opening import require_regular_file

MAX_BYTES = 256 * 2**20
NOTHING = frozenset({"", "nan", "na", "n/a", "null", "none"})


class Row(dict[str, str]):
    """One row, column -> text without surrounding space; columns that a short row lacks are empty.

    Attributes:
        line: its number in the file, from 1.
        cells: all of it by position, for tables whose header does not name every column.
    """

    def __init__(self, path: Path, line: int, header: Sequence[str], cells: Sequence[str]) -> None:
        super().__init__(dict.fromkeys(header, ""))
        self.update(zip(header, cells, strict=False))
        self.path, self.line, self.cells = path, line, list(cells)

    def number(self, column: str, absent: float | None = None) -> float:
        """The number in a column; `absent`, if given, where the cell is empty or NaN.

        Raises:
            InputError: if it is no finite number.
        """
        text = self[column]
        if text.lower() in NOTHING and absent is not None:
            return absent
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{self.path.name}, line {self.line}: {column} must be a number: got {text!r}")
        return value


def read_table(path: Path, wanted: Sequence[str]) -> Iterator[Row]:
    """Read a CSV row by row.

    Args:
        path: a regular file in UTF-8; bytes that are not become replacement characters.
        wanted: columns that it must have.

    Raises:
        InputError: if it cannot be read or lacks a column, with the number of the line.
    """
    require_regular_file(path)
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path.name}: larger than {MAX_BYTES >> 20} MiB, so hardly a table")
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            header = [cell.strip() for cell in next(reader, [])]
            absent = [column for column in wanted if column not in header]
            if absent:
                raise InputError(f"{path.name}, line 1: no column {absent[0]}; there are {', '.join(header[:8])}")
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield Row(path, reader.line_num, header, [" ".join(cell.split()) for cell in cells])
        except csv.Error as error:
            raise InputError(f"{path.name}, line {reader.line_num}: {error}") from error


def find_one(root: Path, tail: str) -> Path:
    """The one file or folder under `root` whose path ends in `tail`; links are not followed.

    Raises:
        InputError: if there is none, or more than one.
    """
    found = find_all(root, tail)
    if len(found) != 1:
        there = "none" if not found else f"{len(found)}: {', '.join(str(path.relative_to(root)) for path in found[:3])}"
        raise InputError(f"{root}: one {tail} is wanted somewhere in it, there is {there}; give the set's own folder")
    return found[0]


def find_all(root: Path, tail: str) -> list[Path]:
    """All files and folders under `root` whose path ends in `tail`, sorted."""
    parts, found = Path(tail).parts, []
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            if name == parts[-1] and path.relative_to(root).parts[-len(parts) :] == parts:
                found.append(path)
    return sorted(found)
