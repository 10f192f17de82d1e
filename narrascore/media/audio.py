"""Sound in blocks: WAV files, exact to the sample; `soundtrack.py` has the film's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from narrascore.errors import InputError
from narrascore.media.loudness import Loudness as Loudness
from narrascore.media.loudness import measure_loudness as measure_loudness
from narrascore.media.output import check_space, replacing
from narrascore.media.samples import (
    BLOCK_SAMPLES,
    SAMPLE_RATE_HZ,
    Block,
    channels_of,
    resampled,
)
from narrascore.media.soundtrack import read_audio as read_audio
from narrascore.media.soundtrack import sound_track as sound_track

RF64_BYTES = 2**32 - 2**16
"""A WAV counts its bytes in 32 bits."""


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


def measure_wav(path: str | Path) -> tuple[int, int, int]:
    """Samples in each channel, their rate in Hz, and the channels.

    Raises:
        InputError: if the file cannot be read.
    """
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path}: cannot be read as sound ({error})") from error
    return int(info.frames), int(info.samplerate), int(info.channels)


def write_wav(
    path: str | Path,
    blocks: Iterable[Block],
    sample_rate_hz: int,
    channels: int,
    *,
    samples: int | None = None,
    comment: str = "",
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
        comment: a tag for the file.

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
                if comment:
                    file.comment = comment
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
