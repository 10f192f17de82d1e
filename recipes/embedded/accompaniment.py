"""The voices round the melody: inner voices, bass, counter-melody and percussion of one bar.

Each function returns plain notes of the bar, (sixteenth, sixteenths held, pitch) or, for percussion, strokes.
"""

from __future__ import annotations

from narrascore.synthesis.score_codes import QUALITIES
from recipes.embedded.patterns import FILLS, PERCUSSION, Hand, split_hands
from recipes.embedded.theory import MODES, Chord, pitch_of, step_near, tones_of, voice_chord

BarChords = tuple[tuple[int, Chord], ...]
BarNotes = list[tuple[int, int, int]]
BASS_LOWEST = 33
"""A1; roots lie within the octave above it."""
COUNTER_RANGE = (55, 70)


def write_inner(
    rows: tuple[str, str, str], chords: BarChords, before: tuple[int, int, int], centre: int
) -> tuple[list[BarNotes], tuple[int, int, int]]:
    """Three inner voices of a bar and the voicing they end on.

    Args:
        rows: a pattern of `patterns.INNER_4` or `INNER_3`.
        centre: MIDI pitch round which they lie.
    """
    voicings = []
    for begin, chord in chords:
        before = voice_chord(chord, before, centre)
        voicings.append((begin, before))
    begins = {begin for begin, _ in chords if begin}
    voices = []
    for index, row in enumerate(rows):
        marks = "".join("x" if mark == "-" and at in begins else mark for at, mark in enumerate(row))
        pitches = [next(v for begin, v in reversed(voicings) if begin <= at)[index] for at in range(len(row))]
        voices.append([(at, held, pitches[at]) for at, held in _held(marks)])
    return voices, before


def write_bass(row: str, chords: BarChords, next_root: int, mode: str, before: int) -> tuple[BarNotes, int]:
    """The bass of a bar and the root it ends on.

    Roots take the nearer octave; `a` steps into the next bar's root from the scale tone beside it.
    """
    notes: BarNotes = []
    begins = {begin for begin, _ in chords if begin}
    marks = "".join("R" if mark == "-" and at in begins else mark for at, mark in enumerate(row))
    for at, held in _held(marks):
        root, quality = next(chord for begin, chord in reversed(chords) if begin <= at)
        before = _root_pitch(root, before)
        third, fifth = QUALITIES[quality][1:3]
        coming = _root_pitch(next_root, before)
        above = {"R": 0, "3": third, "5": fifth, "8": 12, "a": _approach(coming, before, mode) - before}[marks[at]]
        pitch = before + above
        notes.append((at, held, pitch - 12 if pitch > 55 else pitch))
    return notes, before


def write_counter(
    manner: str, bar: int, chords: BarChords, mode: str, melody: BarNotes, before: int, sixteenths: int
) -> tuple[BarNotes, int]:
    """The counter-melody of a bar and its last pitch.

    Args:
        manner: `rest`; `long` (one chord tone a chord, the nearest); `answer` (a long tone, or three rising or falling
            chord tones where the melody holds still in bars 1 and 3); `thirds` (a third or sixth under the melody's
            weighty notes); `cells` (two repeated tones against the beat).
        melody: (sixteenth, sixteenths held, scale step) of the same bar.
    """
    if manner == "rest":
        return [], before
    half = sixteenths // 2
    if manner == "thirds" and melody:
        notes = [
            (at, held, _third_under(step, mode, _chord_at(chords, at))) for at, held, step in melody if at % 4 == 0
        ]
        return notes, notes[-1][2] if notes else before
    if manner == "answer" and bar % 2 == 1:
        start = _nearest_tone(_chord_at(chords, half), before)
        way = 1 if before < sum(COUNTER_RANGE) / 2 else -1
        second = _neighbour_tone(_chord_at(chords, half), start, way)
        third = _neighbour_tone(_chord_at(chords, half), second, way)
        return [(half, 2, start), (half + 2, 2, second), (half + 4, sixteenths - half - 4, third)], third
    if manner == "cells":
        pitch = _nearest_tone(_chord_at(chords, 0), before)
        other = _neighbour_tone(_chord_at(chords, 0), pitch, -1 if pitch > 63 else 1)
        return [(0, 3, pitch), (6, 2, other), (half + 4, 2, pitch)], pitch
    notes = []
    for begin, chord in chords:
        before = _nearest_tone(chord, before)
        stop = next((later for later, _ in chords if later > begin), sixteenths)
        notes.append((begin, stop - begin, before))
    return notes, before


def write_percussion(style: str, tier: int, choice: int, bar: int) -> tuple[Hand, Hand]:
    """(low hand, high hand) of a bar. A phrase's last bar ends in a fill, from the full tier on."""
    if tier == 0:
        return {}, {}
    low, high = split_hands(PERCUSSION[style][tier - 1][choice])
    if bar < 3 or tier == 1:
        return low, high
    begin = 8 if style == "romance" else 12
    shortest = 2 if tier == 3 else 1
    low_fill, high_fill = split_hands(FILLS[style])
    return _with_fill(low, low_fill, begin, shortest), _with_fill(high, high_fill, begin, shortest)


def _with_fill(hand: Hand, fill: Hand, begin: int, shortest: int) -> Hand:
    """A hand's strokes before `begin`, then those of the fill that fall on multiples of `shortest` sixteenths."""
    kept = {at: stroke for at, stroke in hand.items() if at < begin}
    return kept | {at: stroke for at, stroke in fill.items() if at % shortest == 0}


def _held(marks: str) -> list[tuple[int, int]]:
    """(sixteenth, sixteenths held) of each onset of a row."""
    found = []
    for at, mark in enumerate(marks):
        if mark not in "-.":
            held = 1
            while at + held < len(marks) and marks[at + held] == "-":
                held += 1
            found.append((at, held))
    return found


def _chord_at(chords: BarChords, at: int) -> Chord:
    return next(chord for begin, chord in reversed(chords) if begin <= at)


def _root_pitch(root: int, before: int) -> int:
    """The root in the bass octave, in its upper half octave or below, whichever is nearer to the root before."""
    pitch = BASS_LOWEST + (root - BASS_LOWEST) % 12
    return min((pitch, pitch + 12 if pitch + 12 <= BASS_LOWEST + 14 else pitch), key=lambda p: abs(p - before))


def _approach(coming: int, now: int, mode: str) -> int:
    """The scale tone beside the coming root, on the side the bass comes from."""
    scale = MODES[mode]
    way = 1 if now > coming else -1
    return next(coming + way * gap for gap in (1, 2, 3) if (coming + way * gap) % 12 in scale)


def _nearest_tone(chord: Chord, before: int) -> int:
    """The chord tone nearest to the pitch before, within the counter-melody's range."""
    tones = tones_of(chord)
    return min((p for p in range(*COUNTER_RANGE) if p % 12 in tones), key=lambda p: abs(p - before))


def _neighbour_tone(chord: Chord, pitch: int, way: int) -> int:
    """The next chord tone up or down."""
    tones = tones_of(chord)
    return next(pitch + way * gap for gap in range(1, 13) if (pitch + way * gap) % 12 in tones)


def _third_under(step: int, mode: str, chord: Chord) -> int:
    """A third under the melody, or a fourth or sixth where only that belongs to the chord."""
    tones = tones_of(chord)
    below = [pitch_of(step - gap, mode) for gap in (2, 3, 5)]
    return next((pitch for pitch in below if pitch % 12 in tones), below[0])


def counter_start() -> int:
    """Where a counter-melody begins: the middle of its range."""
    return pitch_of(step_near(sum(COUNTER_RANGE) / 2), "ionian")
