"""Modes, chords and voicings on the tonic C: what may sound, before anyone asks why.

A scale step is a whole number: 0 is C4 (MIDI 60), 7 is C5; the mode decides which pitch a step is. A melody kept as
steps therefore keeps its shape when the mode under it changes.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

from narrascore.synthesis.score_codes import QUALITIES

MODES: dict[str, tuple[int, ...]] = {
    "lydian": (0, 2, 4, 6, 7, 9, 11), "ionian": (0, 2, 4, 5, 7, 9, 11), "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10), "aeolian": (0, 2, 3, 5, 7, 8, 10), "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10), "locrian": (0, 1, 3, 5, 6, 8, 10),
}  # fmt: skip
"""Bright to dark, in the order of the circle of fifths (Persichetti 1961, Temperley and Tan 2013)."""

Chord = tuple[int, str]
"""Root in semitones above C, and a quality of `score_codes.QUALITIES`."""

_MIDDLE_C = 60
_STACKS = {QUALITIES[name][1:]: name for name in ("maj", "min", "dim", "aug", "maj7", "min7", "dom7", "halfdim")}


def pitch_of(step: int, mode: str) -> int:
    """The MIDI pitch of a scale step."""
    octave, degree = divmod(step, 7)
    return _MIDDLE_C + 12 * octave + MODES[mode][degree]


def step_near(pitch: float) -> int:
    """The scale step closest to a MIDI pitch, whatever the mode."""
    return round((pitch - _MIDDLE_C) * 7 / 12)


def chord_on(mode: str, degree: int, vocabulary: str) -> Chord:
    """The chord that thirds stacked within the mode give on a degree, 1 to 7.

    Args:
        vocabulary: `triad`; `seventh` (a seventh on every chord that has one); `open` (the fourth in place of the
            third on degrees 4 and 5 where the mode holds it); `tense` (a cluster of semitone and tritone where
            the mode holds one).
    """
    scale = MODES[mode]
    root, third, fifth, seventh = (scale[(degree - 1 + 2 * i) % 7] for i in range(4))
    above = tuple((tone - root) % 12 for tone in (third, fifth, seventh))
    pitch_classes = frozenset(scale)
    if vocabulary == "tense" and all((root + step) % 12 in pitch_classes for step in QUALITIES["cluster"]):
        return root, "cluster"
    if vocabulary == "open" and degree in (4, 5) and {(root + 5) % 12, (root + 7) % 12} <= pitch_classes:
        return root, "sus"
    if vocabulary == "seventh" and above in _STACKS:
        return root, _STACKS[above]
    return root, _STACKS.get(above[:2], "min")


def tones_of(chord: Chord) -> frozenset[int]:
    """Pitch classes of a chord."""
    root, quality = chord
    return frozenset((root + step) % 12 for step in QUALITIES[quality])


@lru_cache(maxsize=200_000)
def voice_chord(chord: Chord, before: tuple[int, int, int], centre: int) -> tuple[int, int, int]:
    """Three inner voices, low to high, that move least from the chord before.

    The law of the shortest way (Huron 2001: pitch proximity, no crossing); a triad sounds whole, a four-note chord
    keeps its third and seventh. All voices stay within a ninth of `centre`, neighbours within a ninth of each other.
    """
    root, quality = chord
    steps = QUALITIES[quality]
    needed = {(root + step) % 12 for step in (steps if len(steps) == 3 else (steps[1], steps[3]))}
    tones = [p for p in range(centre - 10, centre + 11) if (p - root) % 12 in steps]
    best, best_cost = before, float("inf")
    for low, middle, high in combinations(tones, 3):
        if middle - low > 10 or high - middle > 10 or not needed <= {low % 12, middle % 12, high % 12}:
            continue
        moved = abs(low - before[0]) + abs(middle - before[1]) + abs(high - before[2])
        cost = moved + 0.6 * abs(middle - centre)
        if cost < best_cost:
            best, best_cost = (low, middle, high), cost
    return best
