"""Songs that are done, one file each, so that a stopped preparation goes on with the next one.

    folder/<id>.safetensors   codes/<n> [K, T] int16 and curve/<n> [F, 2] float32 of each clip; in its metadata, the key
                              that says what it was made from, and what was found: reasons, silent clips, starts

A song is taken back only under its key: another sound file, other labels, weights or rules make it anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from narrascore.media.output import replacing


@dataclass(frozen=True, eq=False)
class TokenisedClip:
    """A clip as training reads it: `codes` `[K, T]` int16, `curve` `[F, 2]` float32 at 1 Hz."""

    start_seconds: float
    codes: NDArray[np.int16]
    curve: NDArray[np.float32]
    silence_share: float


@dataclass(frozen=True, eq=False)
class TokenisedSong:
    """What became of a song.

    Attributes:
        id: of the song.
        sha256: of its sound file.
        seconds: of its sound.
        clips: those that are kept.
        silent: (start in seconds, share of silence) of those that are not.
        reason: why there is no clip of it; empty where there is one.
    """

    id: str
    sha256: str = ""
    seconds: float = 0.0
    clips: tuple[TokenisedClip, ...] = ()
    silent: tuple[tuple[float, float], ...] = ()
    reason: str = ""


class SongStore:
    """A folder of finished songs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, song: str, key: str) -> TokenisedSong | None:
        """The song, or None if it is absent, damaged or made from something else."""
        path = self._path(song)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="np") as file:
                metadata = file.metadata() or {}
                if metadata.get("key") != key:
                    return None
                said = json.loads(metadata["said"])
                clips = tuple(
                    TokenisedClip(start, file.get_tensor(f"codes/{n}"), file.get_tensor(f"curve/{n}"), share)
                    for n, (start, share) in enumerate(said["clips"])
                )
        except (SafetensorError, OSError, ValueError, KeyError):
            return None
        silent = tuple((start, share) for start, share in said["silent"])
        return TokenisedSong(song, said["sha256"], said["seconds"], clips, silent, said["reason"])

    def save(self, song: TokenisedSong, key: str) -> None:
        """Keep a song, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        said = {
            "sha256": song.sha256, "seconds": song.seconds, "silent": song.silent, "reason": song.reason,
            "clips": [(clip.start_seconds, clip.silence_share) for clip in song.clips],
        }  # fmt: skip
        tensors = {f"codes/{n}": np.ascontiguousarray(clip.codes) for n, clip in enumerate(song.clips)}
        tensors |= {f"curve/{n}": np.ascontiguousarray(clip.curve) for n, clip in enumerate(song.clips)}
        with replacing(self._path(song.id)) as partial:
            save_file(tensors, partial, metadata={"key": key, "said": json.dumps(said)})

    def _path(self, song: str) -> Path:
        return self.folder / f"{song}.safetensors"
