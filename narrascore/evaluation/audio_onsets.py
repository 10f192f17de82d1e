"""Onsets in sound, where there are no notes to count: peaks of the spectral flux."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HOP_SECONDS, FRAME_SECONDS = 0.01, 0.04
SMOOTHING_SECONDS = 3.0
"""As for notes: see `features.onset_rate`."""
APART_SECONDS = 0.05
"""Peaks that are closer count once."""


def audio_onset_rate(waveform: Tensor, sample_rate_hz: int) -> NDArray[np.float64]:
    """Onsets per second, counted over 3 s around each second.

    An onset is a frame in which the magnitudes of the spectrum rise, in all, more than in any within 50 ms, and by
    more than the piece's mean rise and one standard deviation.

    Args:
        waveform: `[C, N]`.
        sample_rate_hz: its rate.

    Returns:
        `[F]` with F = ceil(seconds of sound); row f belongs to f seconds.
    """
    length = waveform.shape[1] / sample_rate_hz
    rows = np.arange(math.ceil(length), dtype=np.float64)
    rise = spectral_rise(waveform, sample_rate_hz)
    if len(rise) < 2:
        return np.zeros(len(rows))
    reach = round(APART_SECONDS / HOP_SECONDS)
    highest = torch.nn.functional.max_pool1d(rise[None], 2 * reach + 1, stride=1, padding=reach)[0]
    peaks = (rise == highest) & (rise > rise.mean() + rise.std())
    seconds = peaks.nonzero()[:, 0].numpy() * round(HOP_SECONDS * sample_rate_hz) / sample_rate_hz
    start = np.maximum(rows - SMOOTHING_SECONDS / 2, 0)
    stop = np.minimum(rows + SMOOTHING_SECONDS / 2, length)
    counts = np.searchsorted(seconds, stop, "left") - np.searchsorted(seconds, start, "left")
    return np.asarray(counts / (stop - start))


def spectral_rise(waveform: Tensor, sample_rate_hz: int) -> Tensor:
    """How much the spectrum rises into each frame of 40 ms, every 10 ms: the curve whose peaks are onsets.

    Args:
        waveform: `[C, N]`.
        sample_rate_hz: its rate.

    Returns:
        `[frames]`, frame i centred at i x 10 ms, the first 0; empty for sound that is shorter than a frame.
    """
    hop, frame = round(HOP_SECONDS * sample_rate_hz), round(FRAME_SECONDS * sample_rate_hz)
    mono = waveform.float().mean(dim=0)
    if len(mono) <= frame:
        return torch.zeros(0)
    spectrum = torch.stft(mono, frame, hop, window=torch.hann_window(frame), return_complex=True).abs()
    loudest = spectrum.max().clamp(min=1e-9)  # so that the gain does not count
    rise = torch.relu(torch.log1p(10 * spectrum / loudest).diff(dim=1)).mean(dim=0)
    return torch.cat([torch.zeros(1), rise])
