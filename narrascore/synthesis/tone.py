"""A sound font's sample played as one tone: read at another rate, looped, filtered, and shaped by its envelope."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from narrascore.synthesis.zones import SILENT_DB, Zone

_TAPS = 12
_PHASES = 256
_PART = 65_536
"""Samples interpolated at a time: bounds the memory of long tones."""


def play_zone(zone: Zone, start: int, stop: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """`[stop - start]` samples of one zone held down since sample 0, the same whatever part is asked for."""
    points = zone.points.astype(np.float32) / np.float32(32_768)
    if zone.cutoff_hz is not None:
        points = _low_pass(points, zone.cutoff_hz / zone.rate_hz, zone.resonance_db)
    position = _positions(zone, stop, sample_rate_hz)[start:]
    wave = _interpolate(points, zone.loop, position, min(1.0, sample_rate_hz / zone.rate_hz))
    return wave * (_envelope(zone, start, stop, sample_rate_hz) * np.float32(zone.gain))


def _positions(zone: Zone, samples: int, sample_rate_hz: int) -> NDArray[np.float64]:
    """Which point, and how far to the next, each sample is read at, before looping."""
    step = zone.rate_hz / sample_rate_hz
    cents, rate_hz, delay_seconds = zone.vibrato
    if not cents:
        return np.asarray(np.arange(samples) * step, dtype=np.float64)
    seconds = np.maximum(np.arange(samples) / sample_rate_hz - delay_seconds, 0)
    steps = step * 2 ** (cents * np.sin(2 * np.pi * rate_hz * seconds) / 1200)
    return np.asarray(np.cumsum(steps) - steps, dtype=np.float64)


def _interpolate(
    points: NDArray[np.float32], loop: tuple[int, int] | None, position: NDArray[np.float64], bandwidth: float
) -> NDArray[np.float32]:
    """Windowed sinc; `bandwidth` under 1 keeps what a faster reading would fold back from being heard."""
    before, after = _TAPS // 2 - 1, _TAPS // 2
    if loop is not None:
        start, stop = loop
        turns = np.maximum(np.floor((position - start) / (stop - start)), 0)
        position = position - turns * (stop - start)
        # What follows the loop's end is its beginning again, as often as the kernel reaches.
        points = np.concatenate([points[:stop], np.resize(points[start:stop], after + 1)])
    points = np.pad(points, (before, after + 1))
    phases = np.arange(_PHASES + 1)[:, None] / _PHASES
    at = np.arange(-before, after + 1)[None] - phases
    kernel = (bandwidth * np.sinc(bandwidth * at) * np.cos(np.pi * at / (_TAPS + 1)) ** 2).T.astype(np.float32)
    wave = np.zeros(len(position), np.float32)
    last = len(points) - _TAPS
    # Positions only grow unless they loop: past the last point there is nothing.
    read = len(position) if loop is not None else int(np.searchsorted(position, last))
    for first in range(0, read, _PART):
        part = position[first : min(first + _PART, read)]
        whole = part.astype(np.int64)
        phase = np.rint((part - whole) * _PHASES).astype(np.int64)
        total = wave[first : first + len(part)]
        for tap in range(_TAPS):
            total += points[tap:].take(whole) * kernel[tap].take(phase)
    return wave


def _envelope(zone: Zone, start: int, stop: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """Delay, a straight attack, hold, then a decay straight in dB down to the sustained level."""
    seconds = (np.arange(start, stop) / sample_rate_hz - zone.delay_seconds).astype(np.float32)
    rising = np.clip(seconds / max(zone.attack_seconds, 0.001), 0, 1)
    if zone.sustain_db == 0:
        return np.asarray(rising, dtype=np.float32)
    falling = np.maximum(seconds - np.float32(zone.attack_seconds + zone.hold_seconds), 0)
    level_db = np.maximum(falling * np.float32(-100 / max(zone.decay_seconds, 0.001)), np.float32(zone.sustain_db))
    level = np.where(level_db <= SILENT_DB, 0, np.exp2(level_db * np.float32(np.log2(10) / 20)))
    return np.asarray(rising * level, dtype=np.float32)


def _low_pass(points: NDArray[np.float32], cutoff: float, resonance_db: float) -> NDArray[np.float32]:
    """Two poles at `cutoff` (share of the points' rate) on the sample itself, so that a loop stays a loop."""
    if cutoff >= 0.45:
        return points
    size = 1 << (len(points) + 4096 - 1).bit_length()
    ratio = np.tan(np.pi * np.minimum(np.fft.rfftfreq(size), 0.4999)) / np.tan(np.pi * cutoff)
    response = 1 / (1 - ratio**2 + 1j * ratio * 10 ** ((3.01 - resonance_db) / 20))
    return np.fft.irfft(np.fft.rfft(points, size) * response, size)[: len(points)].astype(np.float32)
