"""Music under the film's sound: the level rule, loudness to a target, and full scale never reached."""

from pathlib import Path

import numpy as np
import pytest

from narrascore.errors import InputError
from narrascore.media.audio import measure_loudness, read_audio, write_wav
from narrascore.media.film import Film
from narrascore.media.mix import ALONE_LUFS, QUIETEST_MUSIC_LUFS, Mix, Mode, mix_film
from narrascore.media.mix_settings import MixSettings
from tests.media.films import Sound, Track, make_film, tone
from tests.media.speech import chords, speech


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
    mix = mix_film(film, music(tmp_path, score), "mix")
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


@pytest.mark.parametrize("mode", ["duck", "mix", "replace"])
def test_full_scale_is_never_reached(tmp_path: Path, mode: Mode) -> None:
    noise = np.random.default_rng(0)
    loud = np.clip(noise.normal(size=(2, 96_000)), -1, 1).astype(np.float32)
    spiky = np.zeros((2, 96_000), np.float32)
    spiky[:, ::4800] = 0.9
    mix = mix_film(film_with(tmp_path, loud), music(tmp_path, spiky), mode)
    measured = measure_loudness(mix.blocks(), 48_000, mix.layout)
    assert measured.true_peak_dbtp <= -1
    assert np.abs(whole(mix)).max() < 1


def test_surround_stays_surround_with_music_in_front(tmp_path: Path) -> None:
    own = tone(2, hz=300, level=0.05, channels=6)
    film = film_with(tmp_path, own, "5.1")
    mix = mix_film(film, music(tmp_path, tone(2, hz=1700)), "mix")
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
        mix_film(film, tmp_path / "music.wav", "loud")  # type: ignore[arg-type]


def test_a_mix_can_be_read_twice(tmp_path: Path) -> None:
    film = film_with(tmp_path, tone(2))
    mix = mix_film(film, music(tmp_path, tone(2, hz=900)), settings=MixSettings(loudness=-14))
    assert mix.duck_db is not None and mix.ceiling_db is None
    assert np.array_equal(whole(mix), whole(mix))
    assert sum(block.shape[1] for block in read_audio(film)) == mix.samples


@pytest.mark.parametrize("target", [-14.0, -16.0, -23.0, -24.0])
@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_the_whole_is_brought_to_a_loudness_under_a_peak(tmp_path: Path, target: float, layout: str) -> None:
    own = speech(4, level=0.5, channels=6 if layout == "5.1" else 2)
    own[:, ::24_000] = 0.95  # a click twice a second, far over what speech has
    film = film_with(tmp_path, own, layout, 4)
    settings = MixSettings(loudness=target)
    mix = mix_film(film, music(tmp_path, chords(4)), settings=settings)
    measured = measure_loudness(mix.blocks(), 48_000, mix.layout)
    assert measured.lufs == pytest.approx(target, abs=0.5)
    assert measured.true_peak_dbtp <= -1
    assert level(mix, "mix_lufs") == pytest.approx(measured.lufs, abs=0.02)
    assert not film.warnings


def test_without_limiting_the_films_own_dynamics_are_left_alone(tmp_path: Path) -> None:
    own = speech(4, level=0.1)
    mix = mix_film(film_with(tmp_path, own, seconds=4), music(tmp_path, chords(4)), settings=MixSettings(loudness=-24))
    assert mix.ceiling_db is None and mix.levels["limited_db"] == 0
    film_part = whole(mix) - np.concatenate(list(mix.music_blocks()), axis=1)
    assert np.abs(film_part - own * np.float32(10 ** (mix.film_db / 20))).max() < 1e-3


def test_the_limiter_holds_the_peaks_of_music_that_stands_alone(tmp_path: Path) -> None:
    spiky = chords(4, level=0.02)
    spiky[:, 24_000::96_000] = 0.2
    film = film_with(tmp_path, None, seconds=4)
    mix = mix_film(film, music(tmp_path, spiky), "replace")
    measured = measure_loudness(mix.blocks(), 48_000, "stereo")
    assert mix.ceiling_db is not None and level(mix, "limited_db") > 3
    assert measured.lufs == pytest.approx(ALONE_LUFS, abs=0.5)
    assert measured.true_peak_dbtp <= -1


def test_a_loudness_out_of_reach_is_said(tmp_path: Path) -> None:
    spiky = chords(4, level=0.02)
    spiky[:, ::12_000] = 0.7  # 30 dB over the chords, four times a second
    film = film_with(tmp_path, None, seconds=4)
    mix = mix_film(film, music(tmp_path, spiky), "replace", MixSettings(loudness=-14))
    assert level(mix, "mix_lufs") < -15 and level(mix, "mix_true_peak_dbtp") <= -1
    assert level(mix, "limited_db") <= 15
    assert any("not -14" in line for line in film.warnings)


def test_music_fades_in_and_out(tmp_path: Path) -> None:
    film, score = film_with(tmp_path, None), music(tmp_path, np.full((2, 96_000), 0.1, np.float32))
    faded = whole(mix_film(film, score, "replace", MixSettings(fade_in_seconds=0.5, fade_out_seconds=1)))[0]
    shape = np.abs(faded) / np.abs(faded).max()
    assert (
        shape[0] == 0 and shape[12_000] == pytest.approx(0.5, abs=0.01) and shape[24_000] == pytest.approx(1, abs=0.01)
    )
    assert shape[72_000] == pytest.approx(0.5, abs=0.01) and shape[-1] == 0
    assert (np.diff(shape[:24_000]) >= 0).all()


def test_the_films_other_track_can_be_mixed(tmp_path: Path) -> None:
    tracks = [Track(tone(2, hz=300), codec="flac"), Track(tone(2, hz=300, level=0.01), codec="flac")]
    film = Film.open(make_film(tmp_path / "film.mkv", audio=tracks))
    score = music(tmp_path, tone(2, hz=900))
    loud, soft = (mix_film(film, score, settings=MixSettings(track=track)) for track in (0, 1))
    assert level(loud, "film_lufs") - level(soft, "film_lufs") == pytest.approx(20, abs=0.1)
    with pytest.raises(InputError, match="no sound track 2"):
        mix_film(film, score, settings=MixSettings(track=2))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"loudness": -3.0}, "mix.loudness"),
        ({"true_peak_dbtp": 1.0}, "true_peak"),
        ({"duck_db": -2.0}, "mix.duck_db"),
        ({"release_seconds": -1.0}, "mix.release_seconds"),
        ({"track": -1}, "mix.track"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MixSettings(**change)  # type: ignore[arg-type]


def test_where_there_is_no_music_the_films_sound_is_left_alone(tmp_path: Path) -> None:
    seconds, rate_hz = 12, 32_000  # a rate that has to be changed, which rings beyond the music's ends
    sound = np.zeros((1, seconds * rate_hz), np.float32)
    noise = np.random.default_rng(0)
    sound[:, 3 * rate_hz : 8 * rate_hz] = 0.3 * noise.uniform(-1, 1, 5 * rate_hz)
    own = 0.5 * speech(seconds)
    film = film_with(tmp_path, own, seconds=seconds)
    path = write_wav(tmp_path / "music.wav", [sound], rate_hz, 1)
    mix = mix_film(film, path, "duck", heard=[(3, 8)])
    mixed = whole(mix)
    only = np.concatenate(list(mix.music_blocks()), axis=1)
    outside = np.ones(mix.samples, dtype=bool)
    outside[3 * 48_000 : 8 * 48_000] = False
    film_alone = np.concatenate(list(read_audio(film, layout=mix.layout)), axis=1) * np.float32(
        10 ** (mix.film_db / 20)
    )
    assert np.array_equal(mixed[:, outside], film_alone[:, outside]) and not only[:, outside].any()
    assert np.abs(only[:, ~outside]).max() > 0.01

    # Silence does not count, but for the measure's blocks of 0.4 s that lie half in it: a quarter of a LU of 5 s.
    short = write_wav(tmp_path / "short.wav", [sound[:, 3 * rate_hz : 8 * rate_hz]], rate_hz, 1)
    brief = mix_film(film_with(tmp_path, own[:, : 5 * 48_000], seconds=5), short, "mix")
    assert level(mix, "music_lufs") == pytest.approx(level(brief, "music_lufs") - 0.15, abs=0.15)
