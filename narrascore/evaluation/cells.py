"""Tables of systems and metrics: every cell a value with its interval, or a dash that says what would fill it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from narrascore.evaluation.intervals import Estimate
from narrascore.evaluation.tables import DASH, Table


@dataclass(frozen=True)
class Missing:
    """Nothing was measured.

    Attributes:
        why: in a few words.
        command: what would fill the cell; empty where nothing can.
    """

    why: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.why}: `{self.command}`" if self.command else self.why


class Cell(NamedTuple):
    """One system's value of one metric."""

    system: str
    metric: str
    value: Estimate | Missing


def cells_to_table(title: str, cells: Sequence[Cell], note: str = "", digits: str = ".2f") -> Table:
    """Systems down, metrics across, both in the order in which they first come.

    A dash carries the number of a footnote that says why nothing stands there and which command would fill it. A cell
    that was never given is a bare dash.
    """
    systems, metrics = _in_order(cell.system for cell in cells), _in_order(cell.metric for cell in cells)
    found = {(cell.system, cell.metric): cell.value for cell in cells}
    reasons = _in_order(str(value) for value in found.values() if isinstance(value, Missing))
    rows = []
    for system in systems:
        row = [system]
        for metric in metrics:
            value = found.get((system, metric))
            if isinstance(value, Missing):
                row.append(f"{DASH} ({reasons.index(str(value)) + 1})")
            else:
                row.append(DASH if value is None else format(value, digits))
        rows.append(row)
    footnotes = [f"({number}) {reason}." for number, reason in enumerate(reasons, start=1)]
    return Table(title, ["system", *metrics], rows, "\n\n".join([*([note] if note else []), *footnotes]))


def cell_records(cells: Iterable[Cell], **more: object) -> list[dict[str, object]]:
    """One record for each cell, for CSV and JSON."""
    records = []
    for system, metric, value in cells:
        nothing = {"value": None, "low": None, "high": None, "n": 0}
        known = nothing if isinstance(value, Missing) else asdict(value)
        why = str(value) if isinstance(value, Missing) else ""
        records.append({**more, "system": system, "metric": metric, **known, "missing": why})
    return records


def _in_order(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
