"""Small tables as spreadsheets and editing programs write them: whichever letters, separators and decimal marks."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

from narrascore.errors import InputError

MAX_TABLE_BYTES = 32 * 2**20
SEPARATORS = (",", ";", "\t")
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)


def read_table(path: Path, what: str) -> Iterator[tuple[int, list[str]]]:
    """Read a table row by row, its header first.

    It is UTF-8, with or without a byte order mark, or UTF-16 with one, and separated by commas, semicolons or tabs,
    whichever its first line has most of.

    Args:
        path: the table.
        what: its name in messages, such as `curve mine.csv`.

    Yields:
        (line, cells): cells without the space around them and without the empty ones at the end; empty rows are left
        out.

    Raises:
        InputError: if it is no such table.
    """
    text = _read_text(path, what)
    header = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=header.count)  # of equal counts the first
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"{what}, line {reader.line_num}: {error}") from error


class Numbers:
    """Reads the numbers of one table, whose decimal mark is a point or a comma, but the same in all of it.

    Otherwise 1,234 might be one and a bit or more than a thousand.
    """

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def read(self, cell: str, where: str) -> float:
        """A finite number.

        Args:
            cell: what stands there.
            where: table and line, for messages.

        Raises:
            InputError: if it is none, or written with another decimal mark than an earlier one.
        """
        mark = "," if _WITH_COMMA.fullmatch(cell) else "." if "." in cell else ""
        try:
            number = float(cell.replace(",", ".") if mark == "," else cell)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"{where}: {cell!r} is not a finite number")
        if mark:
            self._first.setdefault(mark, cell)
        if len(self._first) > 1:
            both = " and ".join(self._first.values())
            raise InputError(f"{where}: decimals have a point or a comma, but not both in one table: {both}")
        return number


def _read_text(path: Path, what: str) -> str:
    try:
        if not path.is_file():
            raise InputError(f"{what}: not a regular file")
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise InputError(f"{what}: larger than {MAX_TABLE_BYTES >> 20} MiB, so hardly such a table")
        data = path.read_bytes()
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return data.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{what}: cannot be read as text ({error}); save it as CSV in UTF-8") from error
