"""The palette: named instruments first, then the style's; the key from the sentence alone."""

from __future__ import annotations

import pytest

from narrascore.anchor import MusicalAnchor
from narrascore.lexicon import INSTRUMENTS, MOODS, STYLES
from narrascore.sentences import LocalSentence
from narrascore.synthesis.palette import ROLES, Palette, PaletteTurns, palette_for, palettes_for


def of(sentence: str) -> Palette:
    return palette_for(MusicalAnchor(prompt=sentence))


@pytest.mark.parametrize("name", STYLES)
def test_a_style_phrase_gives_the_style(name: str) -> None:
    palette = of(STYLES[name].phrase)
    assert palette.style == name and palette.instruments == STYLES[name].palette


@pytest.mark.parametrize("mood", MOODS)
def test_a_mood_alone_gives_the_nearest_style(mood: str) -> None:
    at = MOODS[mood]
    nearest = min(STYLES.values(), key=lambda style: (style.affect[0] - at[0]) ** 2 + (style.affect[1] - at[1]) ** 2)
    if not any(mood in style.phrase for style in STYLES.values()):
        assert STYLES[of(mood).style] == nearest


def test_named_instruments_take_the_places_the_style_gives_them() -> None:
    palette = of("orchestral drama score, with strings, oboe and low strings, tense and dark, fast driving pace")
    assert palette.instruments == STYLES["drama"].palette


def test_named_instruments_take_free_roles_the_choosiest_first() -> None:
    palette = of("orchestral drama score, with piano, violin and cello")
    assert palette.instruments["melody"] == "violin"
    assert palette.instruments["counter"] == "cello"
    assert palette.instruments["inner"] == "piano"
    assert palette.instruments["bass"] == STYLES["drama"].palette["bass"]


def test_the_longest_name_wins() -> None:
    assert of("epic orchestral score with low strings").instruments["bass"] == "low strings"
    palette = of("epic orchestral score with rock drums and tremolo strings")
    assert palette.instruments["percussion"] == "rock drums" and palette.instruments["counter"] == "tremolo strings"


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_instrument_asked_for_is_heard(name: str) -> None:
    assert name in of(f"peaceful music with {name}").instruments.values()


def test_every_role_is_filled_whatever_is_said() -> None:
    palette = of("zzz")
    assert set(palette.instruments) == set(ROLES)


def test_the_key_depends_on_the_sentence_and_on_nothing_else() -> None:
    keys = [of(f"sad piano number {i}").key_semitones for i in range(200)]
    assert set(keys) == set(range(-5, 7))
    assert keys == [of(f"sad piano number {i}").key_semitones for i in range(200)]


def test_describe_names_all() -> None:
    described = of("jazz noir score").describe()
    assert described["programs"] == {"melody": 66, "counter": 11, "inner": 4, "bass": 32, "percussion": 40}
    assert set(described) == {"style", "key_semitones", "instruments", "programs"}


def test_a_wrong_palette_is_refused() -> None:
    with pytest.raises(ValueError, match="percussion"):
        Palette({**STYLES["drama"].palette, "percussion": "violin"})
    with pytest.raises(ValueError, match="melody"):
        Palette({**STYLES["drama"].palette, "melody": "kazoo"})
    with pytest.raises(ValueError, match="key_semitones"):
        Palette(STYLES["drama"].palette, 7)


def test_a_local_sentence_has_instruments_of_its_own_in_the_film_s_key() -> None:
    anchor = MusicalAnchor(prompt="drama score", local=(LocalSentence(2.0, 3.5, "jazz noir score, with flute"),))
    turns, film, other = palettes_for(anchor, 25.0), of("drama score"), of("jazz noir score, with flute")
    assert isinstance(turns, PaletteTurns) and film.key_semitones != other.key_semitones
    assert [turns.at(frame) for frame in (0, 49, 88, 10_000)] == [film] * 4  # 3.5 s are frame 87.5, to the even one
    assert [turns.at(frame).instruments for frame in (50, 87)] == [other.instruments] * 2
    assert turns.at(50).key_semitones == film.key_semitones
    assert palettes_for(MusicalAnchor(prompt="drama score"), 25.0) == film
