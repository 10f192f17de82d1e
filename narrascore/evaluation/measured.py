"""Rows of a table out of pieces: does the music follow its curve, and is it music?

Every value is a mean over pieces with its bootstrap interval: Pearson's r at zero lag of (dimension, feature) for the
pairs of `SOUND_PAIRS` and `NOTE_PAIRS`, with Spearman's rho and CCC beside it in the records, and of the notes two of
the statistics of `sanity`. The first row is also held against the curves of the other films: the floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from narrascore.affect import AffectCurve
from narrascore.evaluation.cells import Cell, Missing, cell_records, cells_to_table
from narrascore.evaluation.intervals import Estimate, mean_over_pieces
from narrascore.evaluation.music import Progress
from narrascore.evaluation.pieces import LONG_SECONDS, Piece, listen_to_all
from narrascore.evaluation.rules import RuleReader
from narrascore.evaluation.sanity import piece_statistics
from narrascore.evaluation.tables import Table
from narrascore.evaluation.tracking import Features, Pair, concordance, pearson, scale_of, spearman, together

SOUND_PAIRS = (
    ("arousal", "loudness"),
    ("arousal", "sound onsets"),
    ("arousal", "flux"),
    ("arousal", "centroid"),
    ("valence", "sound mode"),
    ("valence", "sound consonance"),
)
NOTE_PAIRS = (
    ("arousal", "dynamics"),
    ("arousal", "onsets"),
    ("arousal", "tempo"),
    ("valence", "mode"),
    ("valence", "consonance"),
)
RULED_PAIRS = (("arousal", "ruled arousal"), ("valence", "ruled valence"))
NOTE_STATISTICS = ("scale consistency", "empty beats")
CORRELATIONS = {"pearson": pearson, "spearman": spearman, "ccc": concordance}
OTHERS = "the first row, against other films' curves"
NO_NOTES = Missing("sound alone is known of this music, so nothing is read from notes")

SystemRow = Sequence[Piece] | Missing
"""A system's pieces, or why there are none."""
Heard = dict[str, list[tuple[Piece, Features]]]


def split_by_length(systems: Mapping[str, SystemRow]) -> dict[str, dict[str, SystemRow]]:
    """The systems' short and middle pieces, and their long ones, under a title each; a length that nobody has is left
    out."""
    lengths: dict[str, dict[str, SystemRow]] = {}
    for title, long in ((f"Films under {LONG_SECONDS} s", False), (f"Long films, {LONG_SECONDS} s and more", True)):
        rows = {
            name: row if isinstance(row, Missing) else [piece for piece in row if piece.is_long is long]
            for name, row in systems.items()
        }
        if any(not isinstance(row, Missing) and row for row in rows.values()):
            nothing = Missing("this system has no music of this length")
            lengths[title] = {name: row or nothing for name, row in rows.items()}
    return lengths


def measure_systems(
    systems: Mapping[str, SystemRow],
    folder: Path,
    *,
    seed: int = 0,
    rules: RuleReader | None = None,
    progress: Progress | None = None,
) -> tuple[list[Table], list[dict[str, object]]]:
    """Measure systems on the pieces they have, long films apart from the others.

    Args:
        systems: each one's pieces, or why there are none.
        folder: keeps what was heard.
        seed: of the bootstrap.
        rules: reads valence and arousal off the sound, in two more columns.
        progress: told what is being heard.

    Returns:
        Tables of sound, of notes and, with `rules`, of agreement with the rules for each length; and one record for
        each cell and correlation.
    """
    tables: list[Table] = []
    records: list[dict[str, object]] = []
    for title, rows in split_by_length(systems).items():
        heard: Heard = {name: [] for name in rows}
        known = {name: row for name, row in rows.items() if not isinstance(row, Missing)}
        for name, piece, features in listen_to_all(known, folder, progress):
            heard[name].append((piece, features | (rules(features) if rules else {})))
        missing = {name: row for name, row in rows.items() if isinstance(row, Missing)}
        for what, pairs, note in _groups(rules):
            cells = {measure: _correlated(heard, missing, pairs, measure, seed) for measure in CORRELATIONS}
            shown = list(cells["pearson"])
            if what == "its notes":
                cells["statistics"] = _counted(heard, missing, seed)
                shown += cells["statistics"]
            tables.append(cells_to_table(f"{title}: {what}", shown, note))
            for measure, found in cells.items():
                records += cell_records(found, films=title, measure=measure)
    return tables, records


def _groups(rules: RuleReader | None) -> list[tuple[str, Sequence[Pair], str]]:
    headline = "Pearson's r at zero lag, mean over pieces with its 95 % bootstrap interval"
    groups: list[tuple[str, Sequence[Pair], str]] = [
        ("its sound", SOUND_PAIRS, f"{headline}; {OTHERS}: what a curve that was not asked for would get."),
        ("its notes", NOTE_PAIRS, f"{headline}; scale consistency and empty beats over stretches of 30 s."),
    ]
    return groups if rules is None else [*groups, ("agreement with the rules", RULED_PAIRS, rules.caveat)]


def _correlated(
    heard: Heard, missing: Mapping[str, Missing], pairs: Sequence[Pair], measure: str, seed: int
) -> list[Cell]:
    """One cell for each system and pair, in the systems' order, then the first system against the others' curves."""
    cells = []
    for pair in pairs:
        gain, offset = scale_of(pair, [(piece.curve, features) for row in heard.values() for piece, features in row])

        def follows(curve: AffectCurve, features: Features, pair: Pair = pair, to: tuple[float, float] = (gain, offset)
                    ) -> float:  # fmt: skip
            asked, played = together(curve, pair[0], features[pair[1]])
            return CORRELATIONS[measure](asked, to[0] * played + to[1])

        metric = "-".join(pair)
        for system, row in heard.items():
            noted = [(piece.curve, features) for piece, features in row if pair[1] in features]
            value: Estimate | Missing = missing.get(system, NO_NOTES)
            if noted:
                value = mean_over_pieces([follows(curve, features) for curve, features in noted], seed)
            cells.append(Cell(system, metric, value))
        first = next((row for row in heard.values() if row), [])
        wrong = [
            float(np.mean([follows(other.curve, features) for other, _ in first if other is not piece]))
            for piece, features in first if pair[1] in features and len(first) > 1
        ]  # fmt: skip
        if wrong:
            cells.append(Cell(OTHERS, metric, mean_over_pieces(wrong, seed)))
    return cells


def _counted(heard: Heard, missing: Mapping[str, Missing], seed: int) -> list[Cell]:
    cells = []
    for system, row in heard.items():
        counted = [piece_statistics(piece.codes) for piece, _ in row if piece.codes is not None]
        for name in NOTE_STATISTICS:
            value: Estimate | Missing = missing.get(system, NO_NOTES)
            if counted:
                value = mean_over_pieces([statistics[name] for statistics in counted], seed)
            cells.append(Cell(system, name, value))
    return cells
