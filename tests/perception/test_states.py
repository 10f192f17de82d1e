"""States are read once per film and eye; each row of each window has the label of its second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from narrascore.data.films import LabelledFilm
from narrascore.data.made_films import make_films
from narrascore.media.film import Film
from narrascore.perception.cinematic import CinematicEye
from narrascore.perception.reading import FilmReading
from narrascore.perception.states import ReadFilm, read_states


class CountingEye(CinematicEye):
    """The embedded eye, which also notes what it has read, under a primer of its own."""

    def __init__(self, primer: str = "") -> None:
        self.primer, self.seen = primer, []

    def read(self, film: Film, progress=None) -> FilmReading:
        self.seen.append(film.path.name)
        return super().read(film, progress)

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "primer": self.primer}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledFilm]:
    return make_films(tmp_path_factory.mktemp("films"), 3, 3)


def test_what_was_read_is_kept_and_a_changed_key_reads_only_what_changed(
    films: list[LabelledFilm], tmp_path: Path
) -> None:
    eye, shares = CountingEye(), []
    first = read_states(films, eye, tmp_path, lambda name, share: shares.append((name, share)))
    assert len(eye.seen) == 3
    assert shares[-1] == (films[-1].id, 1.0) and [share for _, share in shares] == sorted(s for _, s in shares)
    again = read_states(films, eye, tmp_path)
    assert len(eye.seen) == 3
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.reading.states, two.reading.states)

    other = CountingEye("Feel.")
    read_states(films[:2], other, tmp_path)
    assert len(other.seen) == 2, "another primer reads anew"
    read_states(films, eye, tmp_path)
    assert len(eye.seen) == 3, "and leaves the first one's states alone"

    moved = tmp_path / "moved.mp4"
    moved.write_bytes(films[1].path.read_bytes())
    read_states([LabelledFilm("m", moved, films[1].labels, "train")], eye, tmp_path)
    assert len(eye.seen) == 3, "a film is its bytes, not its name"
    moved.write_bytes(films[1].path.read_bytes() + b"\0")
    read_states([LabelledFilm("m", moved, films[1].labels, "train")], eye, tmp_path)
    assert len(eye.seen) == 4


def test_a_stopped_run_goes_on_with_the_next_film_and_a_broken_reading_is_read_again(
    films: list[LabelledFilm], tmp_path: Path
) -> None:
    eye = CountingEye()

    def stop(name: str, share: float) -> None:
        if name == films[1].id:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_states(films, eye, tmp_path, stop)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [], "nothing half-made is left"
    read_states(films, eye, tmp_path)
    assert eye.seen.count(films[0].path.name) == 1
    next(tmp_path.glob("*/reading.json")).write_text("{")
    before = len(eye.seen)
    read_states(films, eye, tmp_path)
    assert len(eye.seen) == before + 1


def test_each_row_of_each_window_has_its_seconds_label_and_windows_fade_to_one_curve() -> None:
    labels = np.linspace(-1, 1, 20, dtype=np.float32).reshape(10, 2)
    labels[8:] = np.nan
    states = np.arange(14, dtype=np.float32)[:, None]
    read = ReadFilm(
        LabelledFilm("a", Path("a"), labels, "train"), FilmReading(states, "vlm", windows=((0, 8), (4, 10)))
    )
    np.testing.assert_array_equal(read.row_labels, np.concatenate([labels[0:8], labels[4:10]]))
    assert read.clips() == [(0, 8), (8, 12)]
    np.testing.assert_array_equal(read.cross_fade(read.row_labels)[:8], labels[:8])
    labels[4:] = np.nan
    unlabelled = ReadFilm(LabelledFilm("a", Path("a"), labels, "train"), read.reading)
    assert unlabelled.clips() == [(0, 4)], "what has no label is in no clip"
    long = ReadFilm(
        LabelledFilm("b", Path("b"), np.zeros((100, 2), np.float32), "train"),
        FilmReading(np.zeros((100, 1), np.float32), "vlm", windows=((0, 70), (70, 100))),
    )
    assert long.clips() == [(0, 30), (15, 45), (30, 60), (40, 70), (70, 100)], "no clip runs over a window's end"


def test_labels_and_film_may_differ_in_length(films: list[LabelledFilm], tmp_path: Path) -> None:
    long = LabelledFilm("long", films[0].path, np.zeros((9, 2), np.float32), "train")
    short = LabelledFilm("short", films[0].path, np.zeros((2, 2), np.float32), "train")
    reads = read_states([long, short], CinematicEye(), tmp_path)
    assert [read.clips() for read in reads] == [[(0, 3)], [(0, 2)]]
    assert all(len(read.film.labels) == len(read.reading) == 3 for read in reads)
