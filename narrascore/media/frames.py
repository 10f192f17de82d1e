"""Frames on a time grid, by presentation time, from either of two readers."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from narrascore.errors import InputError
from narrascore.media.child import Message, in_child
from narrascore.media.opening import decoder_options, open_container
from narrascore.media.packets import read_packets
from narrascore.media.scan import lacks_display_times

if TYPE_CHECKING:
    from narrascore.media.film import Film

MAX_CORRUPT_SHARE = 0.25
"""Above this share of broken packets a curve would follow the damage, not the film."""

DECODER_THREADS = min(16, (os.cpu_count() or 1) + 3)
"""Two more than FFmpeg would take by itself: they have work while the thread that feeds them scales and sends."""

SLACK_SECONDS = Fraction(1, 2000)
"""Matroska rounds times to 1 ms, so a frame may seem to come half of one late."""

Image = NDArray[np.uint8]
Timed = Generator[tuple[Fraction, Callable[[], Image]], None, None]
"""Every frame in the order shown: seconds from the picture's start, and a call that makes the image."""


@dataclass(frozen=True)
class Grid:
    """The points first, first + 1, ... count - 1, each at its number / rate_hz seconds."""

    rate_hz: Fraction
    first: int
    count: int


@dataclass(frozen=True)
class Frame:
    """What is on screen at `seconds` after the picture's start.

    Attributes:
        seconds: time on the asked grid.
        image: `[H, W, 3]` uint8 RGB, upright, square pixels; the caller's own to change.
    """

    seconds: float
    image: Image


def read_frames(
    film: Film, rate_hz: float | Fraction, *, height: int | None, start_seconds: float, reader: str
) -> Iterator[Frame]:
    """See `Film.frames`."""
    rate = Fraction(rate_hz).limit_denominator(1_000_000)
    if not 0 < rate <= 1000:
        raise ValueError(f"rate_hz must be in (0, 1000]: got {rate_hz}; the eyes of this package ask for 1 to 8")
    if height is not None and not 0 < height <= 8192:
        raise ValueError(f"height must be in [1, 8192] pixels: got {height}")
    if reader not in ("pyav", "decord"):
        raise ValueError(f"reader must be 'pyav' or 'decord': got {reader!r}")
    width = film.width if height is None else max(1, round(film.width * height / film.height))
    first = max(0, math.ceil(Fraction(start_seconds).limit_denominator(1_000_000) * rate))
    grid = Grid(rate, first, max(1, math.ceil(film.duration_seconds * rate)))
    size = (width, film.height if height is None else height)
    return _received(film, grid, size, reader) if film.has_picture else _grey(grid, size)


def send_frames(
    film: dict[str, Any], rate: str, first: int, count: int, size: tuple[int, int], reader: str
) -> Iterator[Message]:
    """For `in_child`: the grid's images, an image that is held only once; at the end, what the film warns of."""
    from narrascore.media.film import Film

    opened = Film.from_plain({**film, "warnings": []})
    sent: Image | None = None
    for image in decode_frames(opened, Grid(Fraction(rate), first, count), (size[0], size[1]), reader):
        yield {}, None if image is sent else image
        sent = image
    yield {"warnings": opened.warnings}, None


def decode_frames(film: Film, grid: Grid, size: tuple[int, int], reader: str = "pyav") -> Iterator[Image]:
    """Decode what is on screen at each point of the grid, in this process; an image that is held is the same object.

    Args:
        film: with a picture.
        grid: the points.
        size: (width, height) of the images.
        reader: "pyav" or "decord".
    """
    if reader == "pyav":
        timed = _pyav_frames(film, size, grid.first / grid.rate_hz)
    else:
        from narrascore.media.decord_reader import decord_frames

        timed = decord_frames(film, size, grid.first / grid.rate_hz)
    with contextlib.closing(timed):
        yield from _on_grid(timed, grid)


def _received(film: Film, grid: Grid, size: tuple[int, int], reader: str) -> Iterator[Frame]:
    arguments = {
        "film": film.to_plain(), "rate": str(grid.rate_hz), "first": grid.first, "count": grid.count, "size": size,
        "reader": reader,
    }  # fmt: skip
    held: Image | None = None
    index = grid.first
    for header, image in in_child("narrascore.media.frames:send_frames", film.name, arguments):
        if "warnings" in header:
            for line in header["warnings"]:
                film.warn(str(line))
            continue
        held = held if image is None else image
        assert held is not None
        yield Frame(float(index / grid.rate_hz), held.copy())
        index += 1


def _grey(grid: Grid, size: tuple[int, int]) -> Iterator[Frame]:
    for index in range(grid.first, grid.count):
        yield Frame(float(index / grid.rate_hz), np.full((size[1], size[0], 3), 128, np.uint8))


def quarter_turns(frame: VideoFrame) -> int:
    """How many times the frame must be turned by 90 degrees counterclockwise to stand upright."""
    return round(frame.rotation / 90) % 4


class Scaler:
    """Makes images of one size, one frame after another: setting the scaler up costs as much as scaling a frame.

    Args:
        size: (width, height) of the upright images.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size, self._reformatter = size, VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Image:
        """`[H, W, 3]` RGB: scaled first, then turned and copied, so a copy is never large."""
        turns = quarter_turns(frame)
        width, height = self._size if turns % 2 == 0 else self._size[::-1]
        kind = "AREA" if width * height < frame.width * frame.height else "BICUBIC"
        # To planes, which are scaled in half the time of packed RGB and with colours of full width. By one thread: so
        # small an image is done before a second one has woken, and the decoder has all of them.
        scaled = self._reformatter.reformat(frame, width, height, "gbrp", interpolation=kind, threads=1)
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), turns))


def _on_grid(timed: Timed, grid: Grid) -> Iterator[Image]:
    """Hold each frame from its own time to the next one's; the first one from the start, the last one to the end.

    frames     a----b--c-----------d---
    grid       |     |     |     |     |
    yields     a     b     c     c     d
    """
    held: Callable[[], Image] | None = None
    image: Image | None = None
    i = grid.first
    due = i / grid.rate_hz + SLACK_SECONDS
    for seconds, render in timed:
        while i < grid.count and held is not None and due < seconds:
            image = held() if image is None else image
            yield image
            i += 1
            due = i / grid.rate_hz + SLACK_SECONDS
        if i >= grid.count:
            return
        held, image = render, None
    while i < grid.count:
        assert held is not None
        image = held() if image is None else image
        yield image
        i += 1


def _pyav_frames(film: Film, size: tuple[int, int], from_seconds: Fraction) -> Timed:
    corrupt, decoded, seconds = 0, 0, Fraction(0)
    scale = Scaler(size)
    with open_container(film.path, max_pixels=film.max_pixels) as container:
        stream: Any = container.streams[film.video_index]
        stream.codec_context.options = decoder_options(film.max_pixels)
        stream.thread_type, stream.codec_context.thread_count = "AUTO", DECODER_THREADS
        base, unordered = stream.time_base, lacks_display_times(container, stream)
        first_dts, last_step = None, Fraction(0)
        sought = from_seconds > 0 and film.seekable
        if sought:
            container.seek(math.floor((film.start_seconds + from_seconds) / base), stream=stream)
        try:
            for frames in _decode(container, stream):
                if frames is None:
                    corrupt += 1
                    if corrupt > MAX_CORRUPT_SHARE * film.packets:
                        break
                    continue
                for frame in frames:
                    if unordered:
                        first_dts = (frame.dts or 0) if first_dts is None else first_dts
                        time = seconds + last_step if frame.dts is None else (frame.dts - first_dts) * base
                        last_step = max(time - seconds, base)
                    else:
                        time = seconds if frame.pts is None else frame.pts * base - film.start_seconds
                    seconds = max(seconds, time)  # a time that goes back would undo what was already shown
                    if sought and not decoded and seconds > from_seconds:
                        yield from _pyav_frames(film, size, Fraction(0))  # the index led too far: read from the start
                        return
                    decoded += 1
                    yield seconds, partial(scale, frame)
        finally:
            if corrupt:
                film.warn(f"{corrupt} of {film.packets} pictures cannot be decoded; the last good one was held")
    if not decoded or corrupt > MAX_CORRUPT_SHARE * film.packets:
        raise InputError(
            f"{film.name}: {max(1, corrupt)} of {film.packets} pictures cannot be decoded, too many for the music "
            "to follow; repair or re-encode the film first"
        )


def _decode(container: Any, stream: Any) -> Iterator[list[VideoFrame] | None]:
    """The frames that each packet gives, None for a broken one; then those that the decoder still holds."""
    for packet in itertools.chain(read_packets(container, stream), [None]):
        try:
            yield stream.decode(packet)
        except av.FFmpegError:
            yield None
