"""Music under test as files: what this system plays under its several flags, and what others have made.

Whoever made it, a piece is a sound file and the curve it was to follow, so all rows of a table are measured alike.
Notes are known beside the sound only where this project wrote them.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.data.shards import ShardItem
from narrascore.errors import InputError
from narrascore.evaluation.curves import EvaluationCurve
from narrascore.evaluation.music import (
    GATES_CLOSED,
    MODEL,
    ComposePiece,
    Player,
    Progress,
    Row,
    kept_or_made,
    make_music,
    played_by,
)
from narrascore.evaluation.sound_features import SOUND_UNITS, read_sound
from narrascore.files import digest, fingerprint, write_text
from narrascore.media.song import read_song
from narrascore.rendering import render_music, write_music
from narrascore.synthesis.note_features import Feature, read_features
from narrascore.synthesis.score_codes import FRAME_RATE_HZ, cut_out

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
LISTENING_RATE_HZ = 48_000
"""Every file is measured at this rate, so that no system gains by its own."""
LONG_SECONDS = 120
"""Films of this length and more are long. The paper gives no boundary between its Tables 2 and 3; two minutes are more
than any of MusicGen's windows of 30 s with three continuations."""
MIDDLING_PICTURE = "A plain picture in shots of middling length with some movement."
"""What a plain caption says of a curve that has no film."""


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece of music under test.

    Attributes:
        name: the same for the same curve in every system.
        curve: what it was to follow, at 1 Hz.
        sentence: what it was asked for with, or what is known of it.
        sound: the file.
        codes: score codes `[K, T]`, where its notes are known.
    """

    name: str
    curve: AffectCurve
    sentence: str
    sound: Path
    codes: NDArray[np.int16] | None = None

    @property
    def is_long(self) -> bool:
        """Whether it belongs to the long films."""
        return len(self.curve) >= LONG_SECONDS * self.curve.rate_hz


@dataclass(frozen=True)
class Variant:
    """A way of asking this system for music.

    Attributes:
        sentence: the curve's `own`, a `plain` caption of a middling picture (the paper's "w/o HMC"), or `none`.
        steered: False closes the gates (the paper's "w/o NAR").
        adapter: instead of the system's own.
    """

    sentence: Literal["own", "plain", "none"] = "own"
    steered: bool = True
    adapter: Any = None

    def of(self, asked: EvaluationCurve) -> EvaluationCurve:
        """The same curve, asked for with this variant's sentence."""
        anchors = {"plain": MusicalAnchor(caption=MIDDLING_PICTURE), "none": MusicalAnchor(reader="none")}
        return dataclasses.replace(asked, anchor=anchors.get(self.sentence, asked.anchor))


def play(
    pipeline: Player,
    name: str,
    variant: Variant,
    curves: Sequence[EvaluationCurve],
    folder: Path,
    progress: Progress | None = None,
) -> list[Piece]:
    """What the system plays under one variant's flags; what is in the folder already is not made again.

    Args:
        pipeline: with the adapter that plays unless the variant brings its own.
        name: of the row; the music is kept under it in `codes/`, and as sound in `audio/short/` and `audio/long/` of
            the folder, but for the two variants that `metrics=tracking` plays too, which are shared with it.
        variant: the flags.
        curves: what is asked for.
        folder: where the music is kept.
        progress: told what is being made.
    """
    player = copy.copy(pipeline)
    player.adapter = (variant.adapter or pipeline.adapter) if variant.steered else None
    kept = MODEL if variant == Variant() else GATES_CLOSED if variant == Variant(steered=False) else name
    return _rendered(pipeline, kept, played_by(player), [variant.of(asked) for asked in curves], folder, progress)


def play_composer(
    pipeline: Player,
    name: str,
    composer: ComposePiece,
    curves: Sequence[EvaluationCurve],
    folder: Path,
    progress: Progress | None = None,
) -> list[Piece]:
    """The rule composer's music under the curves, by the same instruments; arguments as in `play`."""
    row = Row(lambda asked: composer(asked.curve, asked.style, asked.seed, asked.duration_seconds).codes, None)
    return _rendered(pipeline, name, row, curves, folder, progress)


def play_corpus(
    pipeline: Player, name: str, items: Sequence[ShardItem], most_seconds: int, folder: Path, n: int
) -> list[Piece]:
    """The first `n` pieces of a corpus of notes, cut to `most_seconds`, beside the curves they were written under."""
    pieces = []
    for item in islice(items, n):
        frames = min(item.codes.shape[1], most_seconds * FRAME_RATE_HZ)
        curve = AffectCurve(item.curve[: -(-frames // FRAME_RATE_HZ)])
        anchor = MusicalAnchor(prompt=item.caption.splitlines()[0][:300])
        sound = _place(folder, name, item.id, frames / FRAME_RATE_HZ)
        piece = Piece(item.id, curve, anchor.sentence, sound, cut_out(item.codes, 0, frames))
        pieces.append(_render(pipeline, anchor, piece, frames / FRAME_RATE_HZ, folder))
    return pieces


def find_pieces(name: str, folder: Path, curves: Sequence[EvaluationCurve]) -> list[Piece]:
    """Music that another system has made, in a folder of the user's.

    Either files named after the curves they were made for (`curve-03.wav`; `curves/` of the output folder has the
    curves as CSV), or the folders that `narrascore score` leaves, each with its own `music.wav` and `curve.csv`.

    Raises:
        InputError: if there is no such folder, or nothing in it is named so.
    """
    if not folder.is_dir():
        raise InputError(f"{name}: {folder}: no such folder; give one with the system's music")
    pieces = []
    for asked in curves:
        files = [folder / f"{asked.name}{suffix}" for suffix in SUFFIXES]
        pieces += [Piece(asked.name, asked.curve, asked.anchor.sentence, file) for file in files if file.is_file()][:1]
    for job in sorted(folder.glob("*.narrascore")):
        if (job / "music.wav").is_file() and (job / "curve.csv").is_file():
            anchor = MusicalAnchor.from_json(job / "anchor.json")
            curve = AffectCurve.from_csv(job / "curve.csv").resample(1.0)
            pieces.append(Piece(job.stem, curve, anchor.sentence, job / "music.wav"))
    if not pieces:
        raise InputError(
            f"{name}: {folder} holds neither music named after the curves, such as {curves[0].name}.wav, nor folders "
            "of narrascore score, such as FILM.narrascore"
        )
    return pieces


def write_curves(folder: Path, curves: Sequence[EvaluationCurve]) -> None:
    """Every curve as CSV and its sentence as text in `curves/`, for other systems to be asked with."""
    (folder / "curves").mkdir(parents=True, exist_ok=True)
    for asked in curves:
        write_text(folder / "curves" / f"{asked.name}.csv", asked.curve.to_csv())
        write_text(folder / "curves" / f"{asked.name}.txt", asked.anchor.sentence + "\n")


def listen(piece: Piece, folder: Path) -> dict[str, Feature]:
    """Every feature of its sound, and of its notes where they are known; kept in `sound/` of the folder."""

    def measure() -> NDArray[np.float64]:
        blocks = list(read_song(piece.sound, LISTENING_RATE_HZ, 2))
        return np.stack(list(read_sound(torch.from_numpy(np.concatenate(blocks, 1)), LISTENING_RATE_HZ).values()))

    key = digest([list(SOUND_UNITS), fingerprint(piece.sound)])
    place = sha256(str(piece.sound.resolve()).encode()).hexdigest()[:24]
    sound = dict(zip(SOUND_UNITS, kept_or_made(folder / "sound" / f"{place}.safetensors", key, measure), strict=True))
    return sound if piece.codes is None else sound | read_features(piece.codes)


def listen_to_all(
    systems: Mapping[str, Sequence[Piece]], folder: Path, progress: Progress | None = None
) -> Iterator[tuple[str, Piece, dict[str, Feature]]]:
    """(system, piece, features) of every piece."""
    for name, pieces in systems.items():
        if progress is not None:
            progress(f"{name}: listening to {len(pieces)} pieces")
        for piece in pieces:
            yield name, piece, listen(piece, folder)


def _rendered(
    pipeline: Player,
    name: str,
    row: Row,
    curves: Sequence[EvaluationCurve],
    folder: Path,
    progress: Progress | None,
) -> list[Piece]:
    pieces = []
    for asked, codes in zip(curves, make_music({name: row}, curves, folder, progress)[name], strict=True):
        sound = _place(folder, name, asked.name, asked.duration_seconds)
        piece = Piece(asked.name, asked.curve, asked.anchor.sentence, sound, codes)
        rendered = _render(pipeline, asked.anchor, piece, asked.duration_seconds, folder)
        pieces.append(rendered if pipeline.writes_notes else dataclasses.replace(rendered, codes=None))
    return pieces


def _render(pipeline: Player, anchor: MusicalAnchor, piece: Piece, duration_seconds: float, folder: Path) -> Piece:
    """Write the piece's sound, unless the file there is of these codes and instruments."""
    codec, codes = pipeline.musicgen.codec.for_anchor(anchor), piece.codes
    assert codes is not None, "only codes are rendered"
    key = digest([repr(codec.describe()), sha256(codes.tobytes()).hexdigest(), duration_seconds])
    witness = folder / "audio-keys" / piece.sound.parent.name / f"{piece.name}.txt"
    made = f"{key} {fingerprint(piece.sound)}"
    if not witness.is_file() or witness.read_text(encoding="utf-8") != made:
        piece.sound.parent.mkdir(parents=True, exist_ok=True)
        witness.parent.mkdir(parents=True, exist_ok=True)
        blocks = render_music(codec, torch.from_numpy(codes.astype(np.int64)), duration_seconds)
        write_music(piece.sound, blocks, codec, duration_seconds)
        write_text(witness, f"{key} {fingerprint(piece.sound)}")
    return piece


def _place(folder: Path, name: str, piece: str, duration_seconds: float) -> Path:
    length = "long" if duration_seconds >= LONG_SECONDS else "short"
    return folder / "audio" / length / file_name(name) / f"{piece}.wav"


def file_name(name: str) -> str:
    """A system's name as a folder's."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.") or "system"
