"""Sound in blocks: the film's own, beside the picture's clock, and WAV files, exact to the sample."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from narrascore.errors import InputError
from narrascore.media.clock import PacketClock
from narrascore.media.film import AudioTrack, Film
from narrascore.media.loudness import Loudness as Loudness
from narrascore.media.loudness import measure_loudness as measure_loudness
from narrascore.media.opening import open_container
from narrascore.media.output import check_space, replacing
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

RF64_BYTES = 2**32 - 2**16
"""A WAV counts its bytes in 32 bits."""


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
    layout = layout or usual_layout(found.layout, found.channels)
    placed = _placed(film, found, layout)
    if found.sample_rate_hz != sample_rate_hz:
        placed = resampled(placed, layout, found.sample_rate_hz, sample_rate_hz)
    samples = samples_of(film.duration_seconds, sample_rate_hz)
    return exactly(placed, channels_of(layout), samples, block_samples)


def sound_track(film: Film, track: int) -> AudioTrack:
    """The film's sound track of that number.

    Raises:
        InputError: if there is none, or none that can be decoded.
    """
    if not 0 <= track < len(film.audio_tracks):
        raise InputError(f"{film.path.name}: no sound track {track}; it has {len(film.audio_tracks)}, counted from 0")
    found = film.audio_tracks[track]
    if not found.channels:
        raise InputError(f"{film.path.name}: sound track {track} ({found.codec}) cannot be decoded; choose another")
    return found


def read_wav(
    path: str | Path,
    *,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    layout: str = "stereo",
    block_samples: int = BLOCK_SAMPLES,
) -> Iterator[Block]:
    """Read a WAV in blocks at another rate; mono goes to every channel of the layout at full level.

    Yields:
        `[C, n]` float32.

    Raises:
        InputError: if the file cannot be read, or has neither one channel nor those of the layout.
    """
    channels = channels_of(layout)
    try:
        with soundfile.SoundFile(path) as file:
            if file.channels not in (1, channels):
                raise InputError(f"{path}: {file.channels} channels where 1 or {channels} are wanted")
            rows = file.blocks(block_samples, dtype="float32", always_2d=True)
            blocks: Iterator[Block] = (
                np.ascontiguousarray(np.broadcast_to(row.T, (channels, len(row)))) for row in rows
            )
            if file.samplerate != sample_rate_hz:
                blocks = resampled(blocks, layout, file.samplerate, sample_rate_hz)
            yield from blocks
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path}: cannot be read as sound ({error})") from error


def write_wav(
    path: str | Path, blocks: Iterable[Block], sample_rate_hz: int, channels: int, *, samples: int | None = None
) -> Path:
    """Write 24-bit WAV block by block, under a temporary name until it is whole; an earlier file is replaced.

    24 bits rather than float: libsndfile writes the time of day into float files, and the same music should be the
    same bytes.

    Args:
        path: the file.
        blocks: `[C, n]` in [-1, 1]; what is beyond is clipped.
        sample_rate_hz: of the blocks.
        channels: C.
        samples: how many there will be, where that is known; needed above 4 GiB, where RF64 is written.

    Raises:
        InputError: if the disk is full or the place cannot be written.
        ValueError: if the blocks do not have the shape or the number announced.
    """
    path, written = Path(path), 0
    size_bytes = 3 * channels * (samples or 0)
    check_space(path, size_bytes)
    kind = "RF64" if size_bytes > RF64_BYTES else "WAV"
    with replacing(path) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", sample_rate_hz, channels, "PCM_24", format=kind) as file:
                for block in blocks:
                    if block.ndim != 2 or block.shape[0] != channels:
                        raise ValueError(f"blocks must be [{channels}, n]: got {block.shape}")
                    written += block.shape[1]
                    file.write(block.T)
        except soundfile.LibsndfileError as error:
            raise InputError(f"{path}: cannot be written ({error}); check the disk") from error
        if samples not in (None, written):
            raise ValueError(f"{samples} samples were announced, {written} came")
        if kind == "WAV" and os.path.getsize(temporary) > RF64_BYTES:
            raise ValueError("more than 4 GiB of sound: announce `samples`, so that RF64 is written")
    return path


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
    with open_container(film.path, max_pixels=film.max_pixels) as container:
        stream: Any = container.streams[track.stream_index]
        clock, packets = PacketClock(), container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                packet = None  # the file breaks off here
            ended = packet is None or packet.size == 0
            try:
                if packet is not None and not ended:
                    clock.straighten(packet)
                for frame in stream.decode(None if ended else packet):
                    yield (None if frame.pts is None else frame.pts * frame.time_base), frame
            except av.FFmpegError:
                broken += 1
            if ended:
                break
    if broken:
        film.warn(f"sound track {track.index}: {broken} packets cannot be decoded; silence stands in for them")
