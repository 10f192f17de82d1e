"""The note bank and the fonts it accepts."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from narrascore.errors import InputError, ModelUnavailableError
from narrascore.lexicon import INSTRUMENTS
from narrascore.synthesis import soundfont
from narrascore.synthesis.sampler import SAMPLE_RATE_HZ, NoteBank, Sound
from narrascore.synthesis.score_codes import DRUM_KINDS
from narrascore.synthesis.soundfont import SoundFont, default_soundfont
from narrascore.synthesis.tone import play_zone
from narrascore.synthesis.zones import Zone


@pytest.fixture(scope="module")
def bank() -> NoteBank:
    return NoteBank(SoundFont.open())


@pytest.mark.parametrize("program", [0, 46, 48, 89])
def test_a_short_note_is_the_beginning_of_a_long_one(bank: NoteBank, program: int) -> None:
    short, long = bank.tone(Sound(program), 61, 20_000).copy(), bank.tone(Sound(program), 61, 150_000)
    assert short.shape[1] == 20_000
    assert np.array_equal(short, long[:, :20_000])


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_instrument_of_the_lexicon_sounds_about_as_loud(bank: NoteBank, name: str) -> None:
    instrument = INSTRUMENTS[name]
    if "percussion" in instrument.roles:
        for key in DRUM_KINDS.values():
            assert np.abs(bank.tone(Sound(instrument.program, drum=True), key, 20_000)).max() > 0.002
    else:
        tone = bank.tone(Sound(instrument.program), 60, 40_000)
        assert 0.05 < np.abs(tone).max() < 2.5


def test_kept_tones_stay_within_the_budget() -> None:
    bank = NoteBank(SoundFont.open(), budget_bytes=1_000_000)
    for pitch in range(50, 60):
        bank.tone(Sound(0), pitch, 48_000)
    assert bank.kept_bytes <= 1_000_000


def test_a_tone_forgotten_is_rendered_again_as_it_was() -> None:
    bank = NoteBank(SoundFont.open())
    before = bank.tone(Sound(0), 60, 30_000).copy()
    bank.forget()
    assert bank.kept_bytes == 0
    assert np.array_equal(bank.tone(Sound(0), 60, 30_000), before)
    assert bank.kept_bytes > 0


def test_the_default_font_is_known_by_its_hash() -> None:
    font = SoundFont.open()
    assert font.licence == soundfont.DEFAULT_LICENCE and font.path.name == "TimGM6mb.sf2"


def test_a_missing_default_font_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfont, "DEFAULT_PACKAGE", "no-such-distribution")
    with pytest.raises(ModelUnavailableError, match="pip install"):
        SoundFont.open()


def test_what_is_no_font_is_refused(tmp_path: Path) -> None:
    real = default_soundfont().read_bytes()
    text = tmp_path / "notes.sf2"
    text.write_text("not a font")
    cut = tmp_path / "cut.sf2"
    cut.write_bytes(real[: len(real) // 2])
    compressed = tmp_path / "compressed.sf3"
    at = real.index(b"ifil") + 8
    compressed.write_bytes(real[:at] + struct.pack("<HH", 3, 0) + real[at + 4 :])
    astray = tmp_path / "astray.sf2"
    at = real.index(b"shdr") + 8
    astray.write_bytes(real[: at + 24] + struct.pack("<I", 2**31) + real[at + 28 :])
    for path, why in ((text, "sound font"), (cut, "cut short"), (compressed, "SF3"), (astray, "outside"),
                      (tmp_path, "regular file"), (tmp_path / "none.sf2", "No such file")):  # fmt: skip
        with pytest.raises(InputError, match=why):
            SoundFont.open(path)


def fundamental_hz(tone: np.ndarray, near_hz: float) -> float:
    """The strongest of the frequencies within a semitone."""
    size = 1 << 18
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    spectrum = np.abs(np.fft.rfft(tone.mean(axis=0) * np.hanning(tone.shape[1]), size))
    return float(hz[np.argmax(np.where(np.abs(np.log2(np.maximum(hz, 1) / near_hz)) < 1 / 12, spectrum, 0))])


@pytest.mark.parametrize("name", [name for name in INSTRUMENTS if "percussion" not in INSTRUMENTS[name].roles])
def test_every_instrument_plays_the_key_it_is_asked_for(bank: NoteBank, name: str) -> None:
    low = "bass" in INSTRUMENTS[name].roles and "melody" not in INSTRUMENTS[name].roles
    for pitch in (43, 50) if low else (64, 71):
        asked_hz = 440 * 2 ** ((pitch - 69) / 12)
        tone = bank.tone(Sound(INSTRUMENTS[name].program), pitch, SAMPLE_RATE_HZ)
        # 25 cents: the font's ensembles are detuned on purpose, and some of its single tones lie 10 off.
        assert abs(1200 * np.log2(fundamental_hz(tone, asked_hz) / asked_hz)) < 25


def test_reading_faster_folds_nothing_back() -> None:
    rng = np.random.default_rng(0)
    points = (rng.standard_normal(40_000) * 8_000).astype(np.int16)
    zone = Zone(points, None, 4 * 48_000.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, 0.0, (0.0, 1.0, 0.0))
    # White noise read four times faster keeps the lowest quarter of its band: a quarter of its power.
    wave = play_zone(zone, 100, 9_000, 48_000)
    assert 0.18 < (wave**2).mean() / (8_000 / 32_768) ** 2 < 0.28


def test_a_loop_goes_on_for_ever_at_its_own_pitch() -> None:
    points = (np.sin(2 * np.pi * np.arange(1_000) / 100) * 20_000).astype(np.int16)
    zone = Zone(points, (500, 600), 44_100.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, 0.0, (0.0, 1.0, 0.0))
    late = play_zone(zone, 400_000, 500_000, SAMPLE_RATE_HZ)[None]
    assert abs(1200 * np.log2(fundamental_hz(late, 441.0) / 441.0)) < 0.5
    assert abs(np.sqrt(2 * (late**2).mean()) - 20_000 / 32_768) < 0.005
    assert zone.lasts_seconds == float("inf")
