"""From codes to a performance: when each note really sounds, how loud, on what, and for how long.

The rules, all of them functions of the codes and of absolute frames, so a film is played the same in any chunks:

- loudness: the dynamics codebook's level in force, from -30 dB (level 0) to 0 dB (level 15), in steps that shrink
  upwards; strings, winds and pads follow it while they sound, struck and plucked tones keep their onset's;
- accent: a bar's first sixteenth is loudest, then the quarters, the eighths, the rest;
- hand: every onset is up to some milliseconds early or late and up to 0.7 dB softer or louder, from a hash of its
  absolute frame and voice;
- breath: a held tone longer than 12 s is taken up anew; an open hat ends at the next closed one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from narrascore.lexicon import Role
from narrascore.synthesis import score_codes
from narrascore.synthesis.palette import Palette, PaletteTurns
from narrascore.synthesis.sampler import SAMPLE_RATE_HZ, Sound
from narrascore.synthesis.score_codes import (
    BASS,
    COUNTER,
    DRUM_KINDS,
    DRUMS,
    DRUMS_HIGH,
    DRUMS_LOW,
    INNER,
    MELODY,
    Note,
)  # fmt: skip
from narrascore.synthesis.seeded_noise import hashed_uniform

SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // score_codes.FRAME_RATE_HZ

ROLE_OF_VOICE: dict[int, Role] = {
    BASS: "bass", **dict.fromkeys(INNER, "inner"), MELODY: "melody", COUNTER: "counter",
    DRUMS_LOW: "percussion", DRUMS_HIGH: "percussion",
}  # fmt: skip
VOICE_BALANCE_DB = {
    BASS: -3.0, **dict.fromkeys(INNER, -7.0), MELODY: 0.0, COUNTER: -4.0, DRUMS_LOW: -3.0, DRUMS_HIGH: -6.0,
}  # fmt: skip

SOFTEST_DB = -30.0
_LEVEL_CURVE = 1.5
"""Above 1, the steps between levels shrink upwards: 2.9 dB at the soft end, 0.5 at the loud."""
FIRST_LEVEL = 8
"""In force until the codes say otherwise."""
_ACCENTS_DB = (0.0, -1.2, -2.4, -3.4)
"""Of a bar's first sixteenth, the quarters, the eighths, the rest."""
_SOFT_STROKE_DB = -8.0
_HAND_MS = {BASS: 4.0, **dict.fromkeys(INNER, 7.0), MELODY: 6.0, COUNTER: 6.0, DRUMS_LOW: 2.0, DRUMS_HIGH: 3.0}
_HAND_DB = 0.7

_SHORTEST_SECONDS = 0.06
_BREATH_SECONDS = 12.0
ONE_SHOT_SECONDS = 2.5
_ONE_SHOT_RELEASE_SECONDS = 0.5
_CHOKE_SECONDS = 0.03
_TIMPANI, _TAIKO = Sound(47), Sound(116)
_ORCHESTRAL_KIT = 48
_ORCHESTRAL_KEYS = {"closed hat": 27, "open hat": 29, "ride": 30, "crash": 59}
"""Where General MIDI 2's orchestral kit keeps what other kits have elsewhere: keys 41 to 53 are its timpani."""
_TIMPANI_DEGREES = {"timpani": 0, "mid tom": 0, "low tom": -5, "high tom": 7}
"""Tuned drums play tonic and dominant, in semitones from the tonic."""


@dataclass(frozen=True, slots=True)
class Tone:
    """One tone as it is played.

    Attributes:
        start_sample: where it begins, micro-timing included.
        held_samples, release_samples: full, then fading to nothing.
        note: the note of the score it comes from (frames, tonic C).
        sound, pitch: what the sampler plays, key included.
        gain_db: accent, hand and stroke; for struck tones the level too.
        velocity: 1 to 127, level included for all.
        sustained: it follows the dynamics while it sounds.
        fresh: False for a held tone that is taken up anew.
    """

    start_sample: int
    held_samples: int
    release_samples: int
    note: Note
    sound: Sound
    pitch: int
    gain_db: float
    velocity: int
    sustained: bool
    fresh: bool = True


def level_db(level: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """Loudness of a dynamics level, 0 to 15, in dB under the loudest."""
    share = 1 - np.asarray(level, dtype=np.float64) / (score_codes.DYNAMIC_LEVELS - 1)
    return SOFTEST_DB * share**_LEVEL_CURVE


def read_levels(codes: NDArray[np.int16]) -> NDArray[np.int64]:
    """The dynamics level in force at each frame of `codes [K, T]`: `[T]`."""
    row = codes[score_codes.DYNAMICS].astype(np.int64) - score_codes.FIRST
    said = (row >= 0) & (row < score_codes.DYNAMIC_LEVELS)
    last = np.maximum.accumulate(np.where(said, np.arange(len(row)), -1)) if len(row) else row
    return np.where(last >= 0, row[last], FIRST_LEVEL)


def perform(codes: NDArray[np.int16], palette: Palette | PaletteTurns) -> Iterator[Tone]:
    """All tones of `codes [K, T]`, in the order of their notes' frames, then voices."""
    levels = level_db(read_levels(codes))
    notes = score_codes.read_notes(codes)
    places = np.array([note.start * score_codes.CODEBOOKS + note.voice for note in notes], dtype=np.int64)
    hand = hashed_uniform(places, stream=1)
    weight = hashed_uniform(places, stream=2)
    closed_hats = [note.start for note in notes if note.voice in DRUMS and note.pitch == DRUM_KINDS["closed hat"]]
    for note, early_or_late, light_or_heavy in zip(notes, hand.tolist(), weight.tolist(), strict=True):
        sound, pitch = _sound(note, palette.at(note.start))
        sustained = note.voice not in DRUMS and _is_sustained(sound.program)
        gain_db = accent_db(int(codes[score_codes.PULSE, note.start])) + light_or_heavy * _HAND_DB
        gain_db += 0 if note.strong else _SOFT_STROKE_DB
        loud_db = gain_db + float(levels[note.start])
        start = note.start * SAMPLES_PER_FRAME + round(early_or_late * _HAND_MS[note.voice] * SAMPLE_RATE_HZ / 1000)
        held, release = _durations(note, sound, closed_hats)
        tone = Tone(max(0, start), held, release, note, sound, pitch, gain_db if sustained else loud_db,
                    min(max(round(127 * 10 ** (loud_db / 40)), 1), 127), sustained)  # fmt: skip
        yield from _breathe(tone)


def accent_db(pulse_code: int) -> float:
    """Of a note that begins with this pulse code; off the pulse is as light as the lightest sixteenth."""
    pulse = score_codes.read_pulse(pulse_code)
    if pulse is None:
        return _ACCENTS_DB[-1]
    divisors = (score_codes.SIXTEENTHS_PER_BAR_MAX, 4, 2, 1)
    return _ACCENTS_DB[next(i for i, divisor in enumerate(divisors) if pulse[1] % divisor == 0)]


def _sound(note: Note, palette: Palette) -> tuple[Sound, int]:
    """What plays a note, and its key: timpani and taiko are programs of their own; the orchestra's toms are timpani."""
    program = palette.program(ROLE_OF_VOICE[note.voice])
    if note.voice not in DRUMS:
        return Sound(program), min(max(note.pitch + palette.key_semitones, 0), 127)
    kind = next(name for name, key in DRUM_KINDS.items() if key == note.pitch)
    if kind == "timpani" or (program == _ORCHESTRAL_KIT and kind in _TIMPANI_DEGREES):
        return _TIMPANI, 41 + (palette.key_semitones - 5 + _TIMPANI_DEGREES[kind]) % 12
    if kind == "taiko":
        return _TAIKO, 48
    key = _ORCHESTRAL_KEYS.get(kind, note.pitch) if program == _ORCHESTRAL_KIT else note.pitch
    return Sound(program, drum=True), key


def _durations(note: Note, sound: Sound, closed_hats: list[int]) -> tuple[int, int]:
    """Samples held and samples of release."""
    if note.voice in DRUMS:
        held, release = ONE_SHOT_SECONDS, _ONE_SHOT_RELEASE_SECONDS
        if note.pitch == DRUM_KINDS["open hat"]:
            at = bisect_right(closed_hats, note.start)
            until = (closed_hats[at] - note.start) / score_codes.FRAME_RATE_HZ if at < len(closed_hats) else held
            held, release = (until, _CHOKE_SECONDS) if until < held else (held, release)
    else:
        held = max((note.stop - note.start) / score_codes.FRAME_RATE_HZ, _SHORTEST_SECONDS)
        release = _release_seconds(sound.program)
    return round(held * SAMPLE_RATE_HZ), round(release * SAMPLE_RATE_HZ)


def _breathe(tone: Tone) -> list[Tone]:
    """The tone itself, or a held one in equal parts of at most 12 s, each taken up while the one before fades."""
    breath = round(_BREATH_SECONDS * SAMPLE_RATE_HZ)
    parts = -(-tone.held_samples // breath) if tone.sustained else 1
    if parts == 1:
        return [tone]
    edges = [tone.held_samples * i // parts for i in range(parts + 1)]
    return [
        replace(tone, start_sample=tone.start_sample + a, held_samples=b - a, fresh=a == 0) for a, b in pairwise(edges)
    ]


def _is_sustained(program: int) -> bool:
    """Organs, bowed strings, choirs, brass, winds, synthesisers: what sounds as long as it is fed."""
    return 16 <= program <= 23 or (40 <= program <= 95 and program not in (45, 46, 47, 55))


def _release_seconds(program: int) -> float:
    """How a tone ends: dampers, bows and breaths stop soon, bells and harps ring on."""
    if 8 <= program <= 15 or program == 46:
        return 1.5
    if program in (40, 41, 42, 43, 44) or 48 <= program <= 54:
        return 0.25
    if program == 45:
        return 0.5
    if 88 <= program <= 95:
        return 0.6
    return 0.2 if program < 8 else 0.12
