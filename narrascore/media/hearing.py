"""What the film's own sound says about where music may stand: speech, and pauses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrascore.media.duck import STEP_SECONDS, SideChain, Track, speech_likeness
from narrascore.media.film import Film
from narrascore.media.loudness import measure_loudness
from narrascore.media.mix import SILENT_LUFS
from narrascore.media.mix_settings import MixSettings
from narrascore.media.samples import SAMPLE_RATE_HZ, Block
from narrascore.media.soundtrack import read_audio

PAUSE_LU, PAUSE_SECONDS = 20.0, 0.3
"""Sound this far below the film's loudness, for as long as this, is a pause: a breath between two sentences."""
LOUD_LU = MixSettings().threshold_lu
"""Sound counts from so far below the film's loudness on: where it ducks music."""


@dataclass(frozen=True, eq=False)
class FilmSound:
    """The film's own sound as its levels tell of it.

    Attributes:
        powers: `[S]`, mean square per step of 20 ms.
        lufs: integrated loudness; -inf for silence.
    """

    powers: Track
    lufs: float

    def speech(self) -> NDArray[np.float64]:
        """How much of each second is speech-like sound, `[F]` in [0, 1]; the rule is `duck.speech_likeness`."""
        if self.lufs < SILENT_LUFS:
            return _by_second(np.zeros(len(self.powers)))
        likeness = speech_likeness(self.powers, _power(self.lufs - LOUD_LU))
        return _by_second(likeness * (_by_pause(self.powers) > _power(self.lufs - LOUD_LU)))

    def pauses(self) -> list[tuple[float, float]]:
        """(start, stop) in seconds of every pause, in order."""
        quiet = self.powers < _power(max(self.lufs - PAUSE_LU, SILENT_LUFS))
        edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]])))
        pauses = (edges * STEP_SECONDS).reshape(-1, 2).tolist()
        return [(start, stop) for start, stop in pauses if stop - start >= PAUSE_SECONDS]


def hear_film(film: Film, track: int = 0, progress: Callable[[float], None] | None = None) -> FilmSound:
    """Listen to a sound track once; kept are its levels, 720 kB an hour.

    Args:
        film: opened, with sound.
        track: 0 for the first one.
        progress: told the share that is done.

    Raises:
        InputError: if there is no such track or it has no decoder.
    """
    chain = SideChain(SAMPLE_RATE_HZ, "stereo")
    sound = _told(read_audio(film, track, layout="stereo"), float(film.duration_seconds), progress)
    lufs = measure_loudness(chain.listen(sound), SAMPLE_RATE_HZ, "stereo", peaks=False).lufs
    return FilmSound(chain.powers, lufs)


def _told(blocks: Iterator[Block], seconds: float, progress: Callable[[float], None] | None) -> Iterator[Block]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[1]
        if progress is not None:
            progress(min(1.0, done / SAMPLE_RATE_HZ / seconds))


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))  # BS.1770's offset


def _by_pause(powers: Track) -> NDArray[np.float64]:
    """The highest of the second around each step: the gaps between syllables belong to the speech."""
    around = round(1 / STEP_SECONDS)
    padded = np.pad(powers.astype(np.float64), (around // 2, around - around // 2 - 1))
    highest: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(padded, around).max(axis=1)
    return highest


def _by_second(steps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Steps of 20 ms as the mean of each second; of the last one, of what there is of it."""
    starts = np.arange(0, len(steps), round(1 / STEP_SECONDS))
    means: NDArray[np.float64] = np.add.reduceat(steps.astype(np.float64), starts) / np.diff([*starts, len(steps)])
    return means
