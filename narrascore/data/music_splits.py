"""Who is trained on which song: by a hash of the recording, so that a song keeps its split in whichever set it stands.

Sets share recordings. DEAM holds the 1000 songs of MediaEval 2013, which are published as EmoMusic too, under the same
ids 1 to 1000 (both sets' own pages say so); MERP holds four of DEAM's songs under ids such as `deam_115` (its dataset
card). `origin_of` knows these; byte-equal sound files are found whatever they are called. What no id tells and no byte
shows, such as one recording encoded twice, is not found.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from narrascore.errors import InputError

SUMMARY_FILE = "prepared.json"
_FROM_DEAM = re.compile(r"deam[_-]?0*(\d+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class PreparedSong:
    """What a prepared set's summary says of a song: whose recording it is, its file's sha256, and its split."""

    origin: str
    sha256: str
    split: str


def origin_of(set_name: str, song: str) -> str:
    """A recording's own name, the same in every set whose ids tell: `deam:115` for MERP's `deam_115`."""
    anchor = _FROM_DEAM.fullmatch(song)
    if anchor:
        return f"deam:{anchor[1]}"
    if set_name.lower() in ("deam", "emomusic") and song.isdigit():
        return f"deam:{int(song)}"
    return f"{set_name}:{song}"


def split_of(origin: str, seed: int, validation_share: float, test_share: float) -> str:
    """`train`, `validation` or `test`: a function of the seed and the recording alone."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed}/{origin}".encode()).digest()[:8], "big") / 2**64
    if drawn < test_share:
        return "test"
    return "validation" if drawn < test_share + validation_share else "train"


def read_prepared(folder: Path) -> dict[str, PreparedSong]:
    """The songs of a set that was prepared earlier, by id.

    Raises:
        InputError: if the folder holds none.
    """
    try:
        songs = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))["songs"]
        return {song: PreparedSong(said["origin"], said["sha256"], said["split"]) for song, said in songs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"check_against {folder}: no prepared set of music ({error}); prepare it first") from error


def say_shared(ours: Mapping[str, PreparedSong], folder: Path, theirs: Mapping[str, PreparedSong]) -> str | None:
    """A warning that names the songs which another set holds too, and those of them in another split; None of none."""
    known = {song.origin: song for song in theirs.values()} | {song.sha256: song for song in theirs.values()}
    shared = {name: twin for name, song in ours.items() if (twin := known.get(song.origin) or known.get(song.sha256))}
    if not shared:
        return None
    crossing = [name for name, twin in shared.items() if twin.split != ours[name].split]
    leak = (
        f"{len(crossing)} of them in another split, so one set's training has seen the other's held-out songs "
        f"({_some(crossing)}); prepare both with one seed and the same shares"
        if crossing
        else "all in the same split"
    )
    return f"{len(shared)} songs are in {folder} too ({_some(list(shared))}), {leak}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
