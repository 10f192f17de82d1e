"""Sound that behaves like speech, made here: harmonics under formants, syllables and pauses."""

from __future__ import annotations

import numpy as np

from tests.media.films import Sound

RATE_HZ = 48_000
SYLLABLES_HZ = 4.0
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))
"""Formants of ah, ee, oo and eh (Peterson and Barney 1952)."""


def speech(seconds: float, *, level: float = 0.3, seed: int = 0, channels: int = 2) -> Sound:
    """`[C, n]`: phrases of three to eight syllables at 4 Hz, with pauses of 0.15 to 0.5 s, over a faint room."""
    noise = np.random.default_rng(seed)
    wave, at = 1e-4 * noise.standard_normal(round(seconds * RATE_HZ)), 0
    while at < len(wave):
        for _ in range(noise.integers(3, 9)):
            syllable = _syllable(noise)[: len(wave) - at]
            wave[at : at + len(syllable)] += level * noise.uniform(0.6, 1.0) * syllable
            at += round(RATE_HZ / SYLLABLES_HZ)
            if at >= len(wave):
                break
        at += round(noise.uniform(0.15, 0.5) * RATE_HZ)
    return np.tile(wave.astype(np.float32), (channels, 1))


def chords(seconds: float, *, level: float = 0.1, seed: int = 0, channels: int = 2) -> Sound:
    """`[C, n]`: held chords of bowed character, two a second, each growing out of the one before."""
    noise = np.random.default_rng(seed)
    seconds_at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = np.zeros(len(seconds_at))
    for start in np.arange(0, seconds, 0.5):
        part = slice(round(start * RATE_HZ), round((start + 1) * RATE_HZ))
        shape = np.sin(np.pi * (seconds_at[part] - start)) ** 2
        for semitones in noise.choice(24, 4, replace=False):
            hz = 110 * 2 ** (semitones / 12)
            wave[part] += level / 4 * shape * sum(np.sin(2 * np.pi * k * hz * seconds_at[part]) / k for k in (1, 2, 3))
    return np.tile(wave.astype(np.float32), (channels, 1))


def _syllable(noise: np.random.Generator) -> Sound:
    seconds = noise.uniform(0.16, 0.24)
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    f0 = noise.uniform(100, 140)
    formants = VOWELS[noise.integers(len(VOWELS))]
    harmonics = f0 * np.arange(1, int(4000 / f0))
    amplitudes = sum(1 / (1 + ((harmonics - formant) / 90) ** 2) for formant in formants) / np.sqrt(harmonics / f0)
    wave = (amplitudes[:, None] * np.sin(2 * np.pi * harmonics[:, None] * at * (1 - 0.1 * at))).sum(axis=0)
    shape = np.minimum(1, np.minimum(at / 0.03, (seconds - at) / 0.06))
    result: Sound = (wave / np.abs(wave).max() * shape).astype(np.float32)
    return result
