"""Stems of music that is sound: what Demucs hears in it, as files that add up to the music again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from narrascore.data.separation import Separator as Separator
from narrascore.errors import UsageError
from narrascore.media.audio import measure_wav, read_wav
from narrascore.media.samples import USUAL_LAYOUTS, Block, exactly, resampled, with_channels
from narrascore.media.together import write_together
from narrascore.provenance import TAG

REST = "other"
"""The source that takes what the others leave of the music."""


def load_separator(name: str | Path = "htdemucs", *, offline: bool = False, device: str = "cpu") -> Separator:
    """Load Demucs; see `Separator.from_pretrained`.

    Raises:
        ModelUnavailableError: if its weights cannot be had.
        InputError: if a file is not what Demucs exports.
        UsageError: if the library is not installed.
    """
    try:
        return Separator.from_pretrained(name, offline=offline, device=device)
    except ModuleNotFoundError as absent:
        raise UsageError(
            f"stems of music that is sound need {absent.name}: pip install 'narrascore[data]', or leave out --stems"
        ) from absent


def write_sound_stems(folder: Path, music: Path, separator: Separator) -> list[Path]:
    """Write one WAV per source, each as long as the music and at its rate. Memory does not grow with the film.

    Demucs' own sources do not add up to what it heard. Here `other` is the music less all the rest, so that the files
    do, to the rounding of their 24 bits; all are turned down alike if one would clip, and their sum with them.

    music --+--------------------------------------------------------------------> - ---> other
            '--> Demucs' rate --> Demucs --> drums, bass, vocals --> music's rate --^---> drums, bass, vocals

    Args:
        folder: made if need be.
        music: a WAV, mono or stereo.
        separator: Demucs.

    Raises:
        InputError: if the music cannot be read.
    """
    samples, rate_hz, channels = measure_wav(music)
    layout, its_layout = USUAL_LAYOUTS[channels], USUAL_LAYOUTS[separator.channels]
    names = [name for name in separator.sources if name != REST]
    heard = separator.separate(read_wav(music, sample_rate_hz=separator.sample_rate_hz, layout=its_layout))
    sources = []
    for name, pieces in zip(names, itertools.tee(heard, len(names)), strict=True):
        blocks = _taken(pieces, separator.sources.index(name), channels)
        if separator.sample_rate_hz != rate_hz:
            blocks = resampled(blocks, layout, separator.sample_rate_hz, rate_hz)
        sources.append(exactly(blocks, channels, samples))

    def chunks() -> Iterator[dict[str, Block]]:
        whole = exactly(read_wav(music, sample_rate_hz=rate_hz, layout=layout), channels, samples)
        for block, *found in zip(whole, *sources, strict=True):
            yield {**dict(zip(names, found, strict=True)), REST: block - np.sum(found, axis=0)}

    return write_together(folder, chunks(), rate_hz, channels, samples, comment=TAG)


def _taken(pieces: Iterable[tuple[Block, Block]], index: int, channels: int) -> Iterator[Block]:
    """Blocks `[C, n]` of one source, with the music's channels."""
    for _, sources in pieces:
        yield with_channels(sources[index], channels)
