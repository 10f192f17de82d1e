"""The eye that begins before it is asked."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from narrascore.errors import InputError
from narrascore.media.film import Film
from narrascore.perception.cinematic import CinematicEye
from narrascore.perception.reading import FilmReading
from narrascore.reading_ahead import EyeAhead
from tests.films import write_clip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads in which films are watched, one after the other."""
    threads: list[threading.Thread] = []
    read = CinematicEye.read

    def noted(eye: CinematicEye, film: Film, progress: object = None) -> FilmReading:
        threads.append(threading.current_thread())
        return read(eye, film, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(CinematicEye, "read", noted)
    return threads


def test_a_film_begun_is_read_once_and_as_the_eye_reads_it(tmp_path: Path, asked: list[threading.Thread]) -> None:
    path = write_clip(tmp_path / "a.mp4", 3.0, sound=False)
    begun, film = Film.open(path), Film.open(path)
    begun.warn("an oddity")
    eye = EyeAhead(lambda: begun)
    shares: list[float] = []
    reading = eye.read(film, shares.append)
    assert [thread is threading.main_thread() for thread in asked] == [False]
    assert np.array_equal(reading.states, CinematicEye().read(Film.open(path)).states)
    assert shares[-1] == 1.0
    assert "an oddity" in film.warnings
    assert eye.describe() == CinematicEye().describe()


def test_another_film_is_read_by_itself(tmp_path: Path, asked: list[threading.Thread]) -> None:
    first, second = (
        write_clip(tmp_path / name, seconds, sound=False) for name, seconds in (("a.mp4", 2), ("b.mp4", 3))
    )
    eye = EyeAhead(lambda: Film.open(first))
    assert len(eye.read(Film.open(second))) == 3
    assert threading.main_thread() in asked


def test_nothing_to_read_and_what_cannot_be_read_are_left_to_who_asks(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 2.0, sound=False)

    def fails() -> Film:
        raise InputError("not a film")

    for find in (lambda: None, fails):
        assert len(EyeAhead(find).read(Film.open(path))) == 2


def test_a_closed_eye_stops_and_the_film_can_still_be_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 2.0, sound=False)
    go = threading.Event()

    def find() -> Film:
        go.wait()
        return Film.open(path)

    eye = EyeAhead(find)
    eye.close()
    go.set()
    eye._thread.join(30)
    assert not eye._thread.is_alive()
    assert eye._reading is None
    assert len(eye.read(Film.open(path))) == 2
