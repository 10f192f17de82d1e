"""Music under the film's sound: the level rule, and full scale never reached."""

from pathlib import Path

import numpy as np
import pytest

from narrascore.errors import InputError
from narrascore.media.audio import measure_loudness, read_audio, write_wav
from narrascore.media.film import Film
from narrascore.media.mix import ALONE_LUFS, MAX_TRUE_PEAK_DBTP, QUIETEST_MUSIC_LUFS, Mix, mix_film
from tests.media.films import Sound, Track, make_film, tone


def music(folder: Path, sound: Sound) -> Path:
    return write_wav(folder / "music.wav", [sound], 48_000, len(sound))


def film_with(folder: Path, sound: Sound | None, layout: str = "stereo", seconds: float = 2) -> Film:
    audio = None if sound is None else Track(sound, codec="flac", layout=layout)
    return Film.open(make_film(folder / "film.mkv", seconds=seconds, audio=audio))


def whole(mix: Mix) -> Sound:
    return np.concatenate(list(mix.blocks()), axis=1)


def level(mix: Mix, name: str) -> float:
    value = mix.levels[name]
    assert isinstance(value, float)
    return value


def loudness_of(sound: Sound) -> float:
    return measure_loudness([sound], 48_000, "stereo").lufs


def test_music_goes_six_lu_below_the_films_sound(tmp_path: Path) -> None:
    own, score = tone(2, hz=300, level=0.1), tone(2, hz=1700, level=0.4)
    film = film_with(tmp_path, own)
    mix = mix_film(film, music(tmp_path, score))
    mixed = whole(mix)
    assert mixed.shape == (2, 96_000) and mix.samples == 96_000
    only_music = mixed - own
    assert loudness_of(only_music) == pytest.approx(loudness_of(own) - 6, abs=0.15)
    assert mix.levels["film_gain_db"] == 0  # the film's sound keeps its level


def test_music_alone_has_its_own_level(tmp_path: Path) -> None:
    replaced = mix_film(film_with(tmp_path, None), music(tmp_path, tone(2, level=0.02)), "replace")
    assert loudness_of(whole(replaced)) == pytest.approx(ALONE_LUFS, abs=0.15)
    silent = mix_film(film_with(tmp_path, np.zeros((2, 96_000), np.float32)), tmp_path / "music.wav", "mix")
    assert loudness_of(whole(silent)) == pytest.approx(ALONE_LUFS, abs=0.15)
    assert silent.levels["film_lufs"] is None
    whisper = mix_film(film_with(tmp_path, tone(2, level=0.006)), tmp_path / "music.wav", "mix")
    assert level(whisper, "music_lufs") + level(whisper, "music_gain_db") == pytest.approx(QUIETEST_MUSIC_LUFS, abs=0.1)


@pytest.mark.parametrize("mode", ["mix", "replace"])
def test_full_scale_is_never_reached(tmp_path: Path, mode: str) -> None:
    noise = np.random.default_rng(0)
    loud = np.clip(noise.normal(size=(2, 96_000)), -1, 1).astype(np.float32)
    spiky = np.zeros((2, 96_000), np.float32)
    spiky[:, ::4800] = 0.9
    mix = mix_film(film_with(tmp_path, loud), music(tmp_path, spiky), mode)  # type: ignore[arg-type]
    measured = measure_loudness(mix.blocks(), 48_000, mix.layout)
    assert measured.true_peak_dbtp <= MAX_TRUE_PEAK_DBTP
    assert np.abs(whole(mix)).max() < 1


def test_surround_stays_surround_with_music_in_front(tmp_path: Path) -> None:
    own = tone(2, hz=300, level=0.05, channels=6)
    film = film_with(tmp_path, own, "5.1")
    mix = mix_film(film, music(tmp_path, tone(2, hz=1700)))
    assert (mix.layout, mix.channels) == ("5.1", 6)
    added = whole(mix) - own
    assert np.abs(added[:2]).max() > 0.01
    assert np.abs(added[2:]).max() < 1e-3


def test_mono_sound_becomes_stereo_at_equal_loudness(tmp_path: Path) -> None:
    own = tone(2, level=0.1, channels=1)
    mix = mix_film(film_with(tmp_path, own, "mono"), music(tmp_path, np.zeros((1, 10), np.float32)))
    mixed = whole(mix)
    assert mixed.shape[0] == 2 and np.array_equal(mixed[0], mixed[1])
    assert loudness_of(mixed) == pytest.approx(measure_loudness([own], 48_000, "mono").lufs, abs=0.1)


def test_music_of_another_length_ends_with_the_film(tmp_path: Path) -> None:
    film = film_with(tmp_path, None)
    for seconds in (0.5, 5):
        assert whole(mix_film(film, music(tmp_path, tone(seconds)), "replace")).shape == (2, 96_000)


def test_silent_music_is_left_silent(tmp_path: Path) -> None:
    mix = mix_film(film_with(tmp_path, None), music(tmp_path, np.zeros((2, 96_000), np.float32)), "replace")
    assert not whole(mix).any() and mix.levels["mix_lufs"] is None


def test_mixing_needs_a_sound_track(tmp_path: Path) -> None:
    film = film_with(tmp_path, None)
    with pytest.raises(InputError, match="no sound track"):
        mix_film(film, music(tmp_path, tone(1)))
    with pytest.raises(ValueError, match="mode"):
        mix_film(film, tmp_path / "music.wav", "duck")  # type: ignore[arg-type]


def test_a_mix_can_be_read_twice(tmp_path: Path) -> None:
    film = film_with(tmp_path, tone(2))
    mix = mix_film(film, music(tmp_path, tone(2, hz=900)))
    assert np.array_equal(whole(mix), whole(mix))
    assert sum(block.shape[1] for block in read_audio(film)) == mix.samples
