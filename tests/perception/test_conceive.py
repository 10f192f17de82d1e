from __future__ import annotations

import numpy as np
import pytest

from narrascore.affect import AffectCurve
from narrascore.lexicon import FILLERS, INSTRUMENTS, PACES, STYLES, vocabulary
from narrascore.perception.cinematic import STATE_NAMES
from narrascore.perception.cinematic_probe import CinematicProbe
from narrascore.perception.conceive import (
    PALETTE_OF_STYLE,
    CinematicAnchorReader,
    Palette,
    choose_instruments,
    choose_style,
    conceive_anchor,
    conceive_from_curve,
    describe_picture,
)
from narrascore.perception.reading import FilmReading


def random_film(generator: np.random.Generator) -> FilmReading:
    """Twenty seconds of states that a real film could have."""
    states = {name: np.zeros(20) for name in STATE_NAMES}
    hue = generator.uniform(0, 2 * np.pi)
    saturation = generator.uniform(0, 0.5)
    motion = generator.choice([0.002, 0.01, 0.03, 0.1, 0.25, 0.4])
    every_seconds = generator.choice([1, 2, 5, 10, 100])
    states["brightness"] += generator.uniform(0.05, 0.75)
    states["saturation"] += saturation
    states["hue_cos"] += 0.7 * saturation * np.cos(hue)
    states["hue_sin"] += 0.7 * saturation * np.sin(hue)
    states["motion"] += motion
    states["cuts"][::every_seconds] = 1
    states["first_cut_seconds"][::every_seconds] = states["last_cut_seconds"][::every_seconds] = 0.25
    states["contrast_change"] += motion + 0.2 / every_seconds
    return FilmReading(np.stack([states[name] for name in STATE_NAMES], axis=1).astype(np.float32), "cinematic")


def test_every_style_is_reached_by_films_that_could_exist_and_every_word_is_known() -> None:
    generator = np.random.default_rng(0)
    known = set(vocabulary()) | FILLERS
    seen = set()
    for _ in range(500):
        reading = random_film(generator)
        anchor = conceive_anchor(reading, CinematicProbe()(reading.states))
        seen.add(anchor.notes["style"])
        assert set(anchor.sentence.replace(",", "").split()) <= known
        assert anchor.pace in PACES
        assert set(anchor.instruments.replace(" and ", ", ").split(", ")) <= set(INSTRUMENTS)
    assert seen == set(STYLES)


def test_every_style_has_a_palette_and_wins_at_its_own_place() -> None:
    assert set(PALETTE_OF_STYLE) == set(STYLES)
    for name, style in STYLES.items():
        assert choose_style(*style.affect, Palette()) == name


def test_the_palette_decides_between_neighbours() -> None:
    between = (-0.3, -0.2)  # as far from drama as from noir
    assert choose_style(*between, Palette(dark=0.9, colourful=-0.9)) == "noir"
    assert choose_style(*between, Palette(dark=-0.2, colourful=0.5, warm=0.9)) == "drama"


def test_the_anchor_has_the_four_fields_and_is_the_same_each_time() -> None:
    reading = random_film(np.random.default_rng(5))
    curve = AffectCurve(np.full((20, 2), (-0.4, 0.5), np.float32))
    anchor = conceive_anchor(reading, curve)
    assert anchor == conceive_anchor(reading, curve)
    assert anchor.reader == "cinematic"
    assert anchor.mood == "tense and restless"
    assert anchor.pace == "fast driving pace"
    assert anchor.sentence == f"{anchor.genre}, with {anchor.instruments}, {anchor.mood}, {anchor.pace}"


def test_instruments_follow_the_affect() -> None:
    drama = STYLES["drama"]
    assert choose_instruments(drama, -0.5, 0.6) == ["oboe", "tremolo strings", "low strings", "orchestral percussion"]
    assert choose_instruments(drama, -0.5, -0.6) == ["oboe", "french horn", "slow strings", "low strings"]
    assert choose_instruments(drama, 0.6, -0.6) == ["oboe", "french horn", "harp", "low strings"]


def test_another_eyes_reading_is_refused() -> None:
    with pytest.raises(ValueError, match="cinematic eye"):
        conceive_anchor(FilmReading(np.zeros((2, 4), np.float32), "vlm"), AffectCurve(np.zeros((2, 2), np.float32)))


def test_the_curve_alone_gives_the_words_of_a_film_that_looks_like_nothing_in_particular() -> None:
    for name, style in STYLES.items():
        anchor = conceive_from_curve(AffectCurve(np.array([style.affect], np.float32)))
        assert (anchor.genre, anchor.notes["style"], anchor.reader) == (style.phrase, name, "curve")


def test_a_plain_caption_says_how_the_film_looks_and_nothing_of_music() -> None:
    def film(**state: float) -> FilmReading:
        typical = {"brightness": 0.36, "saturation": 0.14, "motion": 0.05, "cuts": 0.2}
        row = [{**typical, **state}.get(name, 0.0) for name in STATE_NAMES]
        return FilmReading(np.array([row] * 4, np.float32), "cinematic")

    assert describe_picture(film()) == "A plain picture in shots of middling length with some movement."
    assert describe_picture(film(brightness=0.1, saturation=0.02, hue_cos=-0.1, motion=0.01, cuts=0.02)) == (
        "A dark, muted, cold-toned picture in long shots with hardly any movement."
    )
    assert describe_picture(film(brightness=0.7, saturation=0.4, hue_cos=0.3, motion=0.3, cuts=1.0)) == (
        "A bright, colourful, warm-toned picture in short shots with a lot of movement."
    )
    heard = {word for phrase in [*INSTRUMENTS, *PACES, *STYLES] for word in phrase.split()}
    generator = np.random.default_rng(1)
    for _ in range(50):
        reading = random_film(generator)
        anchor = CinematicAnchorReader("plain")(reading, CinematicProbe()(reading.states))
        assert anchor.caption == describe_picture(reading)
        assert not set(anchor.caption.lower().strip(".").replace(",", "").split()) & (heard - FILLERS - {"and"})
