"""`metrics=listening`: one page on which people rate the systems without knowing which is which (paper 4.3).

The page is a single HTML file that needs no network: the clips are in it, all of one loudness, under names that say
nothing. Each listener hears them in an order of their own. What was asked for, the sentence and the emotion curve, is
shown beside each clip, since consistency with it is what is rated. Which clip is which system stands in a key beside
the page, and is not for the listeners.
"""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import UsageError
from narrascore.evaluation.cells import Missing
from narrascore.evaluation.measured import SystemRow
from narrascore.evaluation.music import Progress
from narrascore.evaluation.pieces import LISTENING_RATE_HZ, Piece
from narrascore.evaluation.tables import provenance
from narrascore.files import write_text
from narrascore.media.audio import measure_loudness
from narrascore.media.clips import encode_clip
from narrascore.media.song import read_song

SCALES = {
    "EDC": ("Emotional Dynamic Consistency", "How well do the changes of emotion in the music follow the curve?"),
    "GSM": ("Global Style Matching", "How well does the style of the music as a whole match what was asked for?"),
    "LTC": ("Long-term Coherence", "How well does the music hold together from beginning to end?"),
    "MQ": ("Music Quality", "How good is it as music?"),
    "OP": ("Overall Preference", "How good is this soundtrack, all in all?"),
}
"""The paper's five scales by its own names; it gives no questions, those are ours. Each runs from 1 to 5."""
ENDS = ("1: very poor", "5: excellent")

TARGET_LUFS = -23.0
HIGHEST_PEAK_DBTP = -1.0
CLIP_SECONDS = 30
KEY_FILE, PAGE_FILE = "listening-key.json", "listening.html"
MOST_MEBIBYTES = 60
"""A page beyond this is refused: browsers on phones would not open it."""


@dataclass(frozen=True)
class Clip:
    """One clip of the test, as the key has it.

    Attributes:
        id: what the page and the answers call it.
        film: the piece it is cut from.
        start_seconds, seconds: where and how much.
        gain_db: brings it to the loudness of all.
        is_long: whether the piece belongs to the long films.
    """

    id: str
    system: str
    film: str
    start_seconds: int
    seconds: int
    gain_db: float
    is_long: bool


def run_listening(
    systems: Mapping[str, SystemRow],
    out_folder: Path,
    *,
    n: int = 6,
    clip_seconds: int = CLIP_SECONDS,
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> tuple[list[Clip], str]:
    """Write the page and its key.

    Args:
        systems: whose pieces are heard; those without any are left out.
        out_folder: gets `listening.html`, for the listeners, and `listening-key.json`, for `ratings`.
        n: films heard; each is heard once from every system.
        clip_seconds: cut from each piece, the same seconds of every system.
        seed: of the films, the cuts and the clips' names.
        command: what was typed, for the key.
        progress: told what is being encoded.

    Raises:
        UsageError: if fewer than two systems share a film, or the page would be too large.
    """
    rows = {name: {piece.name: piece for piece in row} for name, row in systems.items()
            if not isinstance(row, Missing) and row}  # fmt: skip
    shared = set.intersection(*(set(row) for row in rows.values())) if len(rows) > 1 else set()
    if not shared:
        raise UsageError(
            f"a listening test compares music of the same films, and {', '.join(rows) or 'no system'} share none: give "
            "folders with music of the same curves by --generated NAME=FOLDER"
        )
    random = np.random.default_rng(seed)
    names = sorted(shared)
    films = sorted(names[i] for i in random.permutation(len(names))[:n])
    if progress is not None:
        progress(f"listening test: {len(rows)} systems, {len(films)} films")
    cuts = []
    # One sentence for all: what a variant was asked with would tell which it is.
    asked = {film: next((row[film].sentence for row in rows.values() if row[film].sentence), "") for film in films}
    for film in films:
        shortest = min(math.floor(len(row[film].curve) / row[film].curve.rate_hz) for row in rows.values())
        start = int(random.integers(0, max(1, shortest - clip_seconds + 1)))
        for system, row in rows.items():
            cuts.append((system, row[film], start, min(clip_seconds, shortest)))
    sounds = [_cut(piece, start, seconds) for _, piece, start, seconds in cuts]
    gains = _gains(sounds)
    clips, shown = [], []
    for (system, piece, start, seconds), sound, gain_db in zip(cuts, sounds, gains, strict=True):
        name = sha256(f"{seed}/{system}/{piece.name}".encode()).hexdigest()[:10]
        clips.append(Clip(name, system, piece.name, start, seconds, round(gain_db, 2), piece.is_long))
        encoded, kind = encode_clip([np.float32(10 ** (gain_db / 20)) * sound], LISTENING_RATE_HZ)
        curve = piece.curve.at(np.arange(start, start + seconds + 1))
        shown.append({"id": name, "seconds": seconds, "asked": asked[piece.name], "curve": curve.round(3).tolist(),
                      "sound": f"data:{kind};base64,{base64.b64encode(encoded).decode()}"})  # fmt: skip
    shown = [shown[i] for i in random.permutation(len(shown))]
    page = _page(shown, seed)
    if len(page) > MOST_MEBIBYTES * 2**20:
        raise UsageError(
            f"the page would have {len(page) >> 20} MiB, and {MOST_MEBIBYTES} are the most: ask for fewer films "
            "(listening.films) or shorter clips (listening.clip_seconds)"
        )
    out_folder.mkdir(parents=True, exist_ok=True)
    write_text(out_folder / PAGE_FILE, page)
    key = {"clips": [asdict(clip) for clip in clips], "repeat": provenance(command, seed, len(films))}
    write_text(out_folder / KEY_FILE, json.dumps(key, indent=2, ensure_ascii=False) + "\n")
    return clips, (
        f"{out_folder / PAGE_FILE}: {len(clips)} clips of {len(rows)} systems, {len(page) / 2**20:.1f} MiB, for the "
        f"listeners\n{out_folder / KEY_FILE}: which is which; with the listeners' CSV files in one folder,\n"
        f"narrascore evaluate experiment=ratings ratings.answers=FOLDER ratings.key={out_folder / KEY_FILE}\n"
    )


def _cut(piece: Piece, start_seconds: int, seconds: int) -> NDArray[np.float32]:
    """`[2, n]` at 48 kHz, with short fades where it is cut; silence where the music ends early."""
    sound = np.concatenate(list(read_song(piece.sound, LISTENING_RATE_HZ, 2)), axis=1)
    first, samples = start_seconds * LISTENING_RATE_HZ, seconds * LISTENING_RATE_HZ
    cut = sound[:, first : first + samples]
    cut = np.pad(cut, ((0, 0), (0, samples - cut.shape[1])))
    fade = np.linspace(0, 1, LISTENING_RATE_HZ // 4, dtype=np.float32)
    cut[:, : len(fade)] *= fade
    cut[:, -len(fade) :] *= fade[::-1]
    return np.ascontiguousarray(cut, dtype=np.float32)


def _gains(sounds: Sequence[NDArray[np.float32]]) -> list[float]:
    """Decibels that bring every clip to one loudness: -23 LUFS, or lower if a clip's peaks would not fit."""
    measured = [measure_loudness([sound], LISTENING_RATE_HZ, "stereo") for sound in sounds]
    heard = [found for found in measured if math.isfinite(found.lufs)]
    if not heard:
        raise UsageError("all clips are silent: there is nothing to listen to")
    target = min([TARGET_LUFS, *(found.lufs + HIGHEST_PEAK_DBTP - found.true_peak_dbtp for found in heard)])
    return [target - found.lufs if math.isfinite(found.lufs) else 0.0 for found in measured]


def _page(clips: Sequence[Mapping[str, object]], seed: int) -> str:
    data = {
        "test": sha256("".join(str(clip["id"]) for clip in clips).encode()).hexdigest()[:12],
        "seed": seed,
        "scales": [{"id": name, "title": title, "question": question} for name, (title, question) in SCALES.items()],
        "ends": ENDS,
        "clips": clips,
    }
    template = (files("narrascore.evaluation") / "listening.html").read_text(encoding="utf-8")
    # In a script element "</script" and "<!--" mean something, whatever stands around them.
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return template.replace("@DATA@", text).replace("@TITLE@", html.escape("Listening test"))
