"""Sound files of their own: songs, decoded in blocks at the rate and with the channels that are wanted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from narrascore.errors import InputError
from narrascore.media.child import Message, in_child
from narrascore.media.opening import SOUND_FORMATS, open_container, shown_name
from narrascore.media.packets import read_packets
from narrascore.media.samples import Block, Resampler, channels_of, resampled, usual_layout, with_channels

MOST_BROKEN = 0.05
"""Share of packets that may be undecodable, silence standing in for them; above it the file is refused."""


def read_song(path: Path, sample_rate_hz: int, channels: int) -> Iterator[Block]:
    """Decode a sound file.

    Args:
        path: a regular file in one of `SOUND_FORMATS`; its first sound track is taken.
        sample_rate_hz: of the blocks.
        channels: of the blocks; another number than the file's gets the mean of the file's in each.

    Yields:
        `[channels, n]` float32.

    Raises:
        InputError: if it cannot be read as sound, or more than `MOST_BROKEN` of its packets are damaged.
    """
    arguments = {"path": str(path), "sample_rate_hz": sample_rate_hz, "channels": channels}
    for _, block in in_child("narrascore.media.song:send_song", shown_name(path), arguments):
        assert block is not None
        yield block


def send_song(path: str, sample_rate_hz: int, channels: int) -> Iterator[Message]:
    """For `in_child`: the blocks."""
    for block in decode_song(Path(path), sample_rate_hz, channels):
        yield {}, block


def decode_song(path: Path, sample_rate_hz: int, channels: int) -> Iterator[Block]:
    """Decode a sound file in this process; arguments and blocks as for `read_song`."""
    name = shown_name(path)
    with open_container(path, formats=SOUND_FORMATS, kind="sound file") as container:
        if not container.streams.audio:
            raise InputError(f"{name}: no sound in it")
        stream: Any = container.streams.audio[0]
        if stream.codec_context is None:
            raise InputError(f"{name}: its sound has no decoder here; convert it first")
        if not stream.rate or not stream.channels:
            raise InputError(f"{name}: nothing in it can be decoded; the file is damaged")
        layout, rate_hz = usual_layout(stream.layout.name, stream.channels), stream.rate
        blocks = _decoded(container, stream, layout, name)
        if rate_hz != sample_rate_hz:
            blocks = resampled(blocks, layout, rate_hz, sample_rate_hz)
        for block in blocks:
            if block.shape[1]:
                yield with_channels(block, channels)


def _decoded(container: Any, stream: Any, layout: str, name: str) -> Iterator[Block]:
    """The stream's sound at its own rate; a damaged packet is as much silence as it would have been sound."""
    unpack, packets, broken, sounded = Resampler(layout, stream.rate), 0, 0, 0
    for packet in itertools.chain(read_packets(container, stream), [None]):
        try:
            for frame in stream.decode(packet):
                block = unpack(frame)
                sounded += block.shape[1]
                yield block
        except av.FFmpegError:
            broken += 1
            seconds = (packet.duration or 0) * packet.time_base if packet is not None else Fraction(0)
            yield np.zeros((channels_of(layout), round(seconds * stream.rate)), np.float32)
        packets += packet is not None
    yield unpack(None)
    if not sounded:
        raise InputError(f"{name}: nothing in it can be decoded; the file is damaged")
    if broken > MOST_BROKEN * packets:
        raise InputError(f"{name}: {broken} of {packets} packets cannot be decoded; the file is damaged")
