"""The mixing desk: tones to voices, voices to stereo, brightness, room, and the limiter at the end.

    tone x gain -> voice -+- struck ------------------------+-> balance, pan -> brightness -+-> + -> limiter
                          +- sustained x dynamics in force -+                               +-> room -^

Work is done in blocks that begin at fixed places of the film, each carrying the tails of the one before, so memory does
not grow with the film and the samples do not depend on how they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from narrascore.synthesis.performance import SAMPLES_PER_FRAME, VOICE_BALANCE_DB, Tone, level_db
from narrascore.synthesis.sampler import SAMPLE_RATE_HZ, NoteBank
from narrascore.synthesis.score_codes import BASS, COUNTER, DRUMS, DRUMS_HIGH, DRUMS_LOW, INNER, MELODY
from narrascore.synthesis.seeded_noise import hashed_uniform

BLOCK_FRAMES = 50
STEMS: dict[str, tuple[int, ...]] = {
    "melody": (MELODY,), "counter": (COUNTER,), "harmony": INNER, "bass": (BASS,), "percussion": DRUMS,
}  # fmt: skip
PAN = {BASS: 0.0, INNER[0]: -0.35, INNER[1]: 0.35, INNER[2]: -0.1, MELODY: 0.12, COUNTER: -0.25, DRUMS_LOW: 0.0,
       DRUMS_HIGH: 0.2}  # fmt: skip
"""-1 left to 1 right."""
MASTER_DB = 6.5
"""Brings a full texture at middle dynamics to about -20 LUFS."""

_DARK_HZ = 1_200.0
_DARKENING = 0.35
"""A tone that is x dB softer loses 0.35 x dB more above this frequency."""
_ROOM_GAIN = 0.22
_ROOM_SECONDS = 2.0
_ROOM_DELAY_SECONDS = 0.018
_ROOM_BANDS = ((180.0, 1_200.0, 1.9), (1_200.0, 4_500.0, 1.4), (4_500.0, 12_000.0, 0.7))
"""(from Hz, to Hz, seconds to fall by 60 dB): dull in the end, as halls are, and no rumble."""


class Desk:
    """Streams a performance as stereo before the limiter.

    Args:
        bank: the sampler.
        tones: in the order of their notes' frames, as `perform` gives them.
        levels: dynamics level in force per frame `[T]`.
        voices: those heard; a stem has its own, the mix has all.
    """

    def __init__(self, bank: NoteBank, tones: Iterable[Tone], levels: NDArray[np.int64], voices: Iterable[int]) -> None:
        heard = frozenset(voices)
        self.bank = bank
        self.dynamics_db = level_db(levels)
        self._coming = (tone for tone in tones if tone.note.voice in heard)
        self._next = next(self._coming, None)
        self._sounding: list[tuple[Tone, NDArray[np.float32], np.float32]] = []
        self._dark = Convolver(_dark_response())
        self._room = Convolver(_room_response())

    def blocks(self, block_frames: int = BLOCK_FRAMES) -> Iterator[NDArray[np.float32]]:
        """`[2, N]` per block of frames, in order, the last one shorter."""
        frames = len(self.dynamics_db)
        for first in range(0, frames, block_frames):
            yield self._block(first, min(first + block_frames, frames))

    def _block(self, first: int, stop: int) -> NDArray[np.float32]:
        start, end = first * SAMPLES_PER_FRAME, stop * SAMPLES_PER_FRAME
        self._take_up(stop)
        buses: dict[tuple[int, bool], NDArray[np.float32]] = {}
        for tone, wave, gain in self._sounding:
            a, b = max(start, tone.start_sample), min(end, tone.start_sample + wave.shape[1])
            key = (tone.note.voice, tone.sustained)
            if a >= b:
                continue
            bus = buses.get(key)
            if bus is None or len(bus) < len(wave):
                bus = np.zeros((len(wave), end - start), np.float32) + (0 if bus is None else bus)
                buses[key] = bus
            bus[:, a - start : b - start] += _fade(tone, wave, a, b) * gain
        self._sounding = [item for item in self._sounding if item[0].start_sample + item[1].shape[1] > end]

        edges_db = np.append(self.dynamics_db[first:stop], self.dynamics_db[min(stop, len(self.dynamics_db) - 1)])
        mix = np.zeros((2, end - start), np.float32)
        swell = _glide(10 ** (edges_db / 20)) if any(sustained for _, sustained in buses) else None
        for (voice, sustained), bus in sorted(buses.items(), key=lambda item: item[0]):
            mix += bus * _pan(voice) * swell if sustained and swell is not None else bus * _pan(voice)
        bright = _glide(10 ** (edges_db * _DARKENING / 20))
        lit = mix * bright
        shaded = lit + self._dark.push(mix - lit)
        return shaded + self._room.push(shaded)

    def _take_up(self, stop: int) -> None:
        """Fetch the tones of all notes up to frame `stop`, which itself may have some that come early."""
        while self._next is not None and self._next.note.start <= stop:
            tone = self._next
            wave = self.bank.tone(tone.sound, tone.pitch, tone.held_samples + tone.release_samples)
            gain = np.float32(10 ** ((tone.gain_db + VOICE_BALANCE_DB[tone.note.voice] + MASTER_DB) / 20))
            self._sounding.append((tone, wave, gain))
            self._next = next(self._coming, None)


class Convolver:
    """Convolution of a stream with a fixed stereo response by FFT, overlap and add.

    Args:
        response: `[2, R]`.
    """

    def __init__(self, response: NDArray[np.float64]) -> None:
        self.response = response
        self._tail = np.zeros((2, 0), np.float32)
        self._spectra: dict[int, NDArray[np.complex64]] = {}

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next `[2, N]` of the stream."""
        samples = block.shape[1]
        size = _fast_size(samples + self.response.shape[1] - 1)
        if size not in self._spectra:
            self._spectra = {size: np.fft.rfft(self.response, size).astype(np.complex64)}
        whole = np.fft.irfft(np.fft.rfft(block, size) * self._spectra[size], size).astype(np.float32)
        whole[:, : self._tail.shape[1]] += self._tail
        self._tail = whole[:, samples : samples + self.response.shape[1] - 1].copy()
        return whole[:, :samples]


def _fade(tone: Tone, wave: NDArray[np.float32], a: int, b: int) -> NDArray[np.float32]:
    """Samples a to b (of the film) of a tone, its release a falling half cosine, squared."""
    part = wave[:, a - tone.start_sample : b - tone.start_sample]
    released = tone.start_sample + tone.held_samples
    if b <= released:
        return part
    at = np.arange(max(a, released), b, dtype=np.float32) - np.float32(released)
    ramp = np.cos(np.pi / 2 * np.minimum(at / max(tone.release_samples, 1), 1)) ** 2
    gains = np.concatenate([np.ones(b - a - len(ramp), np.float32), ramp.astype(np.float32)])
    return np.asarray(part * gains)


def _pan(voice: int) -> NDArray[np.float32]:
    """Equal power, 1 and 1 in the middle: `[2, 1]`."""
    angle = np.pi / 4 * (1 + PAN[voice])
    return np.array([[np.cos(angle)], [np.sin(angle)]], dtype=np.float32) * np.float32(np.sqrt(2))


def _glide(edges: NDArray[np.float64]) -> NDArray[np.float32]:
    """A gain per frame edge `[T + 1]` as one per sample `[T * samples]`: each edge's own, straight lines between."""
    share = np.arange(SAMPLES_PER_FRAME, dtype=np.float32) / np.float32(SAMPLES_PER_FRAME)
    at = edges.astype(np.float32)
    return np.asarray(at[:-1, None] + (at[1:] - at[:-1])[:, None] * share).reshape(-1)


def _dark_response() -> NDArray[np.float64]:
    """A low-pass of two equal poles, until it has fallen under 1e-7."""
    pole = np.exp(-2 * np.pi * _DARK_HZ / SAMPLE_RATE_HZ)
    n = np.arange(256)
    return np.repeat(((1 - pole) ** 2 * (n + 1) * pole**n)[None], 2, axis=0)


def _room_response() -> NDArray[np.float64]:
    """Left and right hall: two unrelated hashed noises, each band falling at its own rate."""
    samples, delay = round(_ROOM_SECONDS * SAMPLE_RATE_HZ), round(_ROOM_DELAY_SECONDS * SAMPLE_RATE_HZ)
    hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    response = np.zeros((2, samples))
    for side in range(2):
        spectrum = np.fft.rfft(hashed_uniform(np.arange(samples), stream=100 + side))
        for low, high, fall_seconds in _ROOM_BANDS:
            band = np.fft.irfft(np.where((hz >= low) & (hz < high), spectrum, 0), samples)
            response[side] += band * 10 ** (-3 * seconds / fall_seconds)
    response *= 1 - np.exp(-seconds / 0.01)
    response *= 0.5 * (1 + np.cos(np.pi * np.clip(seconds / _ROOM_SECONDS * 4 - 3, 0, 1)))
    response *= _ROOM_GAIN / np.sqrt((response**2).sum(axis=1, keepdims=True))
    return np.pad(response[:, :-delay], ((0, 0), (delay, 0)))


@lru_cache
def _fast_size(least: int) -> int:
    """The smallest 2^a 3^b 5^c of at least `least`, even."""
    sizes = (int(2**a * 3**b * 5**c) for a in range(1, 22) for b in range(6) for c in range(6))
    return min(size for size in sizes if size >= least)
