"""Short sounds as bytes that a browser plays."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import av

from narrascore.media.samples import Block, channels_of, to_frame

BIT_RATE = 128_000
"""Of MP3: 16 kB a second."""
FRAME_SAMPLES = 1152


def encode_clip(blocks: Iterable[Block], sample_rate_hz: int, layout: str = "stereo") -> tuple[bytes, str]:
    """Encode sound as MP3, or as FLAC where FFmpeg was built without it; the same sound gives the same bytes.

    Args:
        blocks: `[C, n]` in [-1, 1].
        sample_rate_hz: 44100 or 48000.
        layout: FFmpeg's name of the channels.

    Returns:
        The file, and its media type.
    """
    has_mp3 = "libmp3lame" in av.codecs_available
    codec, container, kind = ("libmp3lame", "mp3", "audio/mpeg") if has_mp3 else ("flac", "flac", "audio/flac")
    out = io.BytesIO()
    with av.open(out, "w", format=container, options={"fflags": "+bitexact"}) as sink:
        stream: Any = sink.add_stream(codec, rate=sample_rate_hz)
        stream.layout = layout
        if has_mp3:
            stream.bit_rate = BIT_RATE
        resampler = av.AudioResampler(stream.codec_context.format.name, layout, sample_rate_hz, FRAME_SAMPLES)
        at = 0
        for block in blocks:
            assert block.shape[0] == channels_of(layout), f"{block.shape[0]} channels are no {layout}"
            if block.shape[1]:
                for frame in resampler.resample(to_frame(block, layout, sample_rate_hz, at)):
                    sink.mux(stream.encode(frame))
                at += block.shape[1]
        for frame in resampler.resample(None):
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    return out.getvalue(), kind
