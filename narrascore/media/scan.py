"""One pass over a film's packets: when its picture begins and ends, without decoding more than one frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.stream import Disposition
from av.video.frame import VideoFrame

from narrascore.errors import InputError
from narrascore.media.clock import PacketClock
from narrascore.media.frame_rate import FrameGrid
from narrascore.media.opening import codec_of, decoder_options
from narrascore.media.packets import read_packets
from narrascore.media.watchdog import beat


@dataclass
class Scan:
    """What one pass over the packets found; times in seconds of the file's clock."""

    start: Fraction
    stop: Fraction
    last_end: Fraction
    packets: int
    jumps: int
    slips: int
    untimed: bool
    unordered: bool
    broken: str
    first: VideoFrame
    frame_rate: Fraction | None


def choose_picture(container: Any, name: str, max_pixels: int, *, needed: bool = True) -> Any:
    """The default video stream, never a cover; None where there is none and none is needed.

    Raises:
        InputError: if one is needed, or cannot be decoded.
    """
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    pictures = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not pictures:
        if not needed:
            return None
        what = "sound only" if container.streams.audio else "no moving picture"
        raise InputError(
            f"{name}: {what}; the music follows a picture, so give a film that has one, or a curve of your own"
        )
    stream = next((stream for stream in pictures if stream.disposition & Disposition.default), pictures[0])
    if stream.codec_context is None:
        raise InputError(f"{name}: the picture's codec has no decoder here; convert it to H.264 first")
    if not stream.width or not stream.height:
        raise InputError(
            f"{name}: the picture has no size that can be read, so it is damaged, or above the limit of {max_pixels} "
            "pixels; repair it or scale it down first"
        )
    return stream


def lacks_display_times(container: Any, stream: Any) -> bool:
    """AVI keeps decoding times only; with B-frames the order of display comes out of the decoder alone."""
    return bool(container.format.name == "avi" and stream.type == "video" and stream.codec_context.has_b_frames)


def scan_picture(container: Any, stream: Any, name: str, max_pixels: int) -> Scan:
    stream.codec_context.options = decoder_options(max_pixels)
    clock, base = PacketClock(), stream.time_base
    grid = FrameGrid((stream.average_rate, stream.base_rate), base)
    unordered = lacks_display_times(container, stream)
    shown: list[tuple[int, int]] = []  # (pts, duration) of the two latest pictures
    start, packets, untimed, first, broken, last_end = 0, 0, False, None, "", Fraction(0)
    try:
        for packet in container.demux():
            beat()
            if packet.dts is None and packet.pts is None and packet.size == 0:
                continue  # the demuxer's end mark
            if packet.stream_index != stream.index:
                if packet.pts is not None:
                    last_end = max(last_end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                continue
            untimed = untimed or packet.pts is None
            clock.straighten(packet)
            if first is None and packet.size:
                first = _decode_one(packet)
            if packet.is_discard:
                continue  # cut off by an edit list: decoded for those after it, never shown
            pts = packet.dts if unordered else packet.pts
            start = pts if packets == 0 else min(start, pts)
            packets += 1
            grid.see(pts)
            shown = sorted([*shown, (pts, packet.duration or 0)])[-2:]
    except av.FFmpegError as error:
        broken = error.strerror or type(error).__name__
    first = first or _decode_one(None, stream)
    if first is None or not packets:
        raise InputError(f"{name}: no picture in it can be decoded ({codec_of(stream)}); the file is damaged")
    pts, duration = shown[-1]
    if duration <= 0 and len(shown) == 2:
        duration = pts - shown[0][0]
    if duration <= 0:
        duration = max(1, round(1 / ((stream.average_rate or 25) * base)))
    end = int(min(pts + duration, _stated_stop(container, stream, after=pts)))
    stop = end * base
    return Scan(
        start * base, stop, max(last_end, stop), packets, clock.jumps, clock.slips, untimed, unordered, broken, first,
        grid.rate(end),
    )  # fmt: skip


def _stated_stop(container: Any, stream: Any, *, after: int) -> int | float:
    """Where an MP4 says that its last picture ends, if that is later than it begins; else infinity.

    MP4 keeps the steps between decoding times. With reordered pictures at a variable rate, the last picture shown has
    the step of another one, and only the edit list knows its end.
    """
    if not container.format.name.startswith("mov") or stream.duration is None:
        return math.inf
    stop = int((stream.start_time or 0) + stream.duration)
    return stop if stop > after else math.inf


def scan_sound(container: Any, name: str) -> tuple[Fraction, Fraction]:
    """(start, duration) of the first sound track, in seconds; what a codec needs before time zero is not counted.

    Raises:
        InputError: if there is none, or it is empty.
    """
    if not container.streams.audio:
        raise InputError(f"{name}: neither picture nor sound; give a film, or a sound file and a curve of your own")
    stream = container.streams.audio[0]
    starts: list[Fraction] = []
    stop = Fraction(0)
    for packet in read_packets(container, stream):
        begins = packet.pts * packet.time_base
        starts = starts or [max(begins, Fraction(0))]
        stop = max(stop, begins + (packet.duration or 0) * packet.time_base)
    if not starts or stop <= starts[0]:
        raise InputError(f"{name}: no sound in it can be read; the file is damaged")
    return starts[0], stop - starts[0]


def _decode_one(packet: Any, stream: Any = None) -> VideoFrame | None:
    """The first frame a packet gives, or with None what the decoder still holds."""
    try:
        frames = stream.decode(None) if packet is None else packet.decode()
    except av.FFmpegError:
        return None
    return frames[0] if frames else None
