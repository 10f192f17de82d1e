"""`metrics=figure4`: several systems' mel spectrograms for one film, the emotion curve over each (paper 4.5)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from narrascore.errors import UsageError
from narrascore.evaluation.cells import Missing
from narrascore.evaluation.measured import SystemRow
from narrascore.evaluation.pieces import Piece
from narrascore.media.output import replacing
from narrascore.media.song import read_song
from narrascore.report import (
    AROUSAL,
    DASHES,
    MEL_BANDS,
    SPECTRUM_RATE_HZ,
    VALENCE,
    draw_spectrogram,
    mark_film_time,
    mel_spectrogram,
)

PANEL_INCHES = (6.2, 2.9)
COLUMNS = 2


def run_figure4(systems: Mapping[str, SystemRow], out_folder: Path, *, film: str | None = None) -> tuple[Path, str]:
    """Draw one film's music by every system that has some.

    Args:
        systems: rows of Table 1, or any others.
        out_folder: gets `figure4.png` and `figure4.svg`.
        film: the piece's name; None is the first that most systems have.

    Returns:
        The PNG, and a line that says what is in it.

    Raises:
        UsageError: if no system has music for the film.
    """
    rows = {name: {piece.name: piece for piece in row} for name, row in systems.items() if not isinstance(row, Missing)}
    names = [name for row in rows.values() for name in row]
    if not names:
        raise UsageError("figure 4 needs music, and no system has any")
    chosen = film or max(dict.fromkeys(names), key=names.count)
    shown = {name: row[chosen] for name, row in rows.items() if chosen in row}
    if not shown:
        known = ", ".join(sorted(set(names)))
        raise UsageError(f"figure4.film={chosen}: no system has music of that name; there are {known}")
    out_folder.mkdir(parents=True, exist_ok=True)
    png = out_folder / "figure4.png"
    draw_systems(shown, png, out_folder / "figure4.svg")
    return png, f"{png}, figure4.svg: {chosen} by {', '.join(shown)}\n"


def draw_systems(pieces: Mapping[str, Piece], *paths: Path) -> None:
    """Draw a panel for each system: its spectrogram, and over it the curve that it was to follow.

    Dark is loud, so that the figure prints on white paper. Each panel has its own loudest level: a system's gain is not
    seen.

    Args:
        pieces: by the system's name.
        paths: PNG or SVG files, told by their endings.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(pieces))
    lines = -(-len(pieces) // columns)
    width, height = PANEL_INCHES
    # Text stays text in the SVG, and equal figures are equal files.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "narrascore", "font.size": 9}):
        figure = Figure(figsize=(width * columns, height * lines + 0.5), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, (name, piece) in zip(panels, pieces.items(), strict=False):
            picture, curves = _draw_panel(axes, name, piece)
        for axes in panels[len(pieces) :]:
            axes.set_axis_off()
        figure.colorbar(picture, ax=panels.tolist(), label="level (dB below the panel's loudest)", pad=0.01, aspect=40)
        figure.legend(handles=curves, loc="outside upper right", ncols=2, frameon=False)
        sentence = next((piece.sentence for piece in pieces.values() if piece.sentence), "")
        figure.suptitle(fill(sentence, 70 * columns), fontsize=9, x=0.01, ha="left", parse_math=False)
        for path in paths:
            with replacing(path) as partial, warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Glyph")
                kind = path.suffix.lstrip(".")
                about = {"Software": None} if kind == "png" else {"Date": None, "Creator": "NarraScore"}
                figure.savefig(partial, format=kind, metadata=about)


def _draw_panel(axes: Any, name: str, piece: Piece) -> tuple[Any, list[Any]]:
    """The spectrogram, and the two lines over it."""
    from matplotlib.patheffects import Normal, Stroke

    duration_seconds = len(piece.curve) / piece.curve.rate_hz
    bands = mel_spectrogram(read_song(piece.sound, SPECTRUM_RATE_HZ, 2), duration_seconds)
    picture = draw_spectrogram(axes, bands, duration_seconds, "gray_r")
    axes.set_ylim(0, MEL_BANDS)
    axes.set_ylabel("frequency (Hz, mel)")
    axes.set_title(name, loc="left", fontsize=10, fontweight="bold", parse_math=False)
    axes.set_xlabel("film time (min:s)")
    over = axes.twinx()
    seconds = np.linspace(0, duration_seconds, 400)
    values = piece.curve.at(seconds)
    halo = [Stroke(linewidth=4, foreground="white"), Normal()]
    curves = over.plot(seconds, values[:, 1], color=AROUSAL, linewidth=2, label="arousal", path_effects=halo)
    curves += over.plot(seconds, values[:, 0], color=VALENCE, linewidth=2, linestyle=DASHES, label="valence",
                        path_effects=halo)  # fmt: skip
    over.set_ylim(-1.05, 1.05)
    over.set_yticks([-1, 0, 1])
    over.set_ylabel("affect curve", labelpad=2)
    mark_film_time(axes, duration_seconds)
    return picture, curves
