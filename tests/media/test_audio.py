"""Sound beside the picture: in place, whole, exact to the sample."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narrascore.errors import InputError
from narrascore.media.audio import measure_loudness, read_audio, read_wav, write_wav
from narrascore.media.film import Film
from narrascore.media.samples import exactly
from narrascore.windows import samples_of
from tests.media.films import Sound, Track, click, make_film, onset_samples, tone


def whole(film: Film, track: int = 0, **options: object) -> Sound:
    return np.concatenate(list(read_audio(film, track, **options)), axis=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "codec", "sound_codec"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mkv", "libx264", "flac"),
        ("a.ts", "libx264", "aac"),
        ("a.webm", "libvpx", "libopus"),
        ("a.mpg", "mpeg2video", "mp2"),
        ("a.mov", "libx264", "pcm_s16le"),
    ],
)
def test_a_click_is_heard_when_it_is_seen(tmp_path: Path, name: str, codec: str, sound_codec: str) -> None:
    film = Film.open(make_film(tmp_path / name, codec=codec, audio=Track(click(2, 1.0), codec=sound_codec)))
    for rate_hz in (48_000, 32_000):
        sound = whole(film, sample_rate_hz=rate_hz)
        assert sound.shape == (2, 2 * rate_hz)
        assert onset_samples(sound) == pytest.approx(rate_hz, abs=rate_hz / 2000)  # half a millisecond


@pytest.mark.parametrize("offset", [-0.4, 0.0, 0.7])
def test_sound_that_starts_elsewhere_is_put_in_place(tmp_path: Path, offset: float) -> None:
    """The picture starts at 1 s, the sound `offset` later; its click comes 1 s into it."""
    track = Track(click(4, 1.0), start_seconds=1.0 + offset)
    film = Film.open(make_film(tmp_path / "a.mkv", start_seconds=1.0, audio=track))
    sound = whole(film)
    assert sound.shape == (2, 96_000)
    assert onset_samples(sound) == pytest.approx((1 + offset) * 48_000, abs=60)
    if offset > 0:
        assert not sound[:, : round(offset * 48_000) - 100].any()


def test_short_sound_is_followed_by_silence(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "a.mp4", audio=Track(tone(0.5))))
    sound = whole(film)
    assert sound.shape == (2, 96_000)
    assert np.abs(sound[:, 2000:20_000]).max() > 0.09 and not sound[:, 30_000:].any()


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.integers(2, 60),
    rate=st.sampled_from([Fraction(24_000, 1001), Fraction(25), Fraction(30_000, 1001), Fraction(12)]),
    sound_seconds=st.floats(0.05, 3),
    rate_hz=st.sampled_from([48_000, 44_100, 32_000]),
)
def test_exact_samples_for_any_duration(
    tmp_path: Path, frames: int, rate: Fraction, sound_seconds: float, rate_hz: int
) -> None:
    track = Track(tone(sound_seconds), codec="flac")
    path = make_film(
        tmp_path / "a.mkv", seconds=float(frames / rate), rate=rate, codec="mjpeg", pix_fmt="yuvj420p", audio=track
    )
    film = Film.open(path)
    assert float(film.duration_seconds) == pytest.approx(float(frames / rate), abs=0.0015)  # MKV counts milliseconds
    assert whole(film, sample_rate_hz=rate_hz).shape[1] == samples_of(film.duration_seconds, rate_hz)


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 100), st.integers(1, 30))
def test_blocks_carry_the_same_samples(sizes: list[int], samples: int, block_samples: int) -> None:
    sound = np.arange(2 * sum(sizes), dtype=np.float32).reshape(2, -1) + 1
    pieces = np.split(sound, np.cumsum(sizes)[:-1], axis=1) if sizes else []
    blocks = list(exactly(pieces, 2, samples, block_samples))
    assert all(block.shape[1] == block_samples for block in blocks[:-1])
    joined = np.concatenate(blocks, axis=1)
    assert joined.shape == (2, samples)
    kept = min(samples, sound.shape[1])
    assert np.array_equal(joined[:, :kept], sound[:, :kept]) and not joined[:, kept:].any()


def test_surround_keeps_its_channels(tmp_path: Path) -> None:
    levels = np.array([0.1, 0.2, 0.3, 0.05, 0.4, 0.5], np.float32)[:, None]
    surround = np.repeat(tone(2, level=1, channels=1), 6, axis=0) * levels
    film = Film.open(make_film(tmp_path / "a.mkv", audio=Track(surround, codec="flac", layout="5.1")))
    assert film.audio_tracks[0].channels == 6
    assert np.abs(whole(film)).max(axis=1) == pytest.approx(levels[:, 0], abs=0.002)
    assert whole(film, layout="stereo").shape[0] == 2


def test_tracks_are_told_apart(tmp_path: Path) -> None:
    tracks = [Track(click(2, 0.5), language="eng"), Track(click(2, 1.5), codec="ac3", language="fre")]
    film = Film.open(make_film(tmp_path / "a.mkv", audio=tracks))
    assert [(track.index, track.codec, track.language) for track in film.audio_tracks] == [
        (0, "aac", "eng"),
        (1, "ac3", "fre"),
    ]
    assert onset_samples(whole(film, 1)) == pytest.approx(72_000, abs=60)
    with pytest.raises(InputError, match="no sound track 2"):
        read_audio(film, 2)


def test_wav_is_exact_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    sound = tone(1.2345)
    for name in ("a.wav", "b.wav"):
        write_wav(tmp_path / name, np.array_split(sound, 7, axis=1), 48_000, 2, samples=sound.shape[1])
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    back = np.concatenate(list(read_wav(tmp_path / "a.wav", block_samples=1000)), axis=1)
    assert back.shape == sound.shape and np.abs(back - sound).max() < 2**-22
    assert np.concatenate(list(read_wav(tmp_path / "a.wav", sample_rate_hz=32_000)), axis=1).shape[1] == 39_504


def test_a_failed_wav_leaves_the_old_one(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", [tone(0.1)], 48_000, 2)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="announced"):
        write_wav(path, [tone(0.2)], 48_000, 2, samples=7)
    with pytest.raises(ValueError, match="blocks must be"):
        write_wav(path, [tone(0.2, channels=1)], 48_000, 2)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["a.wav"]
    with pytest.raises(InputError):
        write_wav(tmp_path / "absent" / "a.wav", [tone(0.1)], 48_000, 2)
    with pytest.raises(InputError, match="are free"):
        write_wav(tmp_path / "b.wav", [tone(0.1)], 48_000, 2, samples=10**15)


def test_long_wav_is_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrascore.media.audio.RF64_BYTES", 1000)
    sound = tone(0.5)
    path = write_wav(tmp_path / "a.wav", [sound], 48_000, 2, samples=sound.shape[1])
    assert soundfile.info(path).format == "RF64" and soundfile.info(path).frames == sound.shape[1]
    with pytest.raises(ValueError, match="announce"):
        write_wav(tmp_path / "b.wav", [sound], 48_000, 2)


def test_loudness_is_that_of_the_standard() -> None:
    # EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS is -23.0 LUFS.
    sound = tone(20, hz=1000, level=10 ** (-23 / 20))
    measured = measure_loudness(np.array_split(sound, 13, axis=1), 48_000, "stereo")
    assert measured.lufs == pytest.approx(-23, abs=0.1)
    assert measured.true_peak_dbtp == pytest.approx(-23, abs=0.1)


def test_peaks_between_samples_and_in_the_last_moment_are_found() -> None:
    # A sine of a quarter of the rate, sampled at 45 degrees: the samples stay 3 dB below the wave.
    quarter = 0.9 * np.hanning(48_000) * np.sin(np.pi / 2 * np.arange(48_000) + np.pi / 4)
    quarter = quarter.astype(np.float32)[None]
    assert 20 * math.log10(np.abs(quarter).max()) < -3.9
    assert measure_loudness([quarter], 48_000, "mono").true_peak_dbtp == pytest.approx(20 * math.log10(0.9), abs=0.3)
    late = tone(1.03, level=0.01)
    late[:, -50:] = 0.8
    assert measure_loudness([late], 48_000, "stereo").true_peak_dbtp > -2.1


def test_silence_and_short_sound_have_a_measure() -> None:
    assert measure_loudness([np.zeros((2, 48_000), np.float32)], 48_000, "stereo").lufs == -math.inf
    assert measure_loudness([], 48_000, "stereo").true_peak_dbtp == -math.inf
    brief = measure_loudness([tone(0.2)], 48_000, "stereo").lufs
    assert brief == pytest.approx(measure_loudness([tone(3)], 48_000, "stereo").lufs, abs=0.5)
