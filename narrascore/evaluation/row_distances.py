"""Distances of a table's rows to reference music, beside the reference's distance to itself (paper 4.2, Table 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from narrascore.evaluation.cells import Missing
from narrascore.evaluation.comparison import compare_systems
from narrascore.evaluation.embedders import Embedder
from narrascore.evaluation.measured import SystemRow, split_by_length
from narrascore.evaluation.music import Progress
from narrascore.evaluation.tables import Table


def measure_distances(
    systems: Mapping[str, SystemRow],
    reference: Path,
    embedders: Sequence[Embedder],
    folder: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[list[Table], list[dict[str, object]]]:
    """Compare every row's sound with reference music, long films apart from the others.

    Args:
        systems: each row's pieces, or why there are none; rows without a folder of their own are left out.
        reference: a folder of sound files. A row that lies in it is the reference itself and is left out.
        embedders: whose features are compared.
        folder: keeps the features in `features/`.
        seed: of resampling and halving.
        progress: told what is being heard and counted.

    Returns:
        A table for each length, and one record for each cell.
    """
    tables: list[Table] = []
    records: list[dict[str, object]] = []
    for title, rows in split_by_length(systems).items():
        folders = {name: place for name, row in rows.items() if (place := folder_of(row)) not in (None, reference)}
        known = {name: place for name, place in folders.items() if place is not None}
        if known:
            report = compare_systems(known, reference, embedders, folder / "features", seed=seed, progress=progress)
            tables.append(report.table(f"{title}: distances"))
            records += [{**record, "films": title, "measure": "distance"} for record in report.records()]
    return tables, records


def folder_of(row: SystemRow | None) -> Path | None:
    """Where all of a row's pieces lie, if that is one folder that holds nothing else."""
    if not row or isinstance(row, Missing):
        return None
    places = {piece.sound.parent for piece in row}
    return places.pop() if len(places) == 1 else None
