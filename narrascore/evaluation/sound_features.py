"""What the sound says, second by second: the features of music that has no notes to read.

Every feature is `[F]` float64 at 1 Hz, on the rows of `features`. Onsets, tempo, centroid, flux, mode and consonance do
not change with the gain: of them, a system that is merely louder gets nothing. Mode and consonance are estimates from a
chroma; how far they are from the notes' own is measured on the composer's pieces (`known_truth`) and stands in the
report.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrascore.evaluation.audio_loudness import audio_loudness
from narrascore.evaluation.audio_onsets import HOP_SECONDS, audio_onset_rate, spectral_rise
from narrascore.synthesis.note_features import Feature, centred_sums, fill, interval_weights

SOUND_UNITS = {
    "loudness": "LUFS",
    "sound onsets": "onsets/s",
    "sound tempo": "bpm",
    "centroid": "Hz",
    "flux": "share of the spectrum that is new every 20 ms",
    "sound mode": "minor to major, difference of two correlations",
    "sound consonance": "share of sounding intervals",
}
"""Every feature of sound and its unit, in the order of `read_sound`."""

COLOUR_WINDOW_SECONDS = 3.0
TONAL_WINDOW_SECONDS = 6.0
TEMPO_WINDOW_SECONDS = 8.0
SLOWEST_BPM, USUAL_BPM, FASTEST_BPM = 50.0, 110.0, 200.0
"""Twice and half a tempo fit the same onsets; a weight of one octave's width around the usual one decides."""

SPECTRUM_SECONDS, SPECTRUM_HOP_SECONDS = 0.04, 0.02
CHROMA_SECONDS, CHROMA_HOP_SECONDS = 0.4, 0.1
CHROMA_HZ = (60.0, 1500.0)
SILENT = 1e-4
"""Frames whose magnitudes are under this share of the loudest frame's have no colour."""

MAJOR_PROFILE = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
MINOR_PROFILE = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
"""Share of each semitone above the tonic in music of a key (Albrecht and Shanahan 2013). Of four pairs of profiles
these order known major and minor best, and agree best with the notes."""
TONIC_SHARPNESS = 20.0
"""A tonic whose better key fits the whole piece better by 0.05 (a correlation) weighs e times as much."""


def read_sound(waveform: Tensor, sample_rate_hz: int) -> dict[str, Feature]:
    """Every feature of a piece of sound, by name in the order of `SOUND_UNITS`.

    Args:
        waveform: `[C, N]`, C = 1 or 2.
        sample_rate_hz: its rate.

    Returns:
        Features `[F]` each, F = ceil(seconds of sound).

    Raises:
        ValueError: if there is no sound at all.
    """
    loudness = audio_loudness([waveform], sample_rate_hz)
    rows = len(loudness)
    centroid, flux = _colour(waveform, sample_rate_hz, rows)
    mode, consonance = _tonality(chroma(waveform, sample_rate_hz), rows)
    features = (
        loudness, audio_onset_rate(waveform, sample_rate_hz), sound_tempo(waveform, sample_rate_hz), centroid, flux,
        mode, consonance,
    )  # fmt: skip
    return dict(zip(SOUND_UNITS, features, strict=True))


def sound_tempo(waveform: Tensor, sample_rate_hz: int) -> Feature:
    """Beats per minute over 8 s: the period at which the onsets repeat best.

    The autocorrelation of the spectral rise, weighted towards `USUAL_BPM`; 0 throughout where nothing ever rises.
    """
    rows = math.ceil(waveform.shape[1] / sample_rate_hz)
    rise = spectral_rise(waveform, sample_rate_hz).numpy().astype(np.float64)
    half = round(TEMPO_WINDOW_SECONDS / HOP_SECONDS / 2)
    lags = np.arange(round(60 / FASTEST_BPM / HOP_SECONDS), round(60 / SLOWEST_BPM / HOP_SECONDS) + 1)
    bpm = 60 / (lags * HOP_SECONDS)
    weight = np.exp(-0.5 * np.log2(bpm / USUAL_BPM) ** 2)
    tempo = np.full(rows, np.nan)
    for row in range(rows):
        centre = round(row / HOP_SECONDS)
        part = rise[max(0, centre - half) : centre + half]
        if len(part) > 2 * lags[-1] and part.max() > 0:
            part = part - part.mean()
            spectrum = np.abs(np.fft.rfft(part, 2 * len(part))) ** 2
            tempo[row] = bpm[np.argmax(weight * np.fft.irfft(spectrum)[lags])]
    return fill(tempo)


def chroma(waveform: Tensor, sample_rate_hz: int) -> NDArray[np.float64]:
    """Weight of each pitch class (C first) in frames of 0.4 s, every 0.1 s, `[frames, 12]`.

    Of the spectrum between 60 and 1500 Hz only the peaks count, by the root of their magnitude, so that a loud voice
    does not drown the others. Each frame sums to 1, or to 0 where it is silent.
    """
    size, hop = round(CHROMA_SECONDS * sample_rate_hz), round(CHROMA_HOP_SECONDS * sample_rate_hz)
    mono = waveform.float().mean(dim=0)
    mono = torch.nn.functional.pad(mono, (0, max(0, size + 1 - len(mono))))
    spectrum = torch.stft(mono, size, hop, window=torch.hann_window(size), return_complex=True).abs().numpy().T
    hz = np.arange(spectrum.shape[1]) * sample_rate_hz / size
    low, high = np.searchsorted(hz, CHROMA_HZ)
    inner = spectrum[:, low:high]
    peaks = (inner > spectrum[:, low - 1 : high - 1]) & (inner >= spectrum[:, low + 1 : high + 1])
    peaks &= inner > 0.01 * np.maximum(inner.max(axis=1, keepdims=True), SILENT * spectrum.max())
    classes = np.round(12 * np.log2(hz[low:high] / 440) + 9).astype(int) % 12
    weights = np.sqrt(np.where(peaks, inner, 0)) @ np.eye(12)[classes]
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0), dtype=np.float64)


def _colour(waveform: Tensor, sample_rate_hz: int, rows: int) -> tuple[Feature, Feature]:
    """Spectral centroid and flux over 3 s.

    The flux is the part of each frame's spectrum, brought to the sum 1, that was not in the one before: what changes
    when everything merely gets louder is none of it.
    """
    size, hop = round(SPECTRUM_SECONDS * sample_rate_hz), round(SPECTRUM_HOP_SECONDS * sample_rate_hz)
    mono = waveform.float().mean(dim=0)
    mono = torch.nn.functional.pad(mono, (0, max(0, size + 1 - len(mono))))
    spectrum = torch.stft(mono, size, hop, window=torch.hann_window(size), return_complex=True).abs().numpy().T
    spectrum = spectrum.astype(np.float64)
    total = spectrum.sum(axis=1)
    sounds = total > SILENT * max(total.max(), 1e-9)
    shares = np.where(sounds[:, None], spectrum / np.maximum(total, 1e-12)[:, None], 0)
    new = np.concatenate([[0.0], np.maximum(np.diff(shares, axis=0), 0).sum(axis=1)])
    hz = np.arange(spectrum.shape[1]) * sample_rate_hz / size
    rate_hz = round(1 / SPECTRUM_HOP_SECONDS)
    heard, frames = centred_sums(sounds.astype(np.float64), rows, rate_hz, COLOUR_WINDOW_SECONDS)
    centroid, _ = centred_sums(shares @ hz, rows, rate_hz, COLOUR_WINDOW_SECONDS)
    flux, _ = centred_sums(new, rows, rate_hz, COLOUR_WINDOW_SECONDS)
    centroid = np.divide(centroid, heard, out=np.full(rows, np.nan), where=heard > 0)
    return fill(centroid), flux / np.maximum(frames, 1)


def _tonality(pitch_classes: NDArray[np.float64], rows: int) -> tuple[Feature, Feature]:
    """Mode and consonance over 6 s, from a chroma `[frames, 12]`.

    Mode is how much better a tonic's major key fits than its minor, averaged over the twelve tonics by how well each
    fits the whole piece. A minor key shares its notes with its relative major, so some pieces are read wrongly.
    """
    rate_hz = round(1 / CHROMA_HOP_SECONDS)
    windows = np.stack([centred_sums(weights, rows, rate_hz, TONAL_WINDOW_SECONDS)[0] for weights in pitch_classes.T])
    major, minor = _fits(MAJOR_PROFILE, windows.T), _fits(MINOR_PROFILE, windows.T)
    tonics = np.exp(TONIC_SHARPNESS * np.maximum(major, minor).mean(axis=0))
    mode = (major - minor) @ (tonics / tonics.sum())
    consonant, every = (centred_sums(sums, rows, rate_hz, TONAL_WINDOW_SECONDS)[0]
                        for sums in interval_weights(pitch_classes))  # fmt: skip
    consonance = np.divide(consonant, every, out=np.full(rows, np.nan), where=every > 1e-9)
    return mode, fill(consonance)


def _fits(profile: tuple[float, ...], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of each row with a key's profile on every tonic, `[n, 12]` -> `[n, 12]`; 0 for silence."""
    keys = np.stack([np.roll(profile, tonic) for tonic in range(12)])
    keys = keys - keys.mean(axis=1, keepdims=True)
    centred = weights - weights.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True) * np.linalg.norm(keys, axis=1)
    return np.asarray(np.divide(centred @ keys.T, lengths, out=np.zeros_like(centred), where=lengths > 1e-9))
