"""Films of pictures that were drawn, not filmed: H.264 in MP4, the same bytes for the same pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

_EVEN_QUALITY = {"qp": "14", "preset": "veryfast"}
"""No rate control: under crf, whose macroblock tree looks ahead, x264 wrote 96 x 64 pixels as other bytes each time."""


def write_pictures(path: Path, pictures: Iterable[NDArray[np.uint8]], rate_hz: int) -> None:
    """Write a silent film; it is whole or not there, also where two processes write the same one at once.

    Args:
        path: of an `.mp4`.
        pictures: `[H, W, 3]` RGB, all of one size with even sides.
        rate_hz: pictures a second.
    """
    partial = path.with_name(f".{path.stem}-{os.getpid()}.part")
    try:
        with av.open(str(partial), "w", format="mp4") as sink:
            stream: Any = None
            for index, picture in enumerate(pictures):
                if stream is None:
                    stream = sink.add_stream("libx264", rate=rate_hz, options=_EVEN_QUALITY)
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt = "yuv420p"
                    stream.thread_count = 1  # with more, the bytes depend on how many
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, rate_hz)
                sink.mux(stream.encode(frame))
            sink.mux(stream.encode(None))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
