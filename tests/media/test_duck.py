"""The duck: down when speech begins, up again after it, gentle under music, smooth, the same whatever the blocks."""

from pathlib import Path

import numpy as np
import pytest

from narrascore.media.audio import write_wav
from narrascore.media.duck import STEP_SECONDS, SideChain, duck, gains_between, speech_likeness
from narrascore.media.film import Film
from narrascore.media.loudness import measure_loudness
from narrascore.media.mix import Mix, mix_film
from narrascore.media.mix_settings import MixSettings
from tests.media import films
from tests.media.films import Sound, make_film, tone
from tests.media.speech import chords, speech

SETTINGS = MixSettings()
SPEECH_FROM, SPEECH_TO, SECONDS = 3.0, 9.0, 13.0


def spoken_film(folder: Path, own: Sound, seconds: float = SECONDS) -> Film:
    return Film.open(make_film(folder / "film.mkv", seconds, 5, audio=films.Track(own, codec="flac")))


def with_speech() -> Sound:
    """Silence, speech from 3 to 9 s, silence."""
    own = np.zeros((2, round(SECONDS * 48_000)), np.float32)
    own[:, round(SPEECH_FROM * 48_000) : round(SPEECH_TO * 48_000)] = speech(SPEECH_TO - SPEECH_FROM)
    return own


def stem(mix: Mix, block_samples: int = 48_000) -> Sound:
    return np.concatenate(list(mix.music_blocks(block_samples)), axis=1)


def level_db(sound: Sound, start: float, stop: float) -> float:
    part = sound[:, round(start * 48_000) : round(stop * 48_000)].astype(np.float64)
    return float(10 * np.log10((part**2).mean()))


def likeness(sound: Sound) -> float:
    """How like speech the whole is taken for."""
    chain = SideChain(48_000, "stereo")
    lufs = measure_loudness(chain.listen([sound]), 48_000, "stereo").lufs
    return float(speech_likeness(chain.powers, 10 ** ((lufs - SETTINGS.threshold_lu) / 10)).mean())


def test_music_gives_way_to_speech_and_comes_back(tmp_path: Path) -> None:
    score = write_wav(tmp_path / "music.wav", [tone(SECONDS, hz=880)], 48_000, 2)
    mix = mix_film(spoken_film(tmp_path, with_speech()), score)
    music = stem(mix)
    undisturbed = level_db(music, 0, SPEECH_FROM - SETTINGS.attack_seconds - 0.05)
    # All the way down from the first syllable to the last, over the pauses too, and not a moment before its time.
    for at in np.arange(SPEECH_FROM + 0.05, SPEECH_TO - 0.6, 0.1):
        assert level_db(music, at, at + 0.1) == pytest.approx(undisturbed - SETTINGS.duck_db, abs=0.5)
    restored = SPEECH_TO + SETTINGS.hold_seconds + SETTINGS.release_seconds + STEP_SECONDS
    assert level_db(music, restored, SECONDS) == pytest.approx(undisturbed, abs=0.01)
    assert level_db(music, SPEECH_TO + 0.5, SPEECH_TO + 0.6) < undisturbed - 1
    assert mix.levels["duck_deepest_db"] == pytest.approx(-SETTINGS.duck_db, abs=0.01)
    # The film's own sound is as it was.
    mixed = np.concatenate(list(mix.blocks()), axis=1)
    assert np.abs(mixed - music - with_speech()).max() < 1e-4
    assert mix.levels["film_gain_db"] == 0


def test_the_gain_is_smooth_alike_in_both_channels_and_blind_to_blocks(tmp_path: Path) -> None:
    score = write_wav(tmp_path / "music.wav", [np.full((2, 624_000), 0.1, np.float32)], 48_000, 2)
    mix = mix_film(spoken_film(tmp_path, with_speech()), score)
    music = stem(mix)
    assert np.array_equal(music[0], music[1])
    gain_db = 20 * np.log10(music[0] / music[0].max())
    steepest = SETTINGS.duck_db / SETTINGS.attack_seconds / 48_000
    assert np.abs(np.diff(gain_db)).max() < 1.1 * steepest
    for block_samples in (1_000, 77_777):
        assert np.array_equal(stem(mix, block_samples), music)


@pytest.mark.parametrize("block_samples", [500, 960, 44_100])
def test_the_side_chain_hears_the_same_in_any_blocks(block_samples: int) -> None:
    sound, chains = speech(3)[:, :-123], []
    for size in (block_samples, sound.shape[1]):
        chains.append(SideChain(48_000, "stereo"))
        list(chains[-1].listen([sound[:, at : at + size] for at in range(0, sound.shape[1], size)]))
    assert len(chains[0].powers) == 150
    assert np.array_equal(chains[0].powers, chains[1].powers)


def test_an_offset_and_the_lfe_do_not_duck() -> None:
    chain = SideChain(48_000, "5.1")
    sound = np.full((6, 48_000), 0.5, np.float32)
    sound[3] = tone(1, hz=60, level=0.9)[0]
    list(chain.listen([sound]))
    assert chain.powers.max() < 1e-9


def test_speech_is_told_from_held_music_and_from_noise() -> None:
    for seed in range(3):
        assert likeness(speech(10, seed=seed)) > 0.95
        assert likeness(chords(10, seed=seed)) < 0.05
    noise = np.random.default_rng(0).standard_normal((2, 480_000)).astype(np.float32) * np.float32(0.1)
    assert likeness(noise) < 0.05


def test_where_the_film_has_music_the_duck_is_gentle(tmp_path: Path) -> None:
    score = write_wav(tmp_path / "music.wav", [tone(8, hz=880)], 48_000, 2)
    mix = mix_film(spoken_film(tmp_path, chords(8), 8), score)
    assert mix.duck_db is not None
    assert mix.duck_db[50:-50].max() < -2.5
    assert mix.duck_db.min() == pytest.approx(-SETTINGS.gentle_duck_db, abs=0.3)


def test_music_that_does_not_sink_with_a_soft_film_ducks_deeper(tmp_path: Path) -> None:
    score = write_wav(tmp_path / "music.wav", [tone(8, hz=880)], 48_000, 2)
    mix = mix_film(spoken_film(tmp_path, speech(8, level=0.03), 8), score)
    own = mix.levels["film_lufs"]
    assert isinstance(own, float) and own < -38
    under_speech = measure_loudness([stem(mix)[:, 48_000 : 7 * 48_000]], 48_000, "stereo").lufs
    assert under_speech == pytest.approx(own - SETTINGS.music_below_lu - SETTINGS.duck_db, abs=1)


def test_silent_sound_ducks_nothing(tmp_path: Path) -> None:
    score = write_wav(tmp_path / "music.wav", [tone(2)], 48_000, 2)
    mix = mix_film(spoken_film(tmp_path, np.zeros((2, 96_000), np.float32), 2), score)
    assert mix.duck_db is None
    assert measure_loudness(mix.blocks(), 48_000, "stereo").lufs == pytest.approx(-16, abs=0.2)


@pytest.mark.parametrize("sound_seconds", [4.0, 11.0])
def test_the_pictures_length_wins_over_the_sounds(tmp_path: Path, sound_seconds: float) -> None:
    score = write_wav(tmp_path / "music.wav", [tone(8, hz=880)], 48_000, 2)
    mix = mix_film(spoken_film(tmp_path, speech(sound_seconds), 8), score)
    mixed, music = np.concatenate(list(mix.blocks()), axis=1), stem(mix)
    assert mixed.shape == (2, 8 * 48_000)
    if sound_seconds < 8:  # the music is back once the film's sound has ended
        assert np.array_equal(mixed[:, 5 * 48_000 :], music[:, 5 * 48_000 :])
        assert level_db(music, 6, 8) == pytest.approx(level_db(music, 2, 3) + SETTINGS.duck_db, abs=0.5)
    else:
        assert level_db(music, 6, 8) == pytest.approx(level_db(music, 2, 3), abs=0.5)


def test_gains_run_straight_between_edges() -> None:
    edges = np.array([0, -6, -6, 0], np.float32)
    gains = 20 * np.log10(gains_between(edges, 0, 2880, 48_000))
    np.testing.assert_allclose(gains[[0, 480, 960, 1920, 2400]], [0, -3, -6, -6, -3], atol=1e-4)
    np.testing.assert_array_equal(
        gains_between(edges, 700, 1500, 48_000), gains_between(edges, 0, 2880, 48_000)[700:2200]
    )


def test_attack_and_release_bound_every_step() -> None:
    noise = np.random.default_rng(0)
    powers = (10 ** noise.uniform(-8, -1, 500)).astype(np.float32)
    edges = duck(powers, -20.0, MixSettings(hold_seconds=0))
    steps = np.diff(edges)
    assert edges.max() <= 1e-5 and edges.min() >= -SETTINGS.duck_db - 1e-5
    assert steps.min() >= -SETTINGS.duck_db * STEP_SECONDS / SETTINGS.attack_seconds - 1e-5
    assert steps.max() <= SETTINGS.duck_db * STEP_SECONDS / SETTINGS.release_seconds + 1e-5
