"""A small piece of music, written with the score codes: chords, bass, melody, counter-melody and drums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from narrascore.synthesis.score_codes import (
    BASS,
    COUNTER,
    DRUM_KINDS,
    DRUMS_HIGH,
    DRUMS_LOW,
    DYNAMICS,
    INNER,
    MELODY,
    PULSE,
    Note,
    dynamics_code,
    empty_score,
    pulse_code,
    write_notes,
)  # fmt: skip

CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))


def write_piece(
    bars: int = 8, *, frames_per_sixteenth: int = 4, level: int | None = 8, seed: int = 0, sixteenths: int = 16
) -> NDArray[np.int16]:
    """`[11, bars * sixteenths * n]`: one chord a bar; `level` None says no dynamics at all."""
    rng = np.random.default_rng(seed)
    n, bar = frames_per_sixteenth, frames_per_sixteenth * sixteenths
    codes = empty_score(bars * bar)
    notes: list[Note] = []
    for b in range(bars):
        at = b * bar
        for s in range(sixteenths):
            codes[PULSE, at + s * n] = pulse_code(n, s, b % 4)
        chord = CHORDS[b % 4]
        notes.append(Note(at, at + bar, BASS, 36 + chord[0]))
        notes += [Note(at, at + bar, voice, 48 + tone) for voice, tone in zip(INNER, chord, strict=True)]
        for s in range(0, sixteenths, 2):
            if rng.random() < 0.7:
                pitch = 72 + int(rng.choice(chord)) - 12 * int(rng.integers(0, 2))
                notes.append(Note(at + s * n, at + min(sixteenths, s + 2 * int(rng.integers(1, 3))) * n, MELODY, pitch))
        notes.append(Note(at + 8 * n, at + bar, COUNTER, 60 + chord[1]))
        for s in range(0, sixteenths, 2):
            hat = "open hat" if s == 6 else "closed hat"
            notes.append(Note(at + s * n, at + (s + 1) * n, DRUMS_HIGH, DRUM_KINDS[hat], strong=s % 4 == 0))
        for s in range(0, sixteenths, 4):
            notes.append(Note(at + s * n, at + (s + 2) * n, DRUMS_LOW, DRUM_KINDS["kick"], strong=s % 8 == 0))
    write_notes(codes, notes)
    if level is not None:
        codes[DYNAMICS, 0] = dynamics_code(level)
    return codes
