"""Form and harmony: which phrase comes when, and which chords carry it.

A piece is a row of four-bar phrases named by letters; a letter that returns brings its theme and its chords back
(Schoenberg 1967; Caplin 1998: period and small ternary). Antecedents end half way, consequents close.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from recipes.embedded.theory import Chord, chord_on

FORMS = (
    ("A?", "A!", "B?", "A!"), ("A?", "A!", "B?", "B!"), ("A?", "B!", "A?", "C!"), ("A?", "A!"),
    ("A?", "B?", "C?", "A!"), ("A?", "A!", "-?", "A!"),
)  # fmt: skip
"""AABA, AABB, ABAC, a period, a through-composed section, and one with a pause of the melody (-)."""

PROGRESSIONS: dict[str, tuple[tuple[int, int, int, int], ...]] = {
    "lydian": ((1, 2, 1, 5), (1, 2, 6, 5), (1, 3, 2, 5), (1, 6, 2, 5), (1, 5, 2, 1), (1, 2, 3, 5)),
    "ionian": ((1, 4, 1, 5), (1, 5, 6, 4), (1, 3, 4, 5), (1, 6, 4, 5), (1, 5, 4, 1), (1, 6, 2, 5)),
    "mixolydian": ((1, 4, 1, 7), (1, 6, 4, 7), (1, 2, 4, 7), (1, 4, 2, 7), (1, 4, 7, 1), (1, 7, 4, 1)),
    "dorian": ((1, 4, 1, 7), (1, 7, 4, 1), (1, 3, 4, 7), (1, 2, 4, 7), (1, 4, 7, 1), (1, 3, 7, 4)),
    "aeolian": ((1, 4, 1, 5), (1, 6, 3, 7), (1, 3, 6, 7), (1, 6, 4, 5), (1, 7, 6, 1), (1, 4, 6, 5)),
    "harmonic minor": ((1, 4, 1, 6), (1, 6, 4, 1), (1, 4, 6, 5), (1, 6, 4, 5), (1, 4, 6, 1), (1, 6, 1, 4)),
    "phrygian": ((1, 2, 1, 7), (1, 2, 6, 3), (1, 6, 2, 3), (1, 3, 2, 1), (1, 6, 2, 1), (1, 3, 6, 2)),
    "locrian": ((1, 2, 1, 6), (1, 3, 6, 5), (1, 6, 5, 2), (1, 3, 2, 6), (1, 2, 6, 1), (1, 6, 3, 2)),
}
"""Six rows of degrees per mode; a phrase keeps its row number when the mode changes under it."""

HALF = {
    "lydian": 2,
    "ionian": 5,
    "mixolydian": 7,
    "dorian": 4,
    "aeolian": 5,
    "harmonic minor": 5,
    "phrygian": 7,
    "locrian": 6,
}
"""Where a half cadence stops."""
CLOSE = {
    "lydian": 5,
    "ionian": 5,
    "mixolydian": 7,
    "dorian": 4,
    "aeolian": 7,
    "harmonic minor": 5,
    "phrygian": 2,
    "locrian": 2,
}
"""What leads back to the tonic: authentic in lydian, ionian and harmonic minor, plagal in dorian, else modal."""


@dataclass(frozen=True)
class Phrase:
    """Four bars: their letter, whether they close, and their row of the progression table."""

    letter: str
    closes: bool
    row: int


def plan_phrases(random: Random, count: int) -> list[Phrase]:
    """`count` phrases in one form, which comes again; the second time round its middle letters are new themes."""
    form = random.choice(FORMS)
    rows = {letter: random.randrange(6) for letter in "AC-DEF"}
    rows["B"] = (rows["A"] + random.randrange(1, 6)) % 6
    later = {"A": "A", "B": "D", "C": "E", "-": "-"}
    phrases: list[Phrase] = []
    while len(phrases) < count:
        second = len(phrases) // len(form) % 2 == 1
        for mark in form:
            letter = later[mark[0]] if second and len(form) > 2 else mark[0]
            phrases.append(Phrase(letter, mark[1] == "!", rows[letter]))
    return phrases[:count]


def chords_of_bar(
    phrase: Phrase, bar: int, mode: str, vocabulary: str, loops: bool, sixteenths: int
) -> tuple[tuple[int, Chord], ...]:
    """The bar's chords as (sixteenth, chord), one or two of them.

    Args:
        bar: 0 to 3, the bar's place in the phrase.
        loops: the style repeats its row and only closes at a section's end; else every antecedent halts on a
            dominant and the bar before a close is split between preparation and dominant.
    """
    degrees = PROGRESSIONS[mode][phrase.row]
    if phrase.closes and bar == 3:
        return ((0, chord_on(mode, 1, _plain_tonic(vocabulary))),)
    if phrase.closes and bar == 2:
        lead = chord_on(mode, CLOSE[mode], vocabulary)
        first = degrees[2] if degrees[2] not in (1, CLOSE[mode]) else 4 if mode not in ("lydian", "dorian") else 2
        if loops or sixteenths == 12 or mode == "locrian":
            return ((0, lead),)
        return (0, chord_on(mode, first, vocabulary)), (8, lead)
    if bar == 3 and not loops:
        return ((0, chord_on(mode, HALF[mode], vocabulary)),)
    return ((0, chord_on(mode, degrees[bar], vocabulary)),)


def _plain_tonic(vocabulary: str) -> str:
    """A close rests: the tonic takes no cluster and no open fourth."""
    return "seventh" if vocabulary == "seventh" else "triad"
