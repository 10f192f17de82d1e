"""The score as codes: what each codebook of the embedded model says, frame by frame.

A frame lasts 40 ms (25 Hz). Every codebook says `REST`, `HOLD` (nothing new) or an onset in its own words:

    codebook         onset code stands for
    0 pulse          a sixteenth begins: frames per sixteenth n, its position in the bar, and on a bar's first
                     sixteenth the bar's place in its four-bar phrase
    1 harmony        a chord begins: root above the tonic and quality (a lead sheet; it makes no sound of its own)
    2 dynamics       a loudness level, from 0 (as soft as it gets) to 15, for all voices
    3 bass           a note
    4, 5, 6 inner    notes of the accompaniment, low to high
    7 melody         a note
    8 counter        a note of the counter-melody
    9 drums low      a percussion stroke: kick, toms, timpani
    10 drums high    a percussion stroke: snare, hats, cymbals, shaker

The order is the order of causes: with MusicGen's delays (0, 1, 2, ...), codebook k of a frame is predicted in sight of
codebooks 0..k-1 of the same frame, so pulse and chord are known before the notes that follow from them. Everything is
written on the tonic C; the palette carries the key, applied when the score is decoded. Tempo is n, never bpm: a
sixteenth lasts n frames, so a quarter lasts n x 160 000 us and the tempo is 375 / n bpm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAME_RATE_HZ = 25
TABLE_SIZE = 128
"""Codes per codebook; the next id, 128, is BOS and PAD."""
REST, HOLD, FIRST = 0, 1, 2
"""Silence, nothing new, and the first of the onset codes."""

PULSE, HARMONY, DYNAMICS, BASS = 0, 1, 2, 3
INNER = (4, 5, 6)
MELODY, COUNTER, DRUMS_LOW, DRUMS_HIGH = 7, 8, 9, 10
CODEBOOKS = 11
PITCHED = (BASS, *INNER, MELODY, COUNTER)
DRUMS = (DRUMS_LOW, DRUMS_HIGH)
VOICE_NAMES = ("pulse", "harmony", "dynamics", "bass", "inner 1", "inner 2", "inner 3", "melody", "counter",
               "drums low", "drums high")  # fmt: skip

FRAMES_PER_SIXTEENTH = (2, 3, 4, 5, 6)
"""187.5, 125, 93.75, 75 and 62.5 bpm."""
SIXTEENTHS_PER_BAR_MAX = 16
BARS_PER_PHRASE = 4
_POSITIONS = SIXTEENTHS_PER_BAR_MAX - 1 + BARS_PER_PHRASE
"""Words for a place in the bar: four kinds of first sixteenth, then sixteenths 1 to 15."""

QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus": (0, 5, 7), "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10), "dom7": (0, 4, 7, 10), "halfdim": (0, 3, 6, 10), "cluster": (0, 1, 6),
}  # fmt: skip
"""Chord qualities in code order: semitones above the root."""
QUALITY_NAMES = tuple(QUALITIES)

DYNAMIC_LEVELS = 16
LOWEST_PITCH, HIGHEST_PITCH = 24, 107
"""MIDI pitches, C1 to B7."""

DRUM_KINDS: dict[str, int] = {
    "kick": 36, "low tom": 41, "mid tom": 45, "high tom": 48, "timpani": 47, "taiko": 43, "snare": 38, "side stick": 37,
    "clap": 39, "closed hat": 42, "open hat": 46, "ride": 51, "crash": 49, "shaker": 70, "tambourine": 54,
    "triangle": 81, "woodblock": 76, "conga": 64,
}  # fmt: skip
"""Percussion strokes in code order, with their General MIDI keys. Each comes in two strengths, soft and strong."""
DRUM_NAMES = tuple(DRUM_KINDS)


@dataclass(frozen=True, order=True, slots=True)
class Note:
    """One note of the score, on the tonic C.

    Attributes:
        start, stop: frames, stop exclusive.
        voice: codebook, one of `PITCHED` or `DRUMS`.
        pitch: MIDI pitch; for percussion its General MIDI key.
        strong: percussion strength; always True for pitched voices.
    """

    start: int
    stop: int
    voice: int
    pitch: int
    strong: bool = True


def pulse_code(frames_per_sixteenth: int, sixteenth: int, bar_in_phrase: int = 0) -> int:
    """The code of a sixteenth's beginning; `bar_in_phrase` (0 to 3) counts only on a bar's first sixteenth."""
    place = bar_in_phrase if sixteenth == 0 else BARS_PER_PHRASE - 1 + sixteenth
    return FIRST + FRAMES_PER_SIXTEENTH.index(frames_per_sixteenth) * _POSITIONS + place


def read_pulse(code: int) -> tuple[int, int, int] | None:
    """(frames per sixteenth, sixteenth in the bar, bar in the phrase), or None if `code` is not a pulse."""
    tempo, place = divmod(code - FIRST, _POSITIONS)
    if code < FIRST or tempo >= len(FRAMES_PER_SIXTEENTH):
        return None
    if place < BARS_PER_PHRASE:
        return FRAMES_PER_SIXTEENTH[tempo], 0, place
    return FRAMES_PER_SIXTEENTH[tempo], place - BARS_PER_PHRASE + 1, 0


def chord_code(root: int, quality: str) -> int:
    """The code of a chord: `root` in semitones above the tonic, 0 to 11."""
    return FIRST + (root % 12) * len(QUALITIES) + QUALITY_NAMES.index(quality)


def read_chord(code: int) -> tuple[int, str] | None:
    """(root above the tonic, quality), or None if `code` is not a chord."""
    root, quality = divmod(code - FIRST, len(QUALITIES))
    return (root, QUALITY_NAMES[quality]) if code >= FIRST and root < 12 else None


def dynamics_code(level: int) -> int:
    """The code of a loudness level, 0 to 15."""
    return FIRST + min(max(level, 0), DYNAMIC_LEVELS - 1)


def read_dynamics(code: int) -> int | None:
    """A loudness level, 0 to 15, or None if `code` is not one."""
    return code - FIRST if FIRST <= code < FIRST + DYNAMIC_LEVELS else None


def note_code(voice: int, pitch: int, strong: bool = True) -> int:
    """The code of a note's onset in its voice.

    Raises:
        ValueError: if the pitch is out of range or the percussion kind unknown.
    """
    if voice in DRUMS:
        kind = next((i for i, key in enumerate(DRUM_KINDS.values()) if key == pitch), None)
        if kind is None:
            raise ValueError(f"no percussion kind has the General MIDI key {pitch}")
        return FIRST + 2 * kind + int(strong)
    if not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
        raise ValueError(f"pitch must be in [{LOWEST_PITCH}, {HIGHEST_PITCH}]: got {pitch}")
    return FIRST + pitch - LOWEST_PITCH


def read_note(voice: int, code: int) -> tuple[int, bool] | None:
    """(pitch or General MIDI key, strong), or None if `code` begins no note in this voice."""
    if code < FIRST:
        return None
    if voice in DRUMS:
        kind, strong = divmod(code - FIRST, 2)
        return (DRUM_KINDS[DRUM_NAMES[kind]], bool(strong)) if kind < len(DRUM_KINDS) else None
    pitch = LOWEST_PITCH + code - FIRST
    return (pitch, True) if pitch <= HIGHEST_PITCH else None


def write_notes(codes: NDArray[np.int16], notes: list[Note]) -> None:
    """Write notes into `codes [K, T]` in place: onset, holds, and a rest where the note ends before the next one.

    In one voice a later note cuts an earlier one. Notes must lie within [0, T).
    """
    for note in sorted(notes):
        codes[note.voice, note.start : note.stop] = HOLD
        codes[note.voice, note.start] = note_code(note.voice, note.pitch, note.strong)


def read_notes(codes: NDArray[np.int16]) -> list[Note]:
    """All notes of `codes [K, T]`, in onset order. A hold after a rest, or a code that means nothing, is silent."""
    notes = []
    for voice in (*PITCHED, *DRUMS):
        row = codes[voice]
        ends = np.append(np.flatnonzero(row != HOLD), len(row))
        for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            sound = read_note(voice, int(row[start]))
            if sound is not None:
                notes.append(Note(start, stop, voice, *sound))
    return sorted(notes)


def cut_out(codes: NDArray[np.int16], start: int, stop: int) -> NDArray[np.int16]:
    """`[K, stop - start]` of a score as a piece of its own: what was begun before and still holds begins at its first
    frame, for a hold with nothing before it says nothing.

    voice    |62 -  -  65 -  -  . |         cut out from here on
                          ^                 |65 -  .|
    """
    cut = codes[:, start:stop].copy()
    for voice in np.flatnonzero(cut[:, 0] == HOLD):
        begun = np.flatnonzero(codes[voice, :start] != HOLD)
        if len(begun):
            cut[voice, 0] = codes[voice, begun[-1]]
    return cut


def bar_starts(codes: NDArray[np.int16]) -> NDArray[np.int64]:
    """Frames at which a bar begins, by the pulse codebook."""
    pulses = ((frame, read_pulse(int(codes[PULSE, frame]))) for frame in np.flatnonzero(codes[PULSE] >= FIRST))
    return np.array([frame for frame, pulse in pulses if pulse is not None and pulse[1] == 0], dtype=np.int64)


def empty_score(frames: int) -> NDArray[np.int16]:
    """`[K, frames]` of rests, with holds in the codebooks that never rest (pulse, harmony, dynamics)."""
    codes = np.full((CODEBOOKS, frames), REST, dtype=np.int16)
    codes[[PULSE, HARMONY, DYNAMICS]] = HOLD
    return codes
