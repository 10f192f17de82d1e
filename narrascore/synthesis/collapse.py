"""Windows that collapsed: to silence, to one held note, or to an ending that the film did not ask for.

MusicGen "sometimes generates end of songs, collapsing to silence" (its model card), and a window that follows takes
the collapse up as its prompt, so it has to be found before it is kept. The tests look at the codes of the new part:

    silence   nothing sounds for `SILENT_SECONDS`
    ending    nothing sounds from some moment to the window's end, at least `ENDING_SECONDS`, while the film goes on
    held      what begins in a stretch of `HELD_SECONDS` says less than `HELD_BITS`: no note, one note or one drum

Calm music is no collapse, so the bounds lie clear of the calmest there is. The composer's held-out pieces (72, in 741
new parts of 18 s) are silent for 0.96 s at most, for 0.92 s at a part's end, and say 2.3 bits or more in a stretch. The
embedded model's music under evaluation curves (72 pieces, half of them unsteered, 520 parts): 1.40 s, 0.52 s and 1.4
bits. No alarm in either.

Codes that are sound (EnCodec) name no notes. Theirs are silent where a whole frame is the one before; a stretch is
held where its first codebook says less than `HELD_BITS`, or where nine of ten whole frames are the same as one fixed
time before, 2 s at most. These bounds are so far from sampled sound that they miss a weak collapse rather than call
music one; no weights were at hand to measure how many. The sound itself is not decoded for it: that would cost a third
of a second for each second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from narrascore.synthesis.codec import Codec
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_codes import DRUMS, HOLD, PITCHED, read_note

SILENT_SECONDS = 4.0
ENDING_SECONDS = 2.0
HELD_SECONDS = 10.0
HELD_BITS = 1.0
LOOP_SECONDS, LOOP_SHARE = 2.0, 0.9


@dataclass(frozen=True)
class Collapse:
    """How a window collapsed, and for how long: of two collapsed windows the shorter collapse is the lesser one."""

    what: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.what} for {self.seconds:.1f} s"


def find_collapse(codec: Codec, codes: Tensor, first: int, *, film_goes_on: bool) -> Collapse | None:
    """The longest collapse of a window's new part, or None. A new part too short for a bound cannot pass it.

    Args:
        codec: of the codes: notes are read, sound is compared.
        codes: the window with its prompt, `[K, T]`: what the prompt began may still hold.
        first: the new part's first frame.
        film_goes_on: beyond this window, so that an ending is not the film's.
    """
    values, rate_hz = codes.cpu().numpy(), codec.frame_rate_hz
    if isinstance(codec, ScoreCodec):
        silent, is_poor = _read_notes(values, first)
    else:
        silent, is_poor = _compare_sound(values[:, first:], codec.channels, rate_hz)
    held = _covered(is_poor, len(silent), round(HELD_SECONDS * rate_hz), round(rate_hz))
    ending = len(silent) - int(np.append(False, ~silent).nonzero()[0].max(initial=0))
    found = []
    if (longest := _longest(silent)) >= SILENT_SECONDS * rate_hz:
        found.append(Collapse("silence", longest / rate_hz))
    if film_goes_on and ending >= ENDING_SECONDS * rate_hz:
        found.append(Collapse("an ending", ending / rate_hz))
    if held:
        found.append(Collapse("one held note", held / rate_hz))
    return max(found, key=lambda collapse: collapse.seconds, default=None)


Poor = Callable[[int, int], bool]
"""Whether frames [start, stop) of the new part say too little."""


def _read_notes(codes: NDArray[np.int64], first: int) -> tuple[NDArray[np.bool_], Poor]:
    """Which frames of the new part are silent `[n]`, and what judges its stretches."""
    frames = np.arange(codes.shape[1])
    silent = np.ones(codes.shape[1], dtype=bool)
    begun: list[list[Hashable]] = [[] for _ in frames]
    for voice in (*PITCHED, *DRUMS):
        row = codes[voice]
        sounds = np.array([read_note(voice, code) is not None for code in range(int(row.max(initial=0)) + 1)])[row]
        latest = np.maximum.accumulate(np.where(row != HOLD, frames, 0))
        silent &= ~sounds[latest]  # a hold before anything is known is silent, as it is played
        for frame in np.flatnonzero(sounds):
            begun[frame].append((voice, int(row[frame])))
    begun = begun[first:]
    return silent[first:], lambda start, stop: _bits(chain.from_iterable(begun[start:stop])) < HELD_BITS


def _compare_sound(codes: NDArray[np.int64], channels: int, rate_hz: float) -> tuple[NDArray[np.bool_], Poor]:
    """The same for codes that name no notes: the new part's, `[K, n]`."""

    def is_poor(start: int, stop: int) -> bool:
        part = codes[:, start:stop]
        if _bits(map(tuple, part[:channels].T.tolist())) < HELD_BITS:
            return True
        lags = range(1, round(LOOP_SECONDS * rate_hz) + 1)
        return any((part[:, lag:] == part[:, :-lag]).all(axis=0).mean() >= LOOP_SHARE for lag in lags)

    return np.append(np.zeros(1, bool), (codes[:, 1:] == codes[:, :-1]).all(axis=0)), is_poor


def _covered(is_poor: Poor, frames: int, size: int, hop: int) -> int:
    """Frames that lie in a poor stretch of `size`; stretches begin every `hop`, and one ends with the last frame."""
    covered = np.zeros(frames, dtype=bool)
    for start in {*range(0, frames - size + 1, hop), frames - size} if frames >= size else ():
        if is_poor(start, start + size):
            covered[start : start + size] = True
    return int(covered.sum())


def _longest(mask: NDArray[np.bool_]) -> int:
    """The longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _bits(said: Iterable[Hashable]) -> float:
    """The entropy of what is said; 0 for nothing."""
    counts = np.array(list(Counter(said).values()), dtype=np.float64)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
