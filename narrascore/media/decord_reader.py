"""Frames by decord instead of PyAV, for those who have it in their stack: the same frames on the same grid.

decord picks frames by their number, so the number is looked up by presentation time. It knows neither AV1 nor files
with broken packets, and its FFmpeg is of 2018: PyAV is the default for reasons.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from av.video.frame import VideoFrame

from narrascore.errors import InputError, UsageError
from narrascore.media.frames import Scaler, Timed

if TYPE_CHECKING:
    from narrascore.media.film import Film


def decord_frames(film: Film, size: tuple[int, int], from_seconds: Fraction) -> Timed:
    """Every frame from the last one shown at `from_seconds` on.

    Raises:
        UsageError: if decord is not installed.
        InputError: if decord cannot read the file.
    """
    try:
        import decord
    except ImportError as error:
        raise UsageError("reader decord is not installed: pip install 'narrascore[decord]', or use pyav") from error
    try:
        reader = decord.VideoReader(str(film.path), ctx=decord.cpu(0))
        spans = np.array([reader.get_frame_timestamp(i) for i in range(len(reader))], dtype=np.float64)
    except (decord.DECORDError, RuntimeError) as error:
        raise InputError(f"{film.path.name}: decord cannot read it; use the reader pyav") from error
    starts = spans[:, 0] - spans[0, 0]
    scale = Scaler(size)
    first = max(0, int(np.searchsorted(starts, float(from_seconds), side="right")) - 1)
    for index in range(first, len(starts)):
        seconds = Fraction(float(starts[index])).limit_denominator(1_000_000)
        yield seconds, partial(_image, reader, index, scale)


def _image(reader: Any, index: int, scale: Scaler) -> Any:
    pixels = reader[index].asnumpy()
    if pixels.shape[-1] != 3:
        raise InputError("decord garbles pictures that stand on their side; use the reader pyav")
    return scale(VideoFrame.from_ndarray(pixels, format="rgb24"))
