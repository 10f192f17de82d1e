"""Sounds that are played together, one WAV each, written side by side and turned down alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from narrascore.media.audio import write_wav
from narrascore.media.samples import BLOCK_SAMPLES, Block

STEM_PEAK = 0.98
"""Stems have no limiter, so all of them are turned down together if one goes beyond this."""


def write_together(
    folder: Path,
    chunks: Iterable[Mapping[str, Block]],
    sample_rate_hz: int,
    channels: int,
    samples: int,
    end: Callable[[Iterator[Block]], Iterator[Block]] = iter,
    comment: str = "",
) -> list[Path]:
    """Write one WAV per name; all are turned down alike if one would clip. Memory does not grow with their length.

    Args:
        folder: made if need be; the sounds wait in it until the loudest sample of all is known.
        chunks: name -> `[C, n]`, one after the other.
        sample_rate_hz: of the blocks.
        channels: C.
        samples: in each file.
        end: brings a whole sound to so many samples, where the chunks have more.
        comment: a tag for each file.

    Raises:
        InputError: if the disk is full or the place cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    peak = 0.0
    with TemporaryDirectory(dir=folder, prefix=".raw-") as raw:
        for chunk in chunks:
            for name, block in chunk.items():
                peak = max(peak, float(np.abs(block).max(initial=0.0)))
                with (Path(raw) / name).open("ab") as file:
                    file.write(np.ascontiguousarray(block.T, np.float32).tobytes())
        gain = np.float32(min(1.0, STEM_PEAK / max(peak, STEM_PEAK)))
        paths = []
        for waiting in sorted(Path(raw).iterdir()):
            blocks = end(gain * block for block in _read_raw(waiting, channels))
            path = folder / f"{waiting.name}.wav"
            paths.append(write_wav(path, blocks, sample_rate_hz, channels, samples=samples, comment=comment))
    return paths


def _read_raw(path: Path, channels: int) -> Iterator[Block]:
    with path.open("rb") as file:
        while data := file.read(BLOCK_SAMPLES * channels * 4):
            yield np.frombuffer(data, dtype=np.float32).reshape(-1, channels).T
