"""The exact rate of a film's pictures, in containers that round their times, and none where the rate is variable."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from narrascore.media.film import Film
from narrascore.media.frame_rate import FrameGrid
from tests.media.films import make_film

RATES = [Fraction(24_000, 1001), Fraction(24), Fraction(25), Fraction(30_000, 1001), Fraction(60_000, 1001)]
MILLISECOND = Fraction(1, 1000)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_an_even_rate_is_found_exactly(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    film = Film.open(make_film(tmp_path / f"film.{suffix}", 2, rate))
    assert film.frame_rate == rate
    assert round(film.duration_seconds * rate) == film.packets


def test_one_that_starts_late_keeps_its_rate(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "film.ts", 1, Fraction(24_000, 1001), start_seconds=1.4))
    assert film.frame_rate == Fraction(24_000, 1001) and film.start_seconds > 1


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_rate_is_none(tmp_path: Path, suffix: str) -> None:
    film = Film.open(make_film(tmp_path / f"film.{suffix}", times=[0, 0.04, 0.13, 0.5, 0.533, 0.9, 1.01]))
    assert film.frame_rate is None


def test_a_still_has_none(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.png", 0.04, codec="png", format="image2", container_options={"update": "1"})
    assert Film.open(film).frame_rate is None


def rate_of(moments: list[float], stated: list[Fraction | None], rounded_to: Fraction = MILLISECOND) -> Fraction | None:
    """What times in seconds, the last of which is the end, come to on a clock of that step."""
    grid, ticks = FrameGrid(stated, rounded_to), [round(moment / float(rounded_to)) for moment in moments]
    for tick in ticks[:-1]:
        grid.see(tick)
    return grid.rate(ticks[-1])


def test_times_decide_between_the_rates_that_are_stated() -> None:
    ntsc = Fraction(24_000, 1001)
    hour = [i / float(ntsc) for i in range(0, 86_000)]
    assert rate_of(hour, [Fraction(24), Fraction(23_976, 1000)]) == ntsc
    assert rate_of(hour, [Fraction(24), None]) is None
    assert rate_of(hour[:9], [Fraction(50), Fraction(0), Fraction(2997, 125)]) == ntsc


def test_a_rate_just_beside_a_usual_one_is_kept_where_the_times_say_so() -> None:
    odd = Fraction(2997, 125)  # 23.976, and not 24000/1001
    assert rate_of([i / float(odd) for i in range(500_000)], [odd]) == odd


def test_pictures_held_longer_stand_on_the_grid_all_the_same() -> None:
    assert rate_of([0, 0.04, 0.16, 0.2, 0.32, 0.36], [Fraction(25)]) == 25
    assert rate_of([0, 0.04, 0.15, 0.2, 0.32, 0.36], [Fraction(25)]) is None
    assert rate_of([0, 0.04, 0.16, 0.2, 0.32, 0.35], [Fraction(25)]) is None  # an end between two frames


def test_the_order_of_the_file_does_not_matter() -> None:
    assert rate_of([0.12, 0, 0.08, 0.04, 0.16], [Fraction(25)]) == 25


def test_a_clock_is_no_rate() -> None:
    assert rate_of([0, 0.013, 0.4, 0.407], [Fraction(1000), Fraction(90_000)]) is None
