from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from narrascore import AffectCurve, report
from narrascore.media.audio import read_wav
from narrascore.page import write_page
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
    assert abs(band - report._mel_share(hz) * MEL_BANDS) <= 2
    loud = np.flatnonzero(picture[band] > -20) / picture.shape[1] * 6.0
    assert loud.min() == pytest.approx(2.0, abs=0.06)
    assert loud.max() == pytest.approx(3.0, abs=0.06)


def test_the_picture_of_a_long_film_is_no_wider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_COLUMNS", 50)
    picture = picture_of(write_tone(tmp_path / "tone.wav", 440.0, 4.0, 8.0, 8.0), 8.0)
    assert picture.shape == (MEL_BANDS, 50)
    loud = picture.max(axis=0) > -20
    assert loud.tolist() == [False] * 25 + [True] * 25


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


def test_the_page_escapes_what_it_shows_and_asks_for_nothing_outside(tmp_path: Path) -> None:
    (tmp_path / "figure.png").write_bytes(b"\x89PNG")
    (tmp_path / "music.wav").write_bytes(b"RIFF")
    data = {
        "film": {"name": "<script>alert(1)</script>.mp4", "duration_seconds": 2.0},
        "anchor": 'a "quoted" & <b>bold</b> sentence',
        "warnings": ["<i>careful</i>"],
        "results": {"film": '../a "b" & c.scored.mp4'},
        "system": "embedded",
        "settings": {"seed": 0, "prompt": "<u>"},
        "parts": {"music": {"licence": "CC <0>"}},
        "stage_seconds": {"read": 1.25},
    }
    write_page(tmp_path, data)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for tag in ("<script", "<b>", "<i>", "<u>"):
        assert tag not in page
    assert 'src="../a%20%22b%22%20%26%20c.scored.mp4"' in page
    assert "http" not in page
    assert "CC &lt;0&gt;" in page
