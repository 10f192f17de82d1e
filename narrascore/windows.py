"""Overlapping windows, chunks and cross-fades: the only place with that arithmetic (paper 3.6)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """One stretch of frames [start, stop), of which the first `prompt` are already there when it is made.

    The `last` one ends what is to be made:

    window 0   |=============new=============|
    window 1                    |--prompt----|======new======|
    window 2                                    |--prompt----|==new==|
    """

    index: int
    start: int
    stop: int
    prompt: int
    last: bool = True

    @property
    def frames(self) -> int:
        return self.stop - self.start

    @property
    def new_start(self) -> int:
        """The first frame that this window adds."""
        return self.start + self.prompt


def continuation_windows(total: int, window: int, prompt: int) -> list[Window]:
    """Windows in which each starts with the last `prompt` frames of the one before (paper 3.6, acoustic continuation).

    Args:
        total: frames to be made, >= 1.
        window: frames that the backbone was trained on.
        prompt: frames carried over, in [0, window).

    Returns:
        Windows whose new parts tile [0, total) without a gap. The last one is as short as what is left.

    Raises:
        ValueError: if `prompt` is not in [0, window) or `total` < 1.
    """
    if total < 1:
        raise ValueError(f"total must be at least one frame: got {total}")
    if not 0 <= prompt < window:
        raise ValueError(
            f"prompt must be in [0, window): got {prompt} with window={window}; the paper's system uses 12 s of 30 s"
        )
    windows = [Window(0, 0, min(window, total), 0, last=window >= total)]
    while not windows[-1].last:
        start = windows[-1].stop - prompt
        stop = min(start + window, total)
        windows.append(Window(len(windows), start, stop, prompt, last=stop == total))
    return windows


def overlapping_windows(total: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """Windows [start, stop) that share `overlap` frames with their neighbours (paper 3.6, affective reasoning).

    Every window but a film shorter than one has the full length: the last is moved back to end with the film.
    """
    if total < 1:
        raise ValueError(f"total must be at least one frame: got {total}")
    if not 0 <= overlap < window:
        raise ValueError(f"overlap must be in [0, window): got {overlap} with window={window}; the paper uses 15 of 30")
    if total <= window:
        return [(0, total)]
    starts = list(range(0, total - window, window - overlap)) + [total - window]
    return [(start, start + window) for start in starts]


def triangular_weights(length: int) -> NDArray[np.float64]:
    """`[length]`, rising to the middle and falling, never zero: the cross-fade of overlapping windows."""
    ramp = np.arange(1, length + 1, dtype=np.float64)
    return np.minimum(ramp, ramp[::-1])


def overlap_add(pieces: list[tuple[int, NDArray[np.float32]]], total: int) -> NDArray[np.float32]:
    """Cross-fade windows of rows into one sequence, each weighted by a triangle, normalised by the weights' sum.

    Args:
        pieces: (start row, `[n, D]`) for each window; together they must cover [0, total).
        total: rows of the result.

    Returns:
        `[total, D]` float32.

    Raises:
        ValueError: if a row is covered by no window.
    """
    result = np.zeros((total, pieces[0][1].shape[1]))
    weight = np.zeros(total)
    for start, rows in pieces:
        triangle = triangular_weights(len(rows))
        result[start : start + len(rows)] += rows * triangle[:, None]
        weight[start : start + len(rows)] += triangle
    if not (weight > 0).all():
        raise ValueError(f"rows without a window: {np.flatnonzero(weight == 0)[:5].tolist()} ...")
    return (result / weight[:, None]).astype(np.float32)


def chunks_with_context(total: int, chunk: int, context: int) -> Iterator[tuple[int, int, int, int]]:
    """Chunks for a decoder that needs to see its neighbourhood.

    Yields:
        (left, start, stop, right): read frames [left, right), keep [start, stop).
        The kept parts tile [0, total).
    """
    if chunk < 1 or context < 0:
        raise ValueError(f"chunk must be >= 1 and context >= 0: got {chunk} and {context}")
    for start in range(0, total, chunk):
        stop = min(start + chunk, total)
        yield max(0, start - context), start, stop, min(total, stop + context)


def frames_to_cover(duration_seconds: Fraction | float, rate_hz: float) -> int:
    """The fewest whole frames at `rate_hz` that last at least `duration_seconds` (one for an empty film)."""
    return max(1, math.ceil(Fraction(duration_seconds) * Fraction(rate_hz)))


def samples_of(duration_seconds: Fraction | float, sample_rate_hz: int) -> int:
    """The duration in samples, to the nearest one: the exact length of `music.wav`."""
    return max(1, round(Fraction(duration_seconds) * sample_rate_hz))
