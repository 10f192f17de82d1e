"""Pictures that no film container holds (stills, animations) as H.264."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.video.frame import VideoFrame

from narrascore.errors import InputError
from narrascore.media.film import Film

STILL_RATE_HZ = 25
ANIMATION_RATE_HZ = 50
"""GIF counts in hundredths of a second, and most browsers show none shorter than two."""

_ENCODERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"crf": "18", "preset": "medium"}),
    ("mpeg4", {"qscale": "2"}),
)


def open_picture_encoder(sink: Any, film: Film) -> Any:
    """A video stream in `sink` for the film's picture at its own size, made even as 4:2:0 needs it."""
    for name, options in _ENCODERS:
        if name not in av.codecs_available:
            continue
        stream = sink.add_stream(name, rate=_rate_hz(film), options=options)
        stream.width, stream.height = film.width + film.width % 2, film.height + film.height % 2
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1  # with more, the bytes depend on how many
        film.warn(f"the picture ({film.video_codec}) was encoded as {stream.codec_context.codec.canonical_name}")
        return stream
    raise InputError(f"{film.path.name}: FFmpeg has no encoder for the picture here; convert it to MP4 first")


def encode_picture(stream: Any, film: Film) -> Iterator[tuple[Fraction, Any]]:
    """Packets of the picture on an even grid, each with its decoding time in seconds."""
    rate_hz = _rate_hz(film)
    for index, shown in enumerate(film.frames(rate_hz)):
        frame = VideoFrame.from_ndarray(shown.image, format="rgb24")
        frame = frame.reformat(stream.width, stream.height, "yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, rate_hz)
        for packet in stream.encode(frame):
            yield (packet.dts or 0) * packet.time_base, packet
    for packet in stream.encode(None):
        yield (packet.dts or 0) * packet.time_base, packet


def _rate_hz(film: Film) -> int:
    return STILL_RATE_HZ if film.still else ANIMATION_RATE_HZ
