"""Music in a folder, cut into clips of one length: what embedders look at.

A folder holds one file a piece, in folders of its own or not: sound in any format that can be decoded, or score codes
`[K, T]` as safetensors. Every piece is cut from its beginning; a last clip that would be less than half as long as the
others is left out, unless the piece has no other.

    piece        |-----clip 0-----|-----clip 1-----|--2--|        10 s each
    used         |================|================|              the rest is 3 s
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from narrascore.errors import InputError
from narrascore.media.opening import require_regular_file
from narrascore.media.song import read_song
from narrascore.synthesis.score_codes import CODEBOOKS, FRAME_RATE_HZ

CLIP_SECONDS = 10.0
SHORTEST_SECONDS = 0.5
"""Of a piece; the listening models take nothing much shorter."""
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".w64")
CODE_SUFFIXES = (".safetensors",)

Sound = NDArray[np.float32]
Codes = NDArray[np.int16]


@dataclass(frozen=True)
class Piece:
    """One file of a folder; its name pairs it with the file of that name in another folder."""

    name: str
    path: Path


def pieces_in(folder: Path, suffixes: tuple[str, ...]) -> list[Piece]:
    """The folder's pieces by name, which is the path within the folder without its suffix; hidden ones are left out.

    Raises:
        InputError: if there is no such folder, or two files are of one name.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give one that holds a file for each piece")
    found: dict[str, Piece] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in suffixes or any(part.startswith(".") for part in inside.parts):
            continue
        name = inside.with_suffix("").as_posix()
        if name in found:
            raise InputError(f"{folder}: {found[name].path.name} and {path.name} are one piece; keep one of them")
        found[name] = Piece(name, path)
    return list(found.values())


def sound_clips(path: Path, sample_rate_hz: int, clip_seconds: float = CLIP_SECONDS) -> Iterator[Sound]:
    """The clips of a sound file, mono, `[N]` each, one held at a time.

    Raises:
        InputError: if the file cannot be read as sound, or is too short to listen to.
    """
    samples = round(clip_seconds * sample_rate_hz)
    blocks: list[Sound] = []
    waiting, given = 0, 0
    for block in read_song(path, sample_rate_hz, 1):
        blocks.append(block[0])
        waiting += block.shape[1]
        if waiting < samples:
            continue
        held = np.concatenate(blocks)
        for start in range(0, len(held) - samples + 1, samples):
            given += 1
            yield held[start : start + samples]
        blocks = [held[len(held) // samples * samples :]]
        waiting = len(blocks[0])
    if given == 0 and waiting < SHORTEST_SECONDS * sample_rate_hz:
        raise InputError(f"{path.name}: shorter than {SHORTEST_SECONDS} s, too short to be measured; leave it out")
    if given == 0 or 2 * waiting >= samples:
        yield np.concatenate(blocks)


def code_clips(path: Path, clip_seconds: float = CLIP_SECONDS) -> Iterator[Codes]:
    """The clips of a score, `[K, T]` int16 each at 25 Hz.

    Args:
        path: safetensors with one tensor named `codes` or `values`, as shards and evaluations write them.

    Raises:
        InputError: if it holds no score.
    """
    codes = _read_codes(path)
    frames = round(clip_seconds * FRAME_RATE_HZ)
    starts = range(0, codes.shape[1], frames)
    clips = [codes[:, start : start + frames] for start in starts]
    yield from (clip for clip in clips if 2 * clip.shape[1] >= frames or len(clips) == 1)


def _read_codes(path: Path) -> Codes:
    try:
        with safe_open(require_regular_file(path), framework="numpy") as file:
            name = next((name for name in ("codes", "values") if name in file.keys()), None)  # noqa: SIM118
            codes = None if name is None else np.asarray(file.get_tensor(name))
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path.name}: cannot be read as score codes ({error})") from error
    if codes is None or codes.ndim != 2 or codes.shape[0] != CODEBOOKS or codes.shape[1] == 0:
        raise InputError(f"{path.name}: score codes are one tensor `codes` of [{CODEBOOKS}, T]; this has none")
    return codes.astype(np.int16)
