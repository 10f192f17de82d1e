"""Ducking: how far music gives way, moment by moment, to what the film itself has to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
import numpy as np
from numpy.typing import NDArray

from narrascore.media.mix_settings import MixSettings
from narrascore.media.samples import Block

STEP_SECONDS = 0.02
KNEE_LU = 6.0
"""From the threshold up to this far above it the duck deepens."""

LOW_SHARE_OF_MUSIC, LOW_SHARE_OF_SPEECH = 0.12, 0.25
"""Share of low-energy steps: at the first and less the sound is taken for music, at the second and more for speech."""
MEAN_SECONDS = 1.0
STRETCH_SECONDS = 5.0

Track = NDArray[np.float32]
"""One number a step of 20 ms, for a whole film: 720 kB an hour, the only thing here that grows with it."""


class SideChain:
    """Listens to sound that goes past and keeps its power, step by step.

    A step's power is the sum over channels (without LFE) of the variance of their samples, so neither an offset nor a
    rumble of a few hertz counts.

    Args:
        sample_rate_hz: of the sound.
        layout: FFmpeg's name of its channels.
    """

    def __init__(self, sample_rate_hz: int, layout: str) -> None:
        self.step_samples = _step_samples(sample_rate_hz)
        self._heard = [i for i, name in enumerate(_channel_names(layout)) if name != "LFE"]
        self._loose = np.zeros((len(self._heard), 0), np.float32)
        self._powers: list[Track] = []

    def listen(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Pass blocks `[C, n]` on."""
        for block in blocks:
            self._take(np.concatenate([self._loose, block[self._heard]], axis=1))
            yield block
        missing = -self._loose.shape[1] % self.step_samples
        self._take(np.pad(self._loose, ((0, 0), (0, missing))))

    @property
    def powers(self) -> Track:
        """`[S]`: mean square per step, the last one filled up with silence."""
        return np.concatenate([np.zeros(0, np.float32), *self._powers])

    def _take(self, sound: Block) -> None:
        steps = sound.shape[1] // self.step_samples
        cut = steps * self.step_samples
        pieces = sound[:, :cut].reshape(len(sound), steps, self.step_samples)
        self._powers.append(pieces.var(axis=2, dtype=np.float64).sum(axis=0).astype(np.float32))
        self._loose = sound[:, cut:]


def duck(powers: Track, lufs: float, settings: MixSettings, *, deeper_db: float = 0.0) -> Track:
    """The music's gain at every edge between steps, in dB.

        the film's sound      ____________████_██_███________________
        gain  0 dB            ---------.                      .-------
             -duck_db                   `-------------------'
                               attack --^  ^-- sound    hold^-- release

    Args:
        powers: `[S]`, what a side chain heard.
        lufs: integrated loudness of the same sound.
        settings: of the mix.
        deeper_db: added to `duck_db`, not to the gentle one.

    Returns:
        `[S + 1]`, from -(duck_db + deeper_db) to 0; the straight lines between are no steeper than attack and release.
    """
    level_lu = _decibels(powers) - 0.691 - lufs  # BS.1770's offset, so that 0 is the film's usual loudness
    amount = np.clip((level_lu + settings.threshold_lu) / KNEE_LU, 0, 1)
    speech = speech_likeness(powers, 10 ** ((lufs - settings.threshold_lu + 0.691) / 10))
    depth_db = settings.duck_db + deeper_db
    gentle_db = min(settings.gentle_duck_db, depth_db)
    wanted = -amount * (gentle_db + (depth_db - gentle_db) * speech)
    held = _lowest_of_the_last(wanted, 1 + round(settings.hold_seconds / STEP_SECONDS))
    edges = np.minimum(np.append(held, 0.0), np.insert(held, 0, 0.0))
    fall_db, rise_db = (depth_db / _steps(seconds) for seconds in (settings.attack_seconds, settings.release_seconds))
    return _no_steeper(edges, fall_db, rise_db).astype(np.float32)


def speech_likeness(powers: Track, loud: float) -> Track:
    """How much the sound around each step is like speech and single effects, rather than like music: `[S]` in [0, 1].

    The rule is the share of low-energy steps: those whose root mean square is less than half the mean of the second
    around them (Saunders 1996; Scheirer and Slaney 1997). Syllables and pauses leave many, held and layered notes few.
    It is counted over 5 s, of the seconds in which anything is loud. One such number errs: sparse or struck music
    passes for speech; speech over music, rain or an engine passes for music, and is then ducked for gently.

    Args:
        powers: `[S]`, what a side chain heard.
        loud: power from which on a second counts.
    """
    heights = np.sqrt(powers, dtype=np.float64)
    counted = (_mean_around(powers, MEAN_SECONDS) > loud).astype(np.float64)
    low = counted * (heights < 0.5 * _mean_around(heights, MEAN_SECONDS))
    share = _mean_around(low, STRETCH_SECONDS) / np.maximum(_mean_around(counted, STRETCH_SECONDS), 1e-9)
    span = LOW_SHARE_OF_SPEECH - LOW_SHARE_OF_MUSIC
    return np.clip((share - LOW_SHARE_OF_MUSIC) / span, 0, 1).astype(np.float32)


def gains_between(edges: Track, start: int, samples: int, sample_rate_hz: int) -> Block:
    """The factor of every sample from `start` on: `[n]`, straight in dB between edges `[S + 1]`."""
    at, step_samples = np.arange(start, start + samples), _step_samples(sample_rate_hz)
    step = np.minimum(at // step_samples, len(edges) - 2)
    share = ((at - step * step_samples) / step_samples).astype(np.float32)
    gains: Block = np.float32(10) ** ((edges[step] + (edges[step + 1] - edges[step]) * share) / np.float32(20))
    return gains


def _lowest_of_the_last(values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    padded = np.concatenate([np.zeros(steps - 1), values])
    lowest: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(padded, steps).min(axis=1)
    return lowest


def _no_steeper(edges: NDArray[np.float64], fall_db: float, rise_db: float) -> NDArray[np.float64]:
    """The highest line nowhere above `edges` that falls by at most `fall_db` a step and rises by at most `rise_db`."""
    steps = np.arange(len(edges))
    falling = np.minimum.accumulate((edges + fall_db * steps)[::-1])[::-1] - fall_db * steps
    line: NDArray[np.float64] = np.minimum.accumulate(falling - rise_db * steps) + rise_db * steps
    return line


def _mean_around(values: NDArray[np.floating], seconds: float) -> NDArray[np.float64]:
    """Mean of the window centred on each step; at the film's ends, of what there is of it."""
    half = round(seconds / STEP_SECONDS) // 2
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    at = np.arange(len(values))
    first, stop = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    # Differences of running sums: what is left of rounding may be under zero.
    means: NDArray[np.float64] = np.maximum((sums[stop] - sums[first]) / (stop - first), 0.0)
    return means


def _step_samples(sample_rate_hz: int) -> int:
    return round(STEP_SECONDS * sample_rate_hz)


def _steps(seconds: float) -> float:
    return max(1.0, seconds / STEP_SECONDS)


def _decibels(powers: Track) -> NDArray[np.float64]:
    return 10 * np.log10(np.maximum(powers, 1e-12), dtype=np.float64)


def _channel_names(layout: str) -> list[str]:
    return [channel.name for channel in av.AudioLayout(layout).channels]
