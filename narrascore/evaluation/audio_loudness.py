"""How loud rendered sound is, second by second, on the rows of `note_features`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrascore.synthesis.note_features import LOUDNESS_WINDOW_SECONDS, Feature, centred_sums

SILENCE_LUFS = -70.0
"""The absolute gate of ITU-R BS.1770-4: anything softer counts as this."""


def audio_loudness(blocks: Iterable[ArrayLike], sample_rate_hz: int) -> Feature:
    """K-weighted loudness of rendered sound over 1 s (ITU-R BS.1770-4 without the gates that serve whole programmes).

    Args:
        blocks: the waveform of one piece in order, each `[C, n]` (an array, or a tensor on the CPU), C = 1 or 2.
        sample_rate_hz: its rate.

    Returns:
        LUFS `[F]` with F = ceil(seconds of sound), not under -70.

    Raises:
        ValueError: if there is no sound at all.
    """
    parts = [np.asarray(block, dtype=np.float32) for block in blocks]
    waveform = np.concatenate(parts, axis=1) if parts else np.zeros((1, 0), dtype=np.float32)
    samples = waveform.shape[1]
    if samples == 0:
        raise ValueError("loudness needs at least one sample: got none")
    power = np.zeros(samples)
    weighting = _k_weighting(np.fft.rfftfreq(samples, 1 / sample_rate_hz))
    for channel in waveform:
        power += np.fft.irfft(np.fft.rfft(channel) * weighting, samples) ** 2
    sums, counts = centred_sums(power, math.ceil(samples / sample_rate_hz), sample_rate_hz, LOUDNESS_WINDOW_SECONDS)
    return np.maximum(-0.691 + 10 * np.log10(np.maximum(sums / counts, 1e-12)), SILENCE_LUFS)


def _k_weighting(frequencies_hz: NDArray[np.floating]) -> NDArray[np.complex128]:
    """The response of BS.1770-4's two filters (tables 1 and 2, given at 48 kHz), which is valid at any sample rate."""
    step = np.exp(-2j * np.pi * np.minimum(frequencies_hz, 24_000) / 48_000)
    shelf = np.polyval((1.19839281085285, -2.69169618940638, 1.53512485958697), step) / np.polyval(
        (0.73248077421585, -1.69065929318241, 1.0), step
    )
    high_pass = np.polyval((1.0, -2.0, 1.0), step) / np.polyval((0.99007225036621, -1.99004745483398, 1.0), step)
    return np.asarray(shelf * high_pass)
