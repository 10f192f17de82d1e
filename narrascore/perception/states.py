"""Frozen states, computed once per film and kept: what the probe is trained on (paper 3.3).

    folder/
      <key>/    reading.safetensors, reading.json: one film as one eye reads it

The key is a witness of the film's bytes and of all that the eye says about itself, so another film, primer, budget or
revision of the weights is read anew, the rest is taken from the disk, and a stopped run goes on with the next film.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from narrascore.data.films import LabelledFilm
from narrascore.errors import InputError
from narrascore.files import digest
from narrascore.media.film import Film
from narrascore.perception.reading import FilmReading
from narrascore.windows import overlap_add

Progress = Callable[[str, float], None]
"""(the film's id, films read in all films: from 0 to 1)."""


class Eye(Protocol):
    """What looks at the picture, and says what its states depend on."""

    name: str

    def read(self, film: Film, progress: Callable[[float], None] | None = None) -> FilmReading:
        """States second by second."""

    def describe(self) -> dict[str, object]:
        """Everything that its states depend on, as JSON holds it."""


@dataclass(frozen=True, eq=False)
class ReadFilm:
    """A labelled film and its states.

    Attributes:
        film: its labels cut, or filled up with NaN, to the seconds of the reading.
        reading: states `[R, D]`, window after window.
    """

    film: LabelledFilm
    reading: FilmReading

    @property
    def row_labels(self) -> NDArray[np.float32]:
        """`[R, 2]`: the label of each row of each window."""
        return np.concatenate([self.film.labels[start:stop] for start, stop in self.reading.windows])

    def clips(self) -> list[tuple[int, int]]:
        """Rows (start, stop) of its training clips: 30 s every 15 s of the labelled part of each window.

        A window of 30 s is one clip; one that spans the film, or a stretch of it, has its clips cut out of it.
        """
        clips, row = [], 0
        for start, stop in self.reading.windows:
            part = replace(self.film, labels=self.film.labels[start:stop])
            clips += [(row + first, row + last) for first, last in part.clips()]
            row += stop - start
        return clips

    def cross_fade(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values read off each row, `[R, C]`, as one sequence over the film, `[F, C]` (paper 3.6)."""
        pieces, row = [], 0
        for start, stop in self.reading.windows:
            pieces.append((start, rows[row : row + stop - start]))
            row += stop - start
        return overlap_add(pieces, len(self.reading))


def read_states(
    films: list[LabelledFilm], eye: Eye, folder: str | Path, progress: Progress | None = None
) -> list[ReadFilm]:
    """The films as an eye reads them, from the folder where they are there, else read and put there.

    Args:
        films: labelled.
        eye: frozen.
        folder: of kept states, made if need be; many eyes and sets can share one.
        progress: told as reading goes on.

    Raises:
        InputError: if a film cannot be opened.
    """
    made = []
    for index, film in enumerate(films):

        def told(share: float, index: int = index, name: str = film.id) -> None:
            if progress is not None:
                progress(name, (index + share) / len(films))

        reading = read_film(film.path, eye, folder, told)
        told(1.0)
        labels = np.full((len(reading), 2), np.nan, dtype=np.float32)
        shared = min(len(reading), len(film.labels))
        labels[:shared] = film.labels[:shared]
        made.append(ReadFilm(replace(film, labels=labels), reading))
    return made


def read_film(path: Path, eye: Eye, folder: str | Path, progress: Callable[[float], None] | None = None) -> FilmReading:
    """One film's states, without its keyframes; kept in the folder.

    Raises:
        InputError: if the film cannot be opened.
    """
    film = Film.open(path)
    place = Path(folder) / digest([film.key, eye.describe()])[:32]
    if place.is_dir():
        try:
            return FilmReading.load(place)
        except InputError:
            shutil.rmtree(place)  # what cannot be read is read anew
    reading = replace(eye.read(film, progress), keyframes=[])
    Path(folder).mkdir(parents=True, exist_ok=True)
    # Whole or not there, also where two runs read the same film at once.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".reading-") as fresh:
        reading.save(Path(fresh) / "whole")
        if not place.exists():
            (Path(fresh) / "whole").replace(place)
    return reading
