"""Downloaded film sets, made ready for the training of the probe (paper 4.1, the video half).

A film whose labels or picture cannot be used is left out by name, with the reason, never silently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np

from narrascore.data import cognimuse, film_folder, liris_accede, mediaeval
from narrascore.data.films import CLIP_SECONDS, HOP_SECONDS, SPLITS, LabelledFilm, write_films
from narrascore.data.reference_music import write_reference_music
from narrascore.data.set_files import FoundFilm
from narrascore.data.splits import split_films
from narrascore.data.traces import FilmLabels
from narrascore.errors import InputError, UsageError
from narrascore.media.film import Film
from narrascore.media.output import replacing
from narrascore.windows import frames_to_cover

if TYPE_CHECKING:  # labels without music need no torch
    from narrascore.data.separation import Separator

PAPER_MINUTES = 884
"""The paper's clips: LIRIS-ACCEDE's 442 min, doubled by the hop of 15 s."""

LEAST_TOLERANCE_SECONDS = 2.0
SUMMARY_FILE, MUSIC_FOLDER = "summary.txt", "reference_music"
LAYOUTS: dict[str, ModuleType] = {
    "liris_accede": liris_accede, "mediaeval2018": mediaeval, "cognimuse": cognimuse, "folder": film_folder
}  # fmt: skip


@dataclass(frozen=True)
class FilmSetSettings:
    """What to prepare, and how.

    Attributes:
        name: whose layout the folder has.
        root: the folder of the downloaded set.
        out: where the prepared set is written.
        validation_share: of the films that are drawn; what the two shares leave is for training.
        test_share: likewise, unless the set's publishers chose its test.
        train: films that are to be in this split, by id; a split with a list draws no others.
        validation: likewise.
        test: likewise.
        seed: of the draw of all other films.
        tolerance: how far labels may end from the film's end, as a share of the film, though at least 2 s.
        reference_music: also write each film's own music without voices, for evaluation.
        separation: what takes out the voices: `htdemucs`, or a file or folder of Demucs' own weights.
        offline: its weights are on this machine; never ask the hub.
        device: where it runs.
    """

    name: Literal["liris_accede", "mediaeval2018", "cognimuse", "folder"]
    root: Path
    out: Path
    validation_share: float = 0.15
    test_share: float = 0.15
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    seed: int = 0
    tolerance: float = 0.05
    reference_music: bool = False
    separation: str = "htdemucs"
    offline: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        if min(self.validation_share, self.test_share) < 0 or self.validation_share + self.test_share >= 1:
            raise ValueError(
                "validation_share and test_share are 0 or more and leave films to train on: got "
                f"{self.validation_share:g} and {self.test_share:g}"
            )
        if self.tolerance < 0:
            raise ValueError(f"tolerance is a share of the film's length, 0 or more: got {self.tolerance}")
        if self.reference_music and self.separation == "none":
            raise ValueError("reference_music is music without voices: give separation=htdemucs or a folder of weights")
        listed = [*self.train, *self.validation, *self.test]
        twice = sorted({film for film in listed if listed.count(film) > 1})
        if twice:
            raise ValueError(f"a film is wholly in one split: {', '.join(twice)} listed more than once")

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of train, validation and test."""
        return 1 - self.validation_share - self.test_share, self.validation_share, self.test_share

    @property
    def listed(self) -> dict[str, str]:
        """film -> split, for the films in a list."""
        return {film: split for split in SPLITS for film in getattr(self, split)}


@dataclass(frozen=True, eq=False)
class _Kept:
    found: FoundFilm
    film: Film
    labels: FilmLabels
    notes: tuple[str, ...]


def prepare_films(settings: FilmSetSettings, say: Callable[[str], None]) -> str:
    """Read a film set, write it to `settings.out` as `narrascore.data.films` defines it, and sum up.

    Args:
        settings: which set, from where to where.
        say: told one line at a time how far it is.

    Returns:
        The summary, several lines, which also lies beside the set; last, where that is.

    Raises:
        InputError: if the folder holds no such set, no film of it can be used, or `out` cannot be written.
        ModelUnavailableError: if the weights that take out voices cannot be had.
        UsageError: if a list names a film that is not there, or no split is left for a film.
    """
    remover = _load_remover(settings) if settings.reference_music else None  # first: it fails soonest
    reader = LAYOUTS[settings.name]
    found: list[FoundFilm] = reader.find_films(settings.root)
    unknown = sorted(set(settings.listed) - {film.id for film in found})
    if unknown:
        raise UsageError(f"no film {unknown[0]} in {settings.root}; there are {', '.join(film.id for film in found)}")
    kept: list[_Kept] = []
    left_out: dict[str, str] = {}
    for number, film in enumerate(found, 1):
        try:
            kept.append(_take(film, reader, settings.tolerance))
            say(f"{number} of {len(found)}: {film.id}")
        except InputError as error:
            left_out[film.id] = str(error)
            say(f"{number} of {len(found)}: {film.id} is left out: {error}")
    if not kept:
        film_id, reason = next(iter(left_out.items()))
        raise InputError(f"{settings.root}: none of {len(found)} films can be used; the first, {film_id}: {reason}")
    given = {item.found.id: item.found.split for item in kept if item.found.split} | settings.listed
    splits = split_films([item.found.id for item in kept], settings.shares, settings.seed, given)
    films = [LabelledFilm(item.found.id, item.film.path, item.labels.rows, splits[item.found.id]) for item in kept]
    try:
        write_films(settings.out, films)
    except OSError as error:
        raise InputError(f"{settings.out}: cannot be written ({error.strerror}); give another place") from error
    notes = {item.found.id: list(item.notes) for item in kept if item.notes}
    if remover is not None:
        pairs = [(labelled, item.film) for labelled, item in zip(films, kept, strict=True)]
        silent = write_reference_music(settings.out / MUSIC_FOLDER, pairs, remover, say)
        for film_id, note in silent.items():
            notes.setdefault(film_id, []).append(note)
    summary = summarise(settings.name, films, left_out, notes)
    with replacing(settings.out / SUMMARY_FILE) as partial:
        partial.write_text(summary + "\n", encoding="utf-8")
    return f"{summary}\n{settings.out}"


def summarise(name: str, films: Sequence[LabelledFilm], left_out: dict[str, str], notes: dict[str, list[str]]) -> str:
    """What a prepared set holds, beside the paper's numbers: films, minutes of clips, labels, and who is missing why.

    Args:
        name: of the set.
        films: those that are in it, at least one.
        left_out: film -> the reason.
        notes: film -> what is odd about it.
    """
    clips = [stop - start for film in films for start, stop in film.clips()]
    known = np.concatenate([film.labels[film.known] for film in films])
    counts = ", ".join(f"{sum(film.split == split for film in films)} {split}" for split in SPLITS)
    lines = [
        f"{name}: {len(films)} films ({counts}), {len(left_out)} left out",
        f"clips: {len(clips)} of {CLIP_SECONDS} s, one every {HOP_SECONDS} s: {sum(clips) / 60:.1f} min of "
        f"{len(known) / 60:.1f} min labelled; the paper has {PAPER_MINUTES} min",
    ]
    for column, dimension in enumerate(("valence", "arousal")):
        values = known[:, column]
        lines.append(f"{dimension}: mean {values.mean():.2f}, from {values.min():.2f} to {values.max():.2f}")
    lines += [f"left out: {film}: {reason}" for film, reason in left_out.items()]
    lines += [f"note: {film}: {line}" for film, about in notes.items() for line in about]
    return "\n".join(lines)


def _load_remover(settings: FilmSetSettings) -> Separator:
    from narrascore.data.separation import Separator

    return Separator.from_pretrained(settings.separation, offline=settings.offline, device=settings.device)


def _take(found: FoundFilm, reader: ModuleType, tolerance: float) -> _Kept:
    """One film with its labels.

    Raises:
        InputError: why it is left out.
    """
    if found.fault is not None or found.film is None:
        raise InputError(found.fault or "no film")
    film = Film.open(found.film)
    labels: FilmLabels = reader.read_labels(found, frames_to_cover(film.duration_seconds, 1))
    lasts = float(film.duration_seconds)
    apart, allowed = abs(labels.stop_seconds - lasts), max(LEAST_TOLERANCE_SECONDS, tolerance * lasts)
    ends = f"labels end at {labels.stop_seconds:.1f} s, {film.path.name} at {lasts:.1f} s"
    if apart > allowed:
        raise InputError(
            f"{ends}, further apart than the {allowed:.1f} s of tolerance={tolerance:g}; is it the cut that was "
            "labelled? A larger tolerance takes it"
        )
    if not np.isfinite(labels.rows).all(axis=1).any():
        raise InputError(f"{ends}, but no second has both a valence and an arousal")
    notes = (*film.warnings, *labels.notes)
    return _Kept(found, film, labels, notes if apart <= 1 else (*notes, f"{ends}; what both cover counts"))
