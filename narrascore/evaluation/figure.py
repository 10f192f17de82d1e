"""The tracking picture: what was asked and what was played, on one time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from numpy.typing import NDArray

from narrascore.evaluation.curves import EvaluationCurve
from narrascore.evaluation.features import UNITS
from narrascore.evaluation.music import COMPOSER, GATES_CLOSED, MODEL
from narrascore.media.output import replacing

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
            played.set_ylabel(f"{feature} ({UNITS[feature]})", fontsize=7)
            if line == 0 and column == 0:
                played.legend(fontsize=7, loc="lower right")
    with replacing(path) as partial:
        FigureCanvasAgg(figure).print_png(partial)  # type: ignore[no-untyped-call]
