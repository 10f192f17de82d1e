"""The film's own sound, beside the picture's clock and exact to the sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from narrascore.errors import InputError
from narrascore.media.child import Message, in_child
from narrascore.media.film import AudioTrack, Film
from narrascore.media.opening import READABLE_FORMATS, open_container
from narrascore.media.packets import read_packets
from narrascore.media.samples import (
    BLOCK_SAMPLES,
    SAMPLE_RATE_HZ,
    Block,
    Resampler,
    channels_of,
    exactly,
    resampled,
    usual_layout,
)
from narrascore.windows import samples_of

GAP_SECONDS = Fraction(1, 20)
"""Sound that comes this far from its place is moved there; less is the rounding of a container's clock."""


def read_audio(
    film: Film,
    track: int = 0,
    *,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    layout: str | None = None,
    block_samples: int = BLOCK_SAMPLES,
) -> Iterator[Block]:
    """Read one of the film's sound tracks from the picture's first frame to its last.

    Sound before the picture is cut, sound that starts late or has a hole gets silence, sound that runs on is cut.

    Args:
        film: an opened film.
        track: 0 for the first sound track.
        sample_rate_hz: of the blocks.
        layout: FFmpeg's name of the channels wanted; the track's own by default, so that 5.1 stays 5.1.
        block_samples: samples in each block but the last.

    Yields:
        `[C, n]` float32, `samples_of(film.duration_seconds, sample_rate_hz)` samples in all.

    Raises:
        InputError: if there is no such track or it has no decoder.
    """
    found = sound_track(film, track)
    arguments = {
        "film": film.to_plain(), "track": track, "sample_rate_hz": sample_rate_hz,
        "layout": layout or usual_layout(found.layout, found.channels), "block_samples": block_samples,
    }  # fmt: skip
    return _received(film, arguments)


def sound_track(film: Film, track: int) -> AudioTrack:
    """The film's sound track of that number.

    Raises:
        InputError: if there is none, or none that can be decoded.
    """
    if not 0 <= track < len(film.audio_tracks):
        raise InputError(f"{film.name}: no sound track {track}; it has {len(film.audio_tracks)}, counted from 0")
    found = film.audio_tracks[track]
    if not found.channels:
        raise InputError(f"{film.name}: sound track {track} ({found.codec}) cannot be decoded; choose another")
    return found


def send_sound(
    film: dict[str, Any], track: int, sample_rate_hz: int, layout: str, block_samples: int
) -> Iterator[Message]:
    """For `in_child`: the blocks; at the end, what the film warns of."""
    opened = Film.from_plain({**film, "warnings": []})
    for block in decode_sound(opened, opened.audio_tracks[track], sample_rate_hz, layout, block_samples):
        yield {}, block
    yield {"warnings": opened.warnings}, None


def decode_sound(
    film: Film, track: AudioTrack, sample_rate_hz: int, layout: str, block_samples: int = BLOCK_SAMPLES
) -> Iterator[Block]:
    """Decode a track in this process; arguments and blocks as for `read_audio`."""
    placed = _placed(film, track, layout)
    if track.sample_rate_hz != sample_rate_hz:
        placed = resampled(placed, layout, track.sample_rate_hz, sample_rate_hz)
    samples = samples_of(film.duration_seconds, sample_rate_hz)
    return exactly(placed, channels_of(layout), samples, block_samples)


def _received(film: Film, arguments: dict[str, Any]) -> Iterator[Block]:
    for header, block in in_child("narrascore.media.soundtrack:send_sound", film.name, arguments):
        for line in header.get("warnings", ()):
            film.warn(str(line))
        if block is not None:
            yield block


def _placed(film: Film, track: AudioTrack, layout: str) -> Iterator[Block]:
    """The track's sound without a hole from the picture's time zero, at the track's own rate.

    picture        0---------------------------------->
    frames     |--a--|--b--|        |--c--|
    given back     a-|--b--|silence-|--c--|
    """
    rate = track.sample_rate_hz
    unpack = Resampler(layout, rate)
    channels, cursor = channels_of(layout), 0  # cursor: samples given back
    limit = samples_of(film.duration_seconds, rate) + rate
    for begins, frame in _decoded(film, track):
        block = unpack(frame)
        off = cursor if begins is None else round((begins - film.start_seconds) * rate)
        off -= cursor
        if abs(off) > GAP_SECONDS * rate or cursor == 0:
            for start in range(0, min(off, limit - cursor), rate):
                yield np.zeros((channels, min(rate, off - start)), np.float32)
            cursor += max(0, min(off, limit - cursor))
            block = block[:, max(0, -off) :]
        cursor += block.shape[1]
        yield block
        if cursor >= limit:
            return
    yield unpack(None)


def _decoded(film: Film, track: AudioTrack) -> Iterator[tuple[Fraction | None, Any]]:
    """(seconds in the file's clock, frame) of one track; broken packets are left out and counted."""
    broken = 0
    with open_container(film.path, max_pixels=film.max_pixels, formats=READABLE_FORMATS) as container:
        stream: Any = container.streams[track.stream_index]
        for packet in itertools.chain(read_packets(container, stream), [None]):
            try:
                for frame in stream.decode(packet):
                    yield (None if frame.pts is None else frame.pts * frame.time_base), frame
            except av.FFmpegError:
                broken += 1
    if broken:
        film.warn(f"sound track {track.index}: {broken} packets cannot be decoded; silence stands in for them")
