"""What the score says, second by second: what takes are chosen by, and the musical side of the tracking measurement.

Every feature is `[F]` float64 at 1 Hz with F = ceil(T / 25). Row f belongs to f seconds, as in an affect curve: it is
read from a window centred there, cut off at the ends of the piece.

    frames        0         25        50        75        100
    curve row     0         1         2         3         4
    1 s window    |==|  |=======|
    3 s window    |=============|       (row 1: 1.5 s to each side, cut at 0)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import UsageError
from narrascore.synthesis.score_codes import (
    CODEBOOKS,
    DYNAMICS,
    FRAME_RATE_HZ,
    PITCHED,
    PULSE,
    Note,
    read_dynamics,
    read_notes,
    read_pulse,
)

Codes = NDArray[np.integer]
Feature = NDArray[np.float64]

LOUDNESS_WINDOW_SECONDS = 1.0
ONSET_WINDOW_SECONDS = 3.0
REGISTER_WINDOW_SECONDS = 3.0
MODE_WINDOW_SECONDS = 6.0
CONSONANCE_WINDOW_SECONDS = 6.0

UNITS = {
    "dynamics": "level 0-15",
    "onsets": "notes/s",
    "tempo": "bpm",
    "mode": "-1 minor to +1 major",
    "consonance": "share of sounding intervals",
    "register": "MIDI pitch",
}
"""Every feature of the notes and its unit."""

CONSONANT_INTERVALS = (3, 4, 5)
"""Minor and major third and fourth, in semitones within half an octave: sixths and fifths are these turned over."""
MAJOR_TELLING = (4, 9, 11)
"""E, A, B: the third, sixth and seventh of C major."""
MINOR_TELLING = (1, 3, 8, 10)
"""Db, Eb, Ab, Bb: the third, sixth and seventh of C minor, and the second of the darker Phrygian. F sharp tells
nothing here: it is the brightest degree of Lydian and the tritone of a diminished chord."""


def read_features(codes: Codes) -> dict[str, Feature]:
    """Every feature of a score's notes, by name in the order of `UNITS`.

    Args:
        codes: score codes `[K, T]`, 25 Hz.

    Returns:
        Features `[F]` each.

    Raises:
        UsageError: if the codes are not a score's (MusicGen's EnCodec codes have no notes to read).
    """
    if codes.ndim != 2 or codes.shape[0] != CODEBOOKS or codes.shape[1] == 0:
        raise UsageError(
            f"tracking reads notes, and codes of shape {list(codes.shape)} have none: use a system whose codec is a "
            f"score ([{CODEBOOKS}, T]), such as system=embedded"
        )
    notes = read_notes(np.asarray(codes, dtype=np.int16))
    return {
        "dynamics": dynamics_level(codes, notes),
        "onsets": onset_rate(codes, notes),
        "tempo": tempo_bpm(codes),
        "mode": mode_index(codes, notes),
        "consonance": consonance_share(codes, notes),
        "register": register_pitch(codes, notes),
    }


def dynamics_level(codes: Codes, notes: list[Note] | None = None) -> Feature:
    """Loudness as written: the dynamics level in force, 0 to 15, weighted by the number of sounding notes.

    Read over 1 s from the dynamics codebook and all sounding voices; 0 where nothing sounds.
    """
    frames = codes.shape[1]
    sounding = np.zeros(frames)
    for note in _notes(codes, notes):
        sounding[note.start : note.stop] += 1
    level = _in_force([read_dynamics(int(code)) for code in codes[DYNAMICS]])
    weighted, _ = _window_sums(level * sounding, LOUDNESS_WINDOW_SECONDS)
    weight, _ = _window_sums(sounding, LOUDNESS_WINDOW_SECONDS)
    return np.divide(weighted, weight, out=np.zeros_like(weighted), where=weight > 0)


def onset_rate(codes: Codes, notes: list[Note] | None = None) -> Feature:
    """Notes that begin per second, pitched voices and percussion together, smoothed over 3 s."""
    begun = np.zeros(codes.shape[1])
    for note in _notes(codes, notes):
        begun[note.start] += 1
    sums, frames = _window_sums(begun, ONSET_WINDOW_SECONDS)
    return sums / frames * FRAME_RATE_HZ


def tempo_bpm(codes: Codes) -> Feature:
    """Quarters per minute in force at each second, 375 / n, from the pulse codebook; 0 throughout if it has no pulse.

    Before the first pulse the first one counts.
    """
    pulses = [read_pulse(int(code)) for code in codes[PULSE]]
    tempo = _in_force([375 / pulse[0] if pulse else None for pulse in pulses])
    return tempo[::FRAME_RATE_HZ]


def mode_index(codes: Codes, notes: list[Note] | None = None) -> Feature:
    """Major (+1) against minor (-1), read from the sounding notes: every score is written on the tonic C.

    (major-telling - minor-telling) / (major-telling + minor-telling), counted in note-seconds over 6 s. Seconds
    without a telling note are filled linearly from their neighbours; 0 throughout if no note tells.
    """
    frames = codes.shape[1]
    major, minor = np.zeros(frames), np.zeros(frames)
    for note in _notes(codes, notes):
        if note.voice in PITCHED and note.pitch % 12 in MAJOR_TELLING:
            major[note.start : note.stop] += 1
        elif note.voice in PITCHED and note.pitch % 12 in MINOR_TELLING:
            minor[note.start : note.stop] += 1
    difference, _ = _window_sums(major - minor, MODE_WINDOW_SECONDS)
    telling, _ = _window_sums(major + minor, MODE_WINDOW_SECONDS)
    return fill(np.divide(difference, telling, out=np.full_like(difference, np.nan), where=telling > 0))


def consonance_share(codes: Codes, notes: list[Note] | None = None) -> Feature:
    """Share of the intervals that sound at once which are thirds, fourths or their inversions, over 6 s.

    Each two pitch classes that sound together count for as long as they do; unisons and octaves tell nothing. Seconds
    without an interval are filled linearly from their neighbours; 0 throughout if there is none.
    """
    sounding = np.zeros((codes.shape[1], 12))
    for note in _notes(codes, notes):
        if note.voice in PITCHED:
            sounding[note.start : note.stop, note.pitch % 12] = 1
    consonant, every = interval_weights(sounding)
    top, _ = _window_sums(consonant, CONSONANCE_WINDOW_SECONDS)
    bottom, _ = _window_sums(every, CONSONANCE_WINDOW_SECONDS)
    return fill(np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 1e-9))


def interval_weights(pitch_classes: Feature) -> tuple[Feature, Feature]:
    """Weight of the consonant intervals, and of all, between the pitch classes of each row; `[n, 12]` -> two `[n]`."""
    apart = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    consonant = np.isin(np.minimum(apart, 12 - apart), CONSONANT_INTERVALS)
    every = pitch_classes.sum(axis=1) ** 2 - (pitch_classes**2).sum(axis=1)
    return np.einsum("ni,ij,nj->n", pitch_classes, consonant.astype(np.float64), pitch_classes), every


def register_pitch(codes: Codes, notes: list[Note] | None = None) -> Feature:
    """Mean MIDI pitch of the sounding pitched notes, each counted for as long as it sounds, over 3 s.

    Silent seconds are filled linearly from their neighbours; 0 throughout if no pitched note sounds.
    """
    frames = codes.shape[1]
    pitch, sounding = np.zeros(frames), np.zeros(frames)
    for note in _notes(codes, notes):
        if note.voice in PITCHED:
            pitch[note.start : note.stop] += note.pitch
            sounding[note.start : note.stop] += 1
    total, _ = _window_sums(pitch, REGISTER_WINDOW_SECONDS)
    weight, _ = _window_sums(sounding, REGISTER_WINDOW_SECONDS)
    return fill(np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0))


def _notes(codes: Codes, notes: list[Note] | None) -> list[Note]:
    return read_notes(np.asarray(codes, dtype=np.int16)) if notes is None else notes


def _in_force(values: list[float | None] | list[int | None]) -> Feature:
    """Each frame's latest value; before the first one, the first; 0 throughout if there is none."""
    at = [frame for frame, value in enumerate(values) if value is not None]
    if not at:
        return np.zeros(len(values))
    known = np.array([values[frame] for frame in at], dtype=np.float64)
    latest = np.searchsorted(at, np.arange(len(values)), side="right") - 1
    return known[np.maximum(latest, 0)]


def _window_sums(per_frame: Feature, window_seconds: float) -> tuple[Feature, Feature]:
    return centred_sums(per_frame, math.ceil(len(per_frame) / FRAME_RATE_HZ), FRAME_RATE_HZ, window_seconds)


def centred_sums(values: Feature, rows: int, rate_hz: int, window_seconds: float) -> tuple[Feature, Feature]:
    """Sum and count of `values` in the window around each of `rows` seconds, cut off at the ends."""
    centres, half = np.arange(rows) * rate_hz, window_seconds * rate_hz / 2
    start = np.clip(np.ceil(centres - half), 0, len(values)).astype(int)
    stop = np.clip(np.ceil(centres + half), 0, len(values)).astype(int)
    total = np.concatenate([[0.0], np.cumsum(values)])
    return total[stop] - total[start], (stop - start).astype(np.float64)


def fill(feature: Feature) -> Feature:
    """The feature with its gaps (nan) filled linearly, its ends held; 0 throughout if nothing is known."""
    known = np.flatnonzero(~np.isnan(feature))
    if len(known) == 0:
        return np.zeros_like(feature)
    return np.interp(np.arange(len(feature)), known, feature[known])
