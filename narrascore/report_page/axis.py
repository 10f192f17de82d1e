"""The picture of the report page: what was seen, felt, made and heard, above one another on one time axis, as SVG.

Places along the film are written in per cent of it, so that the picture is as wide as the page and only curves and
spectrogram are stretched. What is right for a desk and too much for a phone has the class `wide`, what stands in for it
there `narrow`. Colours and dashes are the style sheet's.
"""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.report import choose_keyframes, clock, encode_jpeg, mel_share, picture_spectrogram
from narrascore.report_page.rows import Lane, Span

CAPTION, GAP = 20, 10
STRIP_HEIGHT, CURVE_HEIGHT, LANE_HEIGHT, SOUND_HEIGHT, LOUDNESS_HEIGHT = 62, 130, 20, 130, 80
"""Pixels."""
STRIP_CELLS = {"wide": 12, "narrow": 4}
"""Pictures side by side."""
TICKS = {"wide": 12, "narrow": 5}
"""Times that are written below, at most."""
WIDE_PIXELS, NARROW_PIXELS = 1000, 300
"""What labels are measured against: somewhat less than the picture has on a desk and on a phone."""
LETTER_PIXELS = 7.2
MOST_POINTS = 1000
MOST_BORDERS = 60
"""More windows than this would shade the curve with their borders: they stand on their lane alone."""
LOUDEST_LUFS, SOFTEST_LUFS = 0.0, -50.0
HATCH = (
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6"/><path d="M0 6 6 0"/></pattern>'
)
"""What marked spans are filled with, so that colour does not tell it alone."""
STEPS_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, eq=False)
class Picture:
    """What there is to be seen of a score.

    Attributes:
        duration_seconds: of the film.
        curve: in film time.
        keyframes: (film time, `[h, w, 3]` RGB) in time order.
        spectrogram: of `report.read_spectrogram`.
        spread: how unsure the curve is, as a standard deviation `[F, 2]` of each second.
    """

    duration_seconds: float
    curve: AffectCurve
    keyframes: list[tuple[float, NDArray[np.uint8]]]
    spectrogram: NDArray[np.float32]
    spread: NDArray[np.float32] | None = None

    def points(self, most: int = MOST_POINTS) -> NDArray[np.float32]:
        """Valence and arousal at even times from the film's start to its end, `[n, 2]`."""
        points = min(max(len(self.curve), 2), most)
        return self.curve.at(np.linspace(0, self.duration_seconds, points))


def draw_axis(
    picture: Picture, lanes: Sequence[Lane], loudness: Mapping[str, Sequence[float | None]], description: str
) -> str:
    """Draw the picture as one SVG element.

    Args:
        picture: what is drawn.
        lanes: stretches of the film, a lane for each kind.
        loudness: LUFS at even times from the film's start to its end, by the name of what is loud.
        description: of the whole, for those who do not see it.
    """
    sheet = _Sheet(picture.duration_seconds)
    borders = [span.start_seconds for lane in lanes if lane.title == "Windows" for span in lane.spans[1:]]
    borders = borders if len(borders) <= MOST_BORDERS else []
    if picture.keyframes:
        _keyframes(sheet, picture)
    _curve(sheet, picture, borders)
    for lane in lanes:
        _lane(sheet, lane)
    _spectrogram(sheet, picture, borders)
    lines = {name: line for name, line in loudness.items() if any(value is not None for value in line)}
    if lines:
        _loudness(sheet, lines)
    _ticks(sheet)
    words = html.escape(description, quote=True)
    return "\n".join([
        f'<svg id="axis" width="100%" height="{sheet.y}" role="img" aria-label="{words}">',
        HATCH,
        *sheet.parts,
        f'<line id="playhead" x1="0%" x2="0%" y1="{CAPTION}" y2="{sheet.bottom}"/>',
        "</svg>",
    ])  # fmt: skip


class _Sheet:
    """What is drawn so far, and how far down it goes."""

    def __init__(self, duration_seconds: float) -> None:
        self.duration_seconds, self.y, self.bottom = duration_seconds, 0, 0
        self.parts: list[str] = []

    def begin(self, caption: str, height: int, legend: Sequence[tuple[str, str]] = ()) -> int:
        """Begin a row below the last one; returns its top. The legend's lines have a class and a name each."""
        self.text("0", self.y + 14, caption, "caption")
        pixels = 0.0
        for kind, name in reversed(legend):
            left = pixels + LETTER_PIXELS * len(name) + 6
            self.parts.append(
                f'<svg x="100%" y="{self.y}" overflow="visible">'
                f'<text class="name" x="{-pixels:.0f}" y="14">{html.escape(name)}</text>'
                f'<line class="{kind}" x1="{-left - 24:.0f}" x2="{-left:.0f}" y1="10" y2="10"/></svg>'
            )
            pixels = left + 40
        top = self.y + CAPTION
        self.bottom = top + height
        self.y = self.bottom + GAP
        return top

    def share(self, seconds: float) -> str:
        """A film time as a place."""
        return f"{100 * min(max(seconds / self.duration_seconds, 0), 1):.3f}%"

    def text(self, x: str, y: float, text: str, kind: str) -> None:
        self.parts.append(f'<text class="{kind}" x="{x}" y="{y:.0f}">{html.escape(text)}</text>')

    def scale(self, top: int, height: int, marks: Sequence[tuple[float, str]]) -> None:
        """Marks beside a row, each at a share of its height from the bottom."""
        for share, mark in marks:
            self.text("-6", top + height * (1 - share) + 4, mark, "mark")

    def lines(self, top: int, height: int, parts: Sequence[str]) -> None:
        """Shapes whose places are 0 to 1000 along the film and 0 to 100 down the row."""
        self.parts.append(
            f'<svg y="{top}" width="100%" height="{height}" viewBox="0 0 1000 100" preserveAspectRatio="none">'
            + "".join(parts)
            + "</svg>"
        )

    def borders(self, top: int, height: int, seconds: Sequence[float], kind: str) -> None:
        for moment in seconds:
            x = self.share(moment)
            self.parts.append(f'<line class="border {kind}" x1="{x}" x2="{x}" y1="{top}" y2="{top + height}"/>')


def _keyframes(sheet: _Sheet, picture: Picture) -> None:
    top, height = sheet.begin("Keyframes", STRIP_HEIGHT), STRIP_HEIGHT - 6
    strips = {
        kind: choose_keyframes(picture.keyframes, sheet.duration_seconds, cells) for kind, cells in STRIP_CELLS.items()
    }
    shown = {seconds: image for strip in strips.values() for _, seconds, image in strip}
    names = {seconds: f"seen-{index}" for index, seconds in enumerate(shown)}
    for seconds, image in shown.items():
        tall, broad = image.shape[:2]
        sheet.parts.append(
            f'<symbol id="{names[seconds]}" viewBox="0 0 {broad} {tall}" preserveAspectRatio="xMidYMid slice">'
            f'<image width="{broad}" height="{tall}" href="{_inline(encode_jpeg(image))}"/></symbol>'
        )
    sheet.parts.append(f'<rect class="field" y="{top}" width="100%" height="{height}"/>')
    for kind, strip in strips.items():
        width = 100 / STRIP_CELLS[kind]
        for cell, seconds, _ in strip:
            at = sheet.share(seconds)
            sheet.parts.append(
                f'<use class="{kind}" href="#{names[seconds]}" x="{cell * width:.3f}%" y="{top}" width="{width:.3f}%" '
                f'height="{height}"/>'
                f'<line class="moment {kind}" x1="{at}" x2="{at}" y1="{top + height + 1}" y2="{top + STRIP_HEIGHT}"/>'
            )


def _curve(sheet: _Sheet, picture: Picture, borders: Sequence[float]) -> None:
    top = sheet.begin("Affect curve", CURVE_HEIGHT, [("arousal", "arousal"), ("valence", "valence")])
    sheet.scale(top, CURVE_HEIGHT, [(0.96, "+1"), (0.5, "0"), (0.04, "\N{MINUS SIGN}1")])
    sheet.parts.append(f'<rect class="field" y="{top}" width="100%" height="{CURVE_HEIGHT}"/>')
    shapes = ['<line class="zero" x1="0" x2="1000" y1="50" y2="50"/>']
    points = picture.points()
    if picture.spread is not None:
        grid = np.linspace(0, picture.duration_seconds, len(points))
        spread = AffectCurve(np.clip(picture.spread, 0, 1)).at(grid)
        for column, kind in ((1, "arousal"), (0, "valence")):
            low, high = (np.clip(points[:, column] + sign * spread[:, column], -1, 1) for sign in (-1, 1))
            shapes.append(f'<polygon class="{kind}" points="{_points(high, -1, 1)} {_points(low, -1, 1, back=True)}"/>')
    for column, kind in ((1, "arousal"), (0, "valence")):
        shapes.append(f'<polyline class="{kind}" points="{_points(points[:, column], -1, 1)}"/>')
    sheet.borders(top, CURVE_HEIGHT, borders, "felt")
    sheet.lines(top, CURVE_HEIGHT, shapes)


def _lane(sheet: _Sheet, lane: Lane) -> None:
    marked = any(span.marked for span in lane.spans)
    joins = any(span.join_seconds is not None for span in lane.spans)
    notes = [note for note, holds in (("hatched: drawn again", marked), ("\N{BLACK DIAMOND}: join", joins)) if holds]
    top = sheet.begin(f"{lane.title} ({'; '.join(notes)})" if notes else lane.title, LANE_HEIGHT)
    for index, span in enumerate(lane.spans):
        start, stop = (np.clip(at / sheet.duration_seconds, 0, 1) for at in (span.start_seconds, span.stop_seconds))
        kind = "marked" if span.marked else f"shade-{index % 2}"
        sheet.parts.append(
            f'<rect class="{kind}" x="{100 * start:.3f}%" y="{top}" width="{100 * (stop - start):.3f}%" '
            f'height="{LANE_HEIGHT}"/>'
        )
        fits = _fits(span, float(stop - start))
        if fits is not None:
            sheet.text(f"{50 * (start + stop):.3f}%", top + LANE_HEIGHT / 2 + 4, span.label, f"label {fits}".strip())
        if span.join_seconds is not None:
            sheet.text(sheet.share(span.join_seconds), top + LANE_HEIGHT / 2 + 5, "\N{BLACK DIAMOND}", "join")


def _fits(span: Span, share: float) -> str | None:
    """The class of a label that has room in its span: `wide` if only on a desk, none if on a phone too."""
    pixels = LETTER_PIXELS * len(span.label) + 6
    return "" if share * NARROW_PIXELS >= pixels else "wide" if share * WIDE_PIXELS >= pixels else None


def _spectrogram(sheet: _Sheet, picture: Picture, borders: Sequence[float]) -> None:
    top = sheet.begin("Mel spectrogram (Hz; bright is loud)", SOUND_HEIGHT)
    sheet.scale(top, SOUND_HEIGHT, [(mel_share(hz), f"{hz:,}") for hz in (100, 500, 1000, 2000, 4000, 8000)])
    sheet.parts.append(
        f'<image y="{top}" width="100%" height="{SOUND_HEIGHT}" preserveAspectRatio="none" '
        f'href="{_inline(picture_spectrogram(picture.spectrogram))}"/>'
    )
    sheet.borders(top, SOUND_HEIGHT, borders, "heard")


def _loudness(sheet: _Sheet, lines: Mapping[str, Sequence[float | None]]) -> None:
    kinds = [(f"loudness-{index}", name) for index, name in enumerate(lines)]
    top = sheet.begin("Loudness (LUFS)", LOUDNESS_HEIGHT, kinds)
    middle = (LOUDEST_LUFS + SOFTEST_LUFS) / 2
    levels = ((0.93, LOUDEST_LUFS), (0.5, middle), (0.07, SOFTEST_LUFS))
    sheet.scale(top, LOUDNESS_HEIGHT, [(share, f"{lufs:g}".replace("-", "\N{MINUS SIGN}")) for share, lufs in levels])
    sheet.parts.append(f'<rect class="field" y="{top}" width="100%" height="{LOUDNESS_HEIGHT}"/>')
    shapes = ['<line class="zero" x1="0" x2="1000" y1="50" y2="50"/>']
    for (kind, _), line in zip(kinds, lines.values(), strict=True):
        values = np.array([SOFTEST_LUFS if value is None else value for value in line])
        clipped = np.clip(values, SOFTEST_LUFS, LOUDEST_LUFS)
        shapes.append(f'<polyline class="{kind}" points="{_points(clipped, SOFTEST_LUFS, LOUDEST_LUFS)}"/>')
    sheet.lines(top, LOUDNESS_HEIGHT, shapes)


def _ticks(sheet: _Sheet) -> None:
    for kind, most in TICKS.items():
        step = next((step for step in STEPS_SECONDS if sheet.duration_seconds / step <= most), 7200)
        moments = np.arange(0, sheet.duration_seconds + step / 1000, step)
        for moment in moments.tolist():
            last = moment > sheet.duration_seconds * 0.97
            text = clock(moment, sheet.duration_seconds, 1 if step < 1 else 0)
            sheet.text(sheet.share(moment), sheet.bottom + 18, text, f"tick {kind}{' last' if last else ''}")
            x = sheet.share(moment)
            sheet.parts.append(
                f'<line class="tick {kind}" x1="{x}" x2="{x}" y1="{sheet.bottom}" y2="{sheet.bottom + 5}"/>'
            )
    sheet.y = sheet.bottom + 24


def _points(values: NDArray[np.floating], low: float, high: float, *, back: bool = False) -> str:
    """Values at even times as points of a line in 1000 x 100, from right to left if they come back."""
    x = np.linspace(0, 1000, len(values)) if len(values) > 1 else np.array([500.0])
    y = 100 * (high - values) / (high - low)
    pairs = [f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True)]
    return " ".join(pairs[::-1] if back else pairs)


def _inline(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
