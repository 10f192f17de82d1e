"""The tracking picture: what was asked and what was played, on one time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from numpy.typing import NDArray

from narrascore.evaluation.curves import EvaluationCurve
from narrascore.evaluation.music import COMPOSER, GATES_CLOSED, MODEL
from narrascore.evaluation.sound_features import SOUND_UNITS
from narrascore.media.output import replacing
from narrascore.synthesis.note_features import UNITS

SHOWN = (("arousal", "loudness"), ("arousal", "onsets"), ("arousal", "tempo"), ("valence", "mode"))
COLOURS = {MODEL: "#c0392b", GATES_CLOSED: "#95a5a6", COMPOSER: "#2471a3"}


def draw_tracking(
    curves: Sequence[EvaluationCurve],
    features: Mapping[str, Sequence[Mapping[str, NDArray[np.float64]]]],
    path: Path,
) -> None:
    """Draw a column for each piece and a row for each pair: the curve filled, every row's feature as a line.

    Args:
        curves: the pieces to be shown, two or three.
        features: for each row of the table, the features of these pieces.
        path: the PNG to be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [pair for pair in SHOWN if all(pair[1] in piece for pieces in features.values() for piece in pieces)]
    figure = Figure(figsize=(5.2 * len(curves), 2.1 * len(shown) + 0.8))
    figure.subplots_adjust(left=0.06, right=0.95, top=0.93, bottom=0.07, wspace=0.4, hspace=0.15)
    axes = figure.subplots(len(shown), len(curves), squeeze=False, sharex="col")
    for column, asked in enumerate(curves):
        axes[0, column].set_title(fill(f"{asked.name}: {asked.anchor.sentence}", 70), fontsize=8)
        axes[-1, column].set_xlabel("seconds")
        for line, (dimension, feature) in enumerate(shown):
            axis = axes[line, column]
            curve = asked.curve.valence if dimension == "valence" else asked.curve.arousal
            axis.fill_between(np.arange(len(curve)), -1, curve, color="#f5cba7", alpha=0.6, linewidth=0)
            axis.set_ylim(-1, 1)
            axis.set_ylabel(f"{dimension} (filled)", fontsize=7)
            played = axis.twinx()
            for row, pieces in features.items():
                played.plot(pieces[column][feature], color=COLOURS.get(row), linewidth=1.2, label=row)
            played.set_ylabel(f"{feature} ({(UNITS | SOUND_UNITS)[feature]})", fontsize=7)
            if line == 0 and column == 0:
                played.legend(fontsize=7, loc="lower right")
    with replacing(path) as partial:
        FigureCanvasAgg(figure).print_png(partial)  # type: ignore[no-untyped-call]


def draw_steps(
    ways: Mapping[tuple[str, str], Mapping[str, NDArray[np.float64]]], before_seconds: int, path: Path
) -> None:
    """Draw a panel for each pair: every row's mean way over a jump.

    Args:
        ways: for each pair and row, the feature at 1 Hz around the jump.
        before_seconds: how much of each lies before it.
        path: the PNG to be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = {pair: rows for pair, rows in ways.items() if rows}
    columns = 4
    lines = -(-len(shown) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.3 * lines + 0.4), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True).ravel()
    for axis, (pair, rows) in zip(axes, shown.items(), strict=False):
        axis.axvline(0, color="black", linewidth=0.8, linestyle=":")
        for row, way in rows.items():
            axis.plot(np.arange(len(way)) - before_seconds, way, color=COLOURS.get(row), linewidth=1.4, label=row)
        axis.set_title(f"{pair[0]}: {pair[1]}", fontsize=9)
        axis.set_ylabel((UNITS | SOUND_UNITS)[pair[1]].split(",")[0][:28], fontsize=7)
        axis.tick_params(labelsize=7)
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=7)
    figure.supxlabel("seconds from the jump", fontsize=9)
    with replacing(path) as partial:
        FigureCanvasAgg(figure).print_png(partial)  # type: ignore[no-untyped-call]
