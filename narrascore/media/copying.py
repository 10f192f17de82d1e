"""Streams carried from one container to another as they are, on the picture's clock."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import av

from narrascore.media.clock import REORDER_PACKETS, PacketClock
from narrascore.media.film import Film
from narrascore.media.opening import codec_of
from narrascore.media.samples import usual_layout
from narrascore.media.scan import lacks_display_times

# What belongs to the old file rather than to the film.
_OLD_TAGS = frozenset("major_brand minor_version compatible_brands encoder duration vendor_id handler_name".split())

LEAD_IN_SECONDS = Fraction(1, 10)
"""A decoder of lossy sound starts rightly only with the packets just before; 80 ms is the most, Opus wants it."""

_REACH = 2 * REORDER_PACKETS
"""Packets after which one that the decoder has not given back is taken to be broken."""

Timed = Iterator[tuple[Fraction, Any]]
"""Packets ready for the new file, each with its time in seconds of the picture."""


def can_carry(format_name: str, stream: Any) -> bool:
    return becomes_subrip(format_name, stream) or holds(format_name, stream)


def becomes_subrip(format_name: str, stream: Any) -> bool:
    return format_name == "matroska" and codec_of(stream) == "mov_text"


def holds(format_name: str, stream: Any) -> bool:
    """Whether the format takes the stream, found out by writing a header: its list of codecs promises too much."""
    try:
        with av.open(io.BytesIO(), "w", format=format_name) as trial:
            copy_stream(trial, stream)
            trial.start_encoding()
        return True
    except (av.FFmpegError, ValueError):
        return False


def copy_stream(sink: Any, stream: Any) -> Any:
    # opaque: without it a codec that has no encoder here (AV1 by dav1d) could not be copied.
    copy = sink.add_stream_from_template(stream, opaque=True)
    if stream.type == "attachment":
        return copy
    copy.metadata.update(kept_tags(stream.metadata))
    copy.disposition = stream.disposition
    if stream.type == "audio" and stream.layout.name.endswith("channels"):
        # PCM in AVI only counts its channels, and MP4 wants to know where they stand.
        copy.codec_context.layout = usual_layout(stream.layout.name, stream.layout.nb_channels)
    if codec_of(stream) == "hevc" and sink.format.name == "mp4" and stream.codec_tag in ("hvc1", "\0\0\0\0"):
        copy.codec_context.codec_tag = "hvc1"  # parameter sets outside the packets, and the name that Apple plays
    return copy


def copy_packets(film: Film, source: Any, sink: Any, copies: dict[int, Any]) -> Timed:
    """The packets of the streams that are copied, moved to the picture's clock."""
    unshown: list[tuple[Fraction, Any]] = []  # pictures that an edit list hides: those behind the last are left out
    streams = [source.streams[index] for index, copy in copies.items() if copy.type != "attachment"]
    for packet in _straight(source, streams):
        stream, copy = packet.stream, copies[packet.stream_index]
        is_picture = stream.index == film.video_index
        offset = round(film.start_seconds / packet.time_base)
        packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
        if not is_picture:
            packet = _within(film, packet, source, sink)
            if packet is not None and copy.type == "subtitle" and becomes_subrip(sink.format.name, stream):
                packet = _as_subrip(packet)
        if packet is not None:
            packet.pts = max(packet.pts, packet.dts)
            seconds = packet.dts * packet.time_base
            packet.stream = copy
            if is_picture and packet.is_discard:
                unshown.append((seconds, packet))
                continue
            if is_picture:
                yield from unshown
                unshown = []
            yield seconds, packet


def _straight(source: Any, streams: list[Any]) -> Iterator[Any]:
    """The streams' packets up to where the file breaks off, with times that a container takes."""
    clocks = {stream.index: PacketClock() for stream in streams}
    orders = {stream.index: _DisplayOrder(stream) for stream in streams if lacks_display_times(source, stream)}
    packets = source.demux(streams) if streams else iter(())
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            packet = None
        if packet is None:
            break
        if packet.dts is None and packet.size == 0:
            continue  # the demuxer's end mark
        clocks[packet.stream_index].straighten(packet)
        if packet.stream_index in orders:
            yield from orders[packet.stream_index].push(packet)
        else:
            yield packet
    for order in orders.values():
        yield from order.push(None)


class _DisplayOrder:
    """Presentation times for packets that have decoding times only, by decoding them and seeing what comes out when.

    in     I0 P1 B2 B3 P4 ...      decoding times 0 1 2 3 4
    out    I0 B2 B3 P1 ...         so P1 is shown at 3, B2 at 1, B3 at 2
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._times: dict[int, int] = {}
        self._count = 0
        self._ranks: dict[int, int] = {}
        self._waiting: deque[tuple[int, Any]] = deque()
        self._shown = 0

    def push(self, packet: Any) -> Iterator[Any]:
        """Take the next packet, None at the end; gives back those whose time is known by now, in the same order."""
        if packet is not None:
            self._times[self._count] = packet.dts
            self._waiting.append((self._count, packet))
            packet.pts = self._count
            self._count += 1
        if packet is None or packet.size:
            try:
                for frame in self._stream.decode(packet):
                    self._ranks[frame.pts] = self._shown
                    self._shown += 1
            except av.FFmpegError:
                self._shown += 1
        while self._waiting:
            number, head = self._waiting[0]
            if number not in self._ranks and packet is not None and len(self._waiting) <= _REACH:
                return
            self._waiting.popleft()
            # Decoding times move back by the deepest reordering, so that none comes after its presentation time.
            head.pts = self._times.get(self._ranks.pop(number, number), self._times[number])
            while next(iter(self._times)) < min(number, self._shown) - 2 * _REACH:
                del self._times[next(iter(self._times))]  # neither a rank nor a number goes back so far
            head.dts -= self._stream.codec_context.reorder_depth * (head.duration or 1)
            yield head


def _within(film: Film, packet: Any, source: Any, sink: Any) -> Any:
    """The packet, cut to the picture where it is a subtitle; None where it is outside."""
    last = film.duration_seconds / packet.time_base
    stop = packet.pts + (packet.duration or 0)
    if packet.pts >= last:
        return None
    if packet.stream.type == "subtitle":
        packet.pts = packet.dts = max(0, packet.pts)
        packet.duration = int(min(stop, last)) - packet.pts
        return packet if packet.duration > 0 else None
    if packet.pts >= 0:
        return packet
    if sink.format.name == "matroska":
        # MKV has no times below zero and would move the whole film instead, but for the lead-in that a codec needs
        # and the file declares; that one comes along from another MKV whose clock is not moved.
        declared = source.format.name.startswith("matroska") and film.start_seconds == 0
        return packet if declared else None
    return packet if stop * packet.time_base > -LEAD_IN_SECONDS else None  # MP4's edit list hides it


def _as_subrip(packet: Any) -> Any:
    """MP4's timed text (two bytes of length, then UTF-8, then styles) as plain text; None for its empty fillers."""
    data = bytes(packet)
    text = data[2 : 2 + int.from_bytes(data[:2], "big")]
    if not text:
        return None
    plain = av.Packet(text)
    plain.pts, plain.dts, plain.duration, plain.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    return plain


def kept_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags without those that describe the old file: its brands, its writer, its counts."""
    return {
        key: value
        for key, value in tags.items()
        if key.lower() not in _OLD_TAGS and not key.startswith(("_STATISTICS", "NUMBER_OF_", "BPS", "DURATION"))
    }
