"""Spotting: the right stretches of a made film, the best layout there is, and edges where cuts and pauses are."""

from __future__ import annotations

import itertools
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from narrascore import AffectCurve
from narrascore.cues import Cue, check_cues, gaps_between, whole_film
from narrascore.media.film import Film
from narrascore.media.hearing import FilmSound, hear_film
from narrascore.perception.cinematic import CinematicEye
from narrascore.perception.cinematic_probe import CinematicProbe
from narrascore.spotting import ENDING_WORTH, _best_layout, propose_cues, spot_film
from tests.media.films import Image, Sound, Track, make_film
from tests.media.speech import speech

CALM, FLASHY, SECONDS = 30.0, 28.0, 90.0
RATE_HZ = 8


def draw(index: int) -> Image:
    """A still room, but for half a minute of shots of half a second."""
    seconds = index / RATE_HZ
    shot = int(2 * seconds) if CALM <= seconds < CALM + FLASHY else -1
    return (
        np.random.default_rng(shot + 1)
        .integers(60, 200, (6, 8, 3))
        .repeat(8, axis=0)
        .repeat(8, axis=1)
        .astype(np.uint8)
    )


def sound() -> Sound:
    """People talk in the still room; the shots have an even rumble."""
    own = speech(SECONDS)
    noise = np.random.default_rng(1).standard_normal(round(FLASHY * 48_000)).astype(np.float32)
    own[:, round(CALM * 48_000) : round((CALM + FLASHY) * 48_000)] = 0.05 * noise
    return own


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    return Film.open(make_film(path, SECONDS, RATE_HZ, audio=Track(sound(), codec="flac"), draw=draw))


def test_music_goes_to_the_chase_and_not_to_the_talk(film: Film) -> None:
    reading = CinematicEye().read(film)
    curve = CinematicProbe()(reading.states)
    told: list[float] = []
    (cue,) = spot_film(film, reading, curve, progress=told.append)
    assert abs(cue.in_seconds - CALM) <= 1 and abs(cue.out_seconds - CALM - FLASHY) <= 1
    assert float(2 * cue.in_seconds).is_integer()  # one of the cuts, which come every half second
    assert told == sorted(told) and told[-1] == 1

    # Deaf to the talk, music would begin as soon as something moves, and stay until nothing does.
    (deaf,) = spot_film(film, reading, curve, track=None)
    assert deaf.in_seconds < cue.in_seconds and cue.out_seconds < deaf.out_seconds


def test_speech_and_pauses_are_heard(film: Film) -> None:
    heard = hear_film(film)
    talk = heard.speech()
    assert len(talk) == SECONDS and talk[5:25].mean() > 0.8 and talk[33:55].mean() < 0.2 and talk[62:88].mean() > 0.8
    pauses = heard.pauses()
    assert len(pauses) > 5 and all(0.3 <= stop - start < 1 for start, stop in pauses)
    assert not [pause for pause in pauses if CALM < pause[0] < CALM + FLASHY - 1]  # none in the rumble
    silence = FilmSound(np.zeros(500, np.float32), -np.inf)
    assert silence.pauses() == [(0, 10)] and not silence.speech().any() and len(silence.speech()) == 10


def step_curve(total: int, *strong: tuple[int, int]) -> AffectCurve:
    """Neutral, but for stretches of high arousal."""
    values = np.zeros((total, 2), dtype=np.float32)
    for start, stop in strong:
        values[start:stop, 1] = 0.8
    return AffectCurve(values)


def talk_of(total: int, *spoken: tuple[int, int]) -> FilmSound:
    """Bursts of a fifth of a second four times a second, with a pause a second long after every ten."""
    powers = np.full(50 * total, 1e-12, dtype=np.float32)
    for step in range(50 * total):
        if any(start <= step / 50 < stop for start, stop in spoken) and step % 12 < 7 and step % 500 < 450:
            powers[step] = 0.01
    return FilmSound(powers, -20.0)


def test_beginnings_and_ends_go_to_cuts_and_pauses() -> None:
    curve, talk = step_curve(120, (43, 78)), talk_of(120, (0, 120))  # pauses in the last second of every ten
    (spoken,) = propose_cues(curve, 120, sound=talk)
    (cut,) = propose_cues(curve, 120, cuts=[42.3, 76.9], sound=talk)
    assert (spoken.in_seconds, spoken.out_seconds) == (43, 77)  # no pause is near enough
    assert (cut.in_seconds, cut.out_seconds) == (Fraction("42.3"), Fraction("76.9"))
    (paused,) = propose_cues(step_curve(120, (41, 78)), 120, sound=talk)
    assert (paused.in_seconds, paused.out_seconds) == (40, 77)


def test_calm_talk_has_none_and_strong_talk_has_music() -> None:
    (cue,) = propose_cues(step_curve(100, (30, 70)), 100, sound=talk_of(100, (0, 100)))
    assert 20 <= cue.in_seconds <= 31 and 69 <= cue.out_seconds <= 80


def test_the_end_of_the_film_has_an_ending() -> None:
    *_, last = propose_cues(step_curve(100, (75, 97)), Fraction("99.5"), sound=talk_of(100, (0, 75)))
    assert last.out_seconds == Fraction("99.5") and last.fade_out_seconds == 3


def test_a_film_gets_music_however_calm_it_is() -> None:
    assert propose_cues(step_curve(60), 60, sound=talk_of(60, (0, 60)))
    assert propose_cues(step_curve(9), Fraction("8.5")) == whole_film(Fraction("8.5"))


lengths = st.integers(1, 300)


@settings(max_examples=50, deadline=None)
@given(lengths, st.integers(0, 2**32 - 1))
def test_whatever_the_film_cues_and_gaps_are_long_enough(total: int, seed: int) -> None:
    noise = np.random.default_rng(seed)
    values = np.clip(np.cumsum(noise.normal(0, 0.2, (total, 2)), axis=0), -1, 1)
    duration = total - Fraction(int(noise.integers(0, 99)), 100)
    cuts = np.sort(noise.uniform(0, total, total // 4)).tolist()
    powers = np.where(noise.random(50 * total) < 0.3, 0.01, 1e-9).astype(np.float32)
    cues = propose_cues(AffectCurve(values.astype(np.float32)), duration, cuts=cuts, sound=FilmSound(powers, -20.0))
    assert check_cues(cues, duration) == cues
    if total >= 12:
        assert all(cue.out_seconds - cue.in_seconds >= 10 for cue in cues)
        assert all(stop - start >= 6 for start, stop in gaps_between(cues, duration))


@settings(max_examples=30, deadline=None)
@given(st.integers(12, 44), st.integers(0, 2**32 - 1))
def test_no_layout_is_better(total: int, seed: int) -> None:
    noise = np.random.default_rng(seed)
    gains, edges = noise.normal(0, 0.6, total), -noise.uniform(0, 1.5, total + 1)

    def layouts(start: int) -> list[list[tuple[int, int]]]:
        """All that go on with a gap or a cue from a second on which a gap may end."""
        found: list[list[tuple[int, int]]] = [[]]
        for begins in [0] * (start == 0) + list(range(start + 8, total - 11)):
            for ends in range(begins + 12, total + 1):
                rest = layouts(ends) if ends + 8 <= total else [[]] if ends == total else []
                found += [[(begins, ends), *more] for more in rest]
        return found

    def worth(layout: list[tuple[int, int]]) -> float:
        inside = [edge for edge in itertools.chain.from_iterable(layout) if 0 < edge < total]
        ending = ENDING_WORTH if layout and layout[-1][1] == total else 0.0
        return float(sum(gains[a:b].sum() for a, b in layout) + edges[inside].sum() + ending)

    assert worth(_best_layout(gains, edges)) == pytest.approx(max(map(worth, layouts(0))))


def test_two_hours_take_little_memory() -> None:
    noise: NDArray[np.float64] = np.random.default_rng(0).normal(0, 0.1, (7200, 2))
    curve = AffectCurve(np.clip(np.cumsum(noise, axis=0), -1, 1).astype(np.float32))
    talk = FilmSound(np.random.default_rng(1).random(360_000, np.float32) ** 8, -12.0)
    cuts = np.arange(0, 7200, 2.5).tolist()
    tracemalloc.start()
    cues = propose_cues(curve, 7200, cuts=cuts, sound=talk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(cues) > 3 and isinstance(cues[0], Cue)
    assert peak < 48 * 2**20
