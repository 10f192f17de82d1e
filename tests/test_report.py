from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from narrascore import AffectCurve, report
from narrascore.media.audio import read_wav
from narrascore.report import MEL_BANDS, SPECTRUM_RATE_HZ, draw_figure, mel_filters, mel_spectrogram

RATE_HZ = 48_000


def write_tone(path: Path, hz: float, start_seconds: float, stop_seconds: float, seconds: float) -> Path:
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tone = 0.5 * np.sin(2 * np.pi * hz * time) * ((time >= start_seconds) & (time < stop_seconds))
    soundfile.write(path, np.stack([tone, tone], axis=1), RATE_HZ, "PCM_24")
    return path


def picture_of(path: Path, seconds: float) -> np.ndarray:
    return mel_spectrogram(read_wav(path, sample_rate_hz=SPECTRUM_RATE_HZ, layout="stereo"), seconds)


def test_every_mel_band_hears_something_and_none_more_than_another() -> None:
    filters = mel_filters()
    assert filters.shape == (MEL_BANDS, report.FFT_SAMPLES // 2 + 1)
    assert filters.sum(axis=1) == pytest.approx(np.ones(MEL_BANDS), rel=1e-5)


@pytest.mark.parametrize("hz", [110.0, 440.0, 5000.0])
def test_a_tone_lies_at_its_frequency_and_its_time(tmp_path: Path, hz: float) -> None:
    picture = picture_of(write_tone(tmp_path / "tone.wav", hz, 2.0, 3.0, 6.0), 6.0)
    band, _ = np.unravel_index(picture.argmax(), picture.shape)
    assert abs(band - report.mel_share(hz) * MEL_BANDS) <= 2
    loud = np.flatnonzero(picture[band] > -20) / picture.shape[1] * 6.0
    assert loud.min() == pytest.approx(2.0, abs=0.06)
    assert loud.max() == pytest.approx(3.0, abs=0.06)


def test_the_picture_of_a_long_film_is_no_wider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_COLUMNS", 50)
    picture = picture_of(write_tone(tmp_path / "tone.wav", 440.0, 4.0, 8.0, 8.0), 8.0)
    assert picture.shape == (MEL_BANDS, 50)
    loud = picture.max(axis=0) > -20
    assert loud.tolist() == [False] * 25 + [True] * 25


def test_a_spectrogram_is_the_same_picture_twice_with_low_tones_at_the_bottom(tmp_path: Path) -> None:
    bands = picture_of(write_tone(tmp_path / "tone.wav", 110.0, 0.0, 2.0, 2.0), 2.0)
    picture = report.picture_spectrogram(bands)
    assert picture == report.picture_spectrogram(bands.copy())
    (tmp_path / "picture.jpg").write_bytes(picture)
    brightest = imread(tmp_path / "picture.jpg").sum(axis=2).mean(axis=1).argmax()
    assert brightest > 0.9 * 2 * MEL_BANDS


def test_every_stretch_shows_the_picture_nearest_to_its_middle() -> None:
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    moments = [0.1, 1.2, 1.6, 3.9, 4.0]
    chosen = report.choose_keyframes([(seconds, image) for seconds in moments], 4.0, 4)
    assert [(cell, seconds) for cell, seconds, _ in chosen] == [(0, 0.1), (1, 1.6), (3, 3.9)]


@pytest.mark.parametrize(
    ("seconds", "duration", "digits", "said"),
    [
        (3.44, 5, None, "0:03.4"), (59.97, 13, None, "1:00.0"), (59.6, 60, None, "1:00"), (62.34, 100, 1, "1:02.3"),
        (3723.4, 7200, None, "1:02:03"), (3599.96, 3600, 1, "1:00:00.0"), (-1, 5, 0, "0:00"),
    ],
)  # fmt: skip
def test_film_times_are_written_as_a_clock_shows_them(
    seconds: float, duration: float, digits: int | None, said: str
) -> None:
    assert report.clock(seconds, duration, digits) == said


def test_silence_is_drawn_too(tmp_path: Path) -> None:
    assert picture_of(write_tone(tmp_path / "none.wav", 440.0, 0.0, 0.0, 0.05), 0.05).shape[0] == MEL_BANDS


def test_the_figure_holds_any_title_and_any_number_of_pictures(tmp_path: Path) -> None:
    music = write_tone(tmp_path / "tone.wav", 440.0, 0.5, 1.5, 2.0)
    curve = AffectCurve(np.array([[-0.5, 0.5], [0.5, -0.5]]))
    red = np.full((36, 64, 3), (255, 0, 0), dtype=np.uint8)
    for keyframes in ([], [(0.1 * index, red) for index in range(20)]):
        draw_figure(
            tmp_path / "figure.png", music, curve, keyframes, duration_seconds=2.0,
            title="five $ and <six> _{of} 映画 " * 8, border_seconds=[1.0],
        )  # fmt: skip
        picture = imread(tmp_path / "figure.png")[..., :3]
        assert picture.shape[1] >= 1000
        reddest = (picture[..., 0] > 0.95) & (picture[..., 1:].max(axis=2) < 0.05)
        assert reddest.any() == bool(keyframes)
