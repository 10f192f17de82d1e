"""Measurements as Markdown to read, CSV to plot and JSON to compare, each with what it takes to repeat them."""

from __future__ import annotations

import csv
import io
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import narrascore
from narrascore.files import write_text

LIBRARIES = ("torch", "transformers", "numpy", "muspy", "pytorch-lightning")
DASH = "-"


@dataclass(frozen=True)
class Table:
    """A table as it is read: every cell is text.

    Attributes:
        note: what the numbers are, in a sentence or two under the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def __post_init__(self) -> None:
        wrong = [row for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            raise ValueError(f"table {self.title!r} has {len(self.columns)} columns: got a row of {len(wrong[0])}")

    def to_markdown(self) -> str:
        """The table under its title, columns aligned so that it reads well as plain text too."""
        lines = [self.columns, *self.rows]
        cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
        widths = [max(3, *(len(line[i]) for line in cells)) for i in range(len(self.columns))]
        text = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
            for line in cells
        ]
        text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([f"## {self.title}", "", *text, *(["", self.note] if self.note else [])]) + "\n"


def provenance(command: str, seed: int, n: int, **more: object) -> dict[str, object]:
    """What it takes to repeat a measurement: the command, seeds, sizes, versions and machine."""
    return {
        "command": command,
        "seed": seed,
        "n": n,
        **more,
        "versions": {
            "narrascore": narrascore.__version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in LIBRARIES},
        },
        "machine": f"{platform.system()} {platform.machine()}",
    }


def write_report(
    folder: Path,
    name: str,
    title: str,
    tables: Sequence[Table],
    records: Sequence[Mapping[str, object]],
    repeat: Mapping[str, object],
) -> str:
    """Write `name.md` (tables), `name.csv` (records) and `name.json` (everything) into a folder.

    Args:
        records: one for each single measurement, all with the same keys; None and nan are empty in the CSV and null
            in the JSON.
        repeat: from `provenance`.

    Returns:
        The Markdown.
    """
    text = f"# {title}\n\n" + "\n".join(table.to_markdown() for table in tables)
    text += "\n## To repeat\n\n```json\n" + _json(repeat) + "```\n"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{name}.md", text)
    write_text(folder / f"{name}.csv", _csv(records))
    shown = [{"title": t.title, "columns": t.columns, "rows": t.rows, "note": t.note} for t in tables]
    write_text(folder / f"{name}.json", _json({"title": title, "repeat": repeat, "tables": shown, "records": records}))
    return text


def yes_no(value: bool | None) -> str:
    """`yes`, `no`, or a dash where nothing could be compared."""
    return DASH if value is None else "yes" if value else "no"


def _csv(records: Sequence[Mapping[str, object]]) -> str:
    out = io.StringIO()
    if records:
        fields = dict.fromkeys(field for record in records for field in record)
        writer = csv.DictWriter(out, list(fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows([{key: _known(value) for key, value in record.items()} for record in records])
    return out.getvalue()


def _json(value: object) -> str:
    return json.dumps(_known(value), indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _known(value: object) -> object:
    """The value with None where it holds a number that is not finite: JSON has no nan."""
    if isinstance(value, Mapping):
        return {str(key): _known(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
