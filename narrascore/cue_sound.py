"""The sound of cues on the film's clock: exact silence around them, their fades inside.

film     0----------------------------------------------------->
cue            in|¸.-'''''''''''''''''''''''-.¸|out
sound     0 0 0 0|  |~~~~~~~~~~~~~~~~~~~~~~~~| |0 0 0 0 0        (its whole frames of music)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from narrascore.cues import Cue
from narrascore.spans import Span
from narrascore.synthesis.codec import Codec
from narrascore.windows import samples_of

SILENCE_SECONDS = 10.0
"""As much of it comes at a time."""

Block = NDArray[np.float32]


def place_cues(
    cues: Sequence[Cue] | None,
    play: Callable[[Span], Iterable[Block]],
    codec: Codec,
    total: int,
    duration_seconds: Fraction | float,
) -> Iterator[Block]:
    """Play cue after cue, each when its time comes; what lies outside them is zero in every sample.

    Args:
        cues: in order, in film time; None plays all frames there are.
        play: a cue's frames -> its sound, blocks `[C, n]`.
        codec: says how many frames and samples there are to a second.
        total: frames of the film.
        duration_seconds: of the film.
    """
    if cues is None:
        yield from play(Span(0, total))
        return
    rate_hz, samples, at, channels = codec.sample_rate_hz, samples_of(duration_seconds, codec.sample_rate_hz), 0, 1
    per_frame = round(rate_hz / codec.frame_rate_hz)
    for cue in cues:
        span, stop = cue.frames(codec.frame_rate_hz, total), min(cue.samples(rate_hz)[1], samples)
        for block in play(span):
            channels = len(block)
            yield from _silence(channels, span.start * per_frame - at, rate_hz)
            at = max(at, span.start * per_frame)
            kept = block[:, : stop - at]
            if kept.shape[1] == 0:
                break
            if cue.fade_in_seconds or cue.fade_out_seconds:
                kept = kept * cue.gains(at, kept.shape[1], rate_hz)
            at += kept.shape[1]
            yield kept
    yield from _silence(channels, samples - at, rate_hz)


def _silence(channels: int, samples: int, sample_rate_hz: int) -> Iterator[Block]:
    step = round(SILENCE_SECONDS * sample_rate_hz)
    for start in range(0, samples, step):
        yield np.zeros((channels, min(step, samples - start)), np.float32)
