"""Themes that return and develop, and the lines made of them.

A theme is a rhythm in order of weight and a contour in scale steps. A sparse bar plays its weightiest notes, a busy
one more of them, so the same theme is known again at any density; the mode decides its pitches, the chord bends its
strong notes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from recipes.embedded.theory import Chord, pitch_of, tones_of

RHYTHMS_4 = (
    (0, 8, 4, 12, 6, 14, 10, 2), (0, 6, 12, 8, 4, 14, 10, 2), (0, 12, 8, 14, 4, 6, 10, 2), (0, 8, 10, 12, 4, 14, 6, 2),
    (4, 8, 12, 0, 14, 6, 10, 2), (0, 4, 8, 6, 12, 10, 14, 2), (0, 10, 8, 4, 12, 14, 2, 6), (2, 8, 4, 12, 6, 10, 14, 0),
)  # fmt: skip
RHYTHMS_3 = ((0, 8, 4, 10, 6, 2), (0, 4, 8, 6, 10, 2), (0, 6, 8, 4, 10, 2), (0, 8, 6, 10, 2, 4), (4, 8, 0, 10, 6, 2))
SHAPES: dict[str, tuple[int, ...]] = {
    "arch": (0, 1, 2, 3, 3, 2, 1, 0), "rise": (0, 0, 1, 1, 2, 3, 3, 4), "fall": (3, 3, 2, 2, 1, 1, 0, -1),
    "wave": (0, 1, 2, 1, 0, -1, 0, 1), "valley": (2, 1, 0, -1, -1, 0, 1, 2), "leap": (0, 4, 3, 3, 2, 1, 1, 0),
}  # fmt: skip

REACH = 6
"""Scale steps a melody may lie above or below its centre."""


@dataclass(frozen=True)
class Theme:
    """A melodic idea of two rhythms and a contour.

    Attributes:
        rhythms: two orders of sixteenths by weight; bars 0, 1 and 3 use the first, bar 2 the second.
        shape: scale steps at the eight eighths of a bar.
        shifts: scale steps added in each bar: statement, sequence, climax, close.
        base: scale steps above the melody's centre.
        turned: bar 2 takes the shape upside down.
        upbeat: the last beat of the phrase leads into the next one.
    """

    rhythms: tuple[tuple[int, ...], tuple[int, ...]]
    shape: tuple[int, ...]
    shifts: tuple[int, int, int, int]
    base: int
    turned: bool
    upbeat: bool

    def step(self, sixteenth: int, bar: int) -> int:
        """Scale steps from the melody's centre."""
        rise = self.shape[sixteenth // 2]
        return self.base + self.shifts[bar] + (-rise if bar == 2 and self.turned else rise)


def make_theme(random: Random, sixteenths: int, contrasting: bool) -> Theme:
    """A new theme. A contrasting one lies higher and mostly falls, as middle sections do."""
    rhythms = RHYTHMS_3 if sixteenths == 12 else RHYTHMS_4
    first = random.choice(rhythms)
    second = random.choice(rhythms) if random.random() < 0.5 else first
    shapes = ("fall", "wave", "leap") if contrasting else ("arch", "rise", "wave", "valley", "leap")
    sequence = random.choice((-1, 1, 1, 2, -2))
    return Theme(
        rhythms=(first, second),
        shape=SHAPES[random.choice(shapes)],
        shifts=(0, sequence, sequence + random.choice((1, 2)), 0),
        base=random.choice((0, 1, 2)) + (2 if contrasting else -1),
        turned=random.random() < 0.3,
        upbeat=random.random() < 0.6,
    )


@dataclass
class Line:
    """Where a melody stands: what the next note must follow from."""

    step: int | None = None
    leap: int = 0
    dissonant: bool = False
    notes: list[tuple[int, int, int]] = field(default_factory=list)
    """(sixteenth, sixteenths held, scale step) of the bar written last."""


def choose_onsets(theme: Theme, bar: int, count: int, closes: bool, leads_on: bool, sixteenths: int) -> list[int]:
    """The sixteenths of a bar at which the theme sounds, in time order.

    The last bar of a phrase is a long note, with an upbeat where the theme has one and another phrase follows.
    """
    if bar == 3:
        upbeat = (sixteenths - 4, sixteenths - 2) if theme.upbeat and leads_on and count >= 3 else ()
        if closes or count <= 3:
            return [0, *upbeat]
        return sorted({0, 4, *upbeat})
    rhythm = theme.rhythms[1 if bar == 2 else 0]
    return sorted(rhythm[:count])


def write_bar(
    line: Line,
    theme: Theme,
    bar: int,
    onsets: list[int],
    chords: tuple[tuple[int, Chord], ...],
    mode: str,
    centre: int,
    drift: int,
    closes: bool,
    sixteenths: int,
) -> None:
    """Give the onsets their scale steps and lengths; the result stands in `line.notes`.

    Chord tones on strong beats, others passed through by step (Fux; Huron 2006: pitch proximity); a leap is followed
    by a turn back (Meyer 1973: gap fill); a closing phrase ends on the tonic.

    Args:
        centre: scale step round which the line lies.
        drift: scale steps added in this bar by the rule of contour.
    """
    line.notes = []
    for at, stop in zip(onsets, [*onsets[1:], sixteenths], strict=True):
        chord = next(chord for begin, chord in reversed(chords) if begin <= at)
        weighty = at % 8 == 0 or stop - at >= 4
        target = centre + min(max(drift + theme.step(at, bar), -REACH), REACH)
        tonic_only = closes and bar == 3 and at == 0
        step = _choose_step(line, target, chord, mode, centre, weighty, tonic_only)
        moved = 0 if line.step is None else step - line.step
        line.leap = moved if abs(moved) >= 3 else 0
        line.dissonant = pitch_of(step, mode) % 12 not in tones_of(chord)
        line.step = step
        line.notes.append((at, stop - at, step))


def _choose_step(line: Line, target: int, chord: Chord, mode: str, centre: int, weighty: bool, tonic_only: bool) -> int:
    """The cheapest step near the target: each broken custom has its price."""
    tones = tones_of(chord)
    best, best_cost = target, float("inf")
    for step in range(target - 4, target + 5):
        consonant = pitch_of(step, mode) % 12 in tones
        cost = abs(step - target) + 1.5 * max(0, abs(step - centre) - REACH)
        if tonic_only:
            cost += 6.0 * (step % 7 != 0)
        elif weighty:
            cost += 4.0 * (not consonant)
        if line.step is not None:
            moved = step - line.step
            cost += 0.5 * max(0, abs(moved) - 1) + 1.7 * (moved == 0)
            cost += 3.0 * (line.dissonant and abs(moved) != 1)
            cost += 2.0 * (not consonant and abs(moved) != 1)
            cost += 2.0 * (line.leap != 0 and moved * line.leap > 0)
        if cost < best_cost:
            best, best_cost = step, cost
    return best
