"""How a curve and an anchor show themselves in a notebook: HTML that needs nothing beside it, everything escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from narrascore.affect import AffectCurve
    from narrascore.anchor import MusicalAnchor

VALENCE, AROUSAL = "#1f6fb4", "#c8481d"
"""The colours of the two everywhere."""
WIDTH, HEIGHT = 640, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 8, 22
"""Margins of the drawing, in its units."""
MOST_POINTS = 400
"""More points than this are no longer seen, so a longer curve is drawn with so many."""
STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
MOST_TICKS = 9


def show_curve(curve: AffectCurve) -> str:
    """Valence and arousal over time, as an SVG with a legend."""
    duration = len(curve) / curve.rate_hz
    seconds = np.linspace(0, duration, max(2, min(len(curve) + 1, MOST_POINTS)))
    values = curve.at(seconds)
    x = LEFT + seconds / duration * (WIDTH - LEFT - RIGHT)
    y = TOP + (1 - values) / 2 * (HEIGHT - TOP - BOTTOM)
    lines = [
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{_points(x, y[:, column])}"/>'
        for column, colour in ((1, AROUSAL), (0, VALENCE))
    ]
    means = values.mean(axis=0)
    told = f"Affect curve of {duration:g} s: mean valence {means[0]:.2f}, mean arousal {means[1]:.2f}"
    return (
        f'<figure style="margin:0"><svg role="img" aria-label="{told}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" style="max-width:100%" font-size="11" fill="currentColor">'
        f"{''.join([*_grid(duration), *lines])}</svg>"
        f'<figcaption><span style="color:{VALENCE}">&#9644;</span> valence '
        f'<span style="color:{AROUSAL}">&#9644;</span> arousal, {duration:g} s at {curve.rate_hz:g} Hz'
        "</figcaption></figure>"
    )


def show_anchor(anchor: MusicalAnchor) -> str:
    """The sentence, and a table of what it is made of."""
    rows = {
        "genre": anchor.genre,
        "instruments": anchor.instruments,
        "mood": anchor.mood,
        "pace": anchor.pace,
        "prompt": anchor.prompt,
        "caption": anchor.caption,
        "read by": anchor.reader,
        "not understood": ", ".join(anchor.not_understood),
        "keyframes": ", ".join(clock(seconds) for seconds in anchor.keyframe_seconds),
        "warning": anchor.notes.get("warning", ""),
    }
    return f"<blockquote>{html.escape(anchor.sentence)}</blockquote>{show_table(rows.items())}"


def show_table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values, those left out that have nothing to say."""
    cells = "".join(
        f'<tr><th style="text-align:left">{html.escape(name)}</th>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for name, value in rows
        if value
    )
    return f"<table>{cells}</table>"


def clock(seconds: float) -> str:
    """A film time as `1:05` or `1:02:03`; with tenths where there are some."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    part = f".{rest % 10}" if rest % 10 else ""
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}{part}"
    return f"{minutes}:{rest // 10:02d}{part}"


def _points(x: np.ndarray[tuple[int], np.dtype[np.float64]], y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    return " ".join(f"{px:.1f},{py:.1f}" for px, py in zip(x, y, strict=True))


def _grid(duration: float) -> list[str]:
    """Lines at -1, 0 and 1, and marks of time."""
    parts = []
    for value in (1, 0, -1):
        y = TOP + (1 - value) / 2 * (HEIGHT - TOP - BOTTOM)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:g}" y2="{y:g}" stroke="currentColor" opacity="0.2"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{value}</text>'
        )
    step = next((step for step in STEPS_SECONDS if duration / step <= MOST_TICKS), STEPS_SECONDS[-1])
    for seconds in range(0, int(duration) + 1, step):
        x = LEFT + seconds / duration * (WIDTH - LEFT - RIGHT)
        anchor = "end" if seconds and x > WIDTH - 2 * LEFT else "middle"
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{clock(seconds)}</text>')
    return parts
