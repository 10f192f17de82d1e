"""The text files of film sets as tables of numbers; whatever is wrong in one is said with its line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from narrascore.errors import InputError

MAX_BYTES = 32 * 2**20

Row = tuple[int, tuple[float, ...]]
"""The number of a line, and its values."""


def read_rows(
    path: Path, *, delimiter: str | None, widths: Sequence[int], columns: Sequence[str] | None = None
) -> list[Row]:
    """Read a table of numbers.

    Args:
        path: a text file.
        delimiter: between columns; None for any white space.
        widths: how many columns there may be.
        columns: their names, if the first line must give them; upper and lower case are equal.

    Returns:
        (number of the line, its values), blank lines left out.

    Raises:
        InputError: naming the file and the line that cannot be used.
    """
    lines = read_lines(path)
    number, first = lines[0]
    if columns is not None:
        wanted = [name.casefold() for name in columns]
        if [cell.casefold() for cell in split_line(first, delimiter)] != wanted:
            header = _called(delimiter).join(columns)
            raise InputError(f"{path.name}, line {number}: the header {header} is wanted, got {_shown(first)}")
        lines = lines[1:]
    if not lines:
        raise InputError(f"{path.name}: no label follows the header")
    return [(number, _numbers(path.name, number, line, delimiter, widths)) for number, line in lines]


def read_lines(path: Path) -> list[tuple[int, str]]:
    """(number, text) of the lines that are not blank, at least one.

    Raises:
        InputError: if the file is empty, no text, or cannot be read.
    """
    try:
        if not path.is_file():  # a FIFO would block for ever
            raise InputError(f"{path.name}: not a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name}: larger than {MAX_BYTES >> 20} MiB, so hardly labels")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: cannot be read as text ({error})") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(f"{path.name}: the file is empty, so the film has no labels")
    return lines


def split_line(line: str, delimiter: str | None) -> list[str]:
    """The cells of a line without the white space around them, and without an empty one at its end."""
    cells = [cell.strip() for cell in line.split(delimiter)]
    return cells[:-1] if len(cells) > 1 and not cells[-1] else cells


def _numbers(name: str, number: int, line: str, delimiter: str | None, widths: Sequence[int]) -> tuple[float, ...]:
    cells = split_line(line, delimiter)
    if len(cells) not in widths:
        wanted = " or ".join(map(str, widths))
        raise InputError(
            f"{name}, line {number}: {wanted} columns with {_called(delimiter)} between them are wanted, "
            f"got {_shown(line)}"
        )
    try:
        values = tuple(float(cell) for cell in cells)
    except ValueError as error:
        raise InputError(f"{name}, line {number}: numbers are wanted, got {_shown(line)}") from error
    if not all(map(math.isfinite, values)):
        raise InputError(f"{name}, line {number}: finite numbers are wanted, got {_shown(line)}")
    return values


def _called(delimiter: str | None) -> str:
    return {None: " ", "\t": "<tab>"}.get(delimiter, str(delimiter))


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:57] + "...")
