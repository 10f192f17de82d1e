"""Songs: any format, rate and number of channels; damage is silence of the same length, or a refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from narrascore.errors import InputError
from narrascore.media.song import read_song
from tests.media.songs import Sound, click_track, write_song


def decoded(path: Path, rate_hz: int = 32_000, channels: int = 1) -> Sound:
    return np.concatenate(list(read_song(path, rate_hz, channels)), axis=1)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.m4a", "a.wav"])
def test_a_click_stays_in_its_place_whatever_the_format(tmp_path: Path, name: str) -> None:
    path = write_song(tmp_path / name, click_track(3, at=2.0))
    for rate_hz in (32_000, 44_100):
        sound = decoded(path, rate_hz)
        assert sound.shape[1] == pytest.approx(3 * rate_hz, abs=0.06 * rate_hz)  # the last frame of a lossy codec
        assert np.abs(sound[0]).argmax() == pytest.approx(2 * rate_hz, abs=0.003 * rate_hz)


def test_channels_are_averaged_and_mono_fills_both(tmp_path: Path) -> None:
    sound = np.stack([np.full(44_100, 0.5), np.full(44_100, -0.1)]).astype(np.float32)
    path = write_song(tmp_path / "a.flac", sound)
    assert decoded(path, 44_100).mean() == pytest.approx(0.2, abs=1e-4)
    stereo = decoded(write_song(tmp_path / "b.flac", sound[:1]), 44_100, channels=2)
    assert stereo.shape[0] == 2 and stereo.mean(axis=1) == pytest.approx([0.5, 0.5], abs=1e-4)


def test_a_few_broken_packets_are_silence_and_what_follows_stays_in_place(tmp_path: Path) -> None:
    path = write_song(tmp_path / "a.flac", click_track(20, at=15.0))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = b"\x00" * 300
    path.write_bytes(content)
    sound = decoded(path, 44_100)
    assert np.abs(sound[0]).argmax() == pytest.approx(15 * 44_100, abs=0.15 * 44_100)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"no music at all\n" * 99, "not a sound file that can be read"),
        (b"ffconcat version 1.0\nfile 'other.wav'\n", "not a sound file that can be read"),
    ],
)
def test_what_is_no_song_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        decoded(path)


def test_a_song_that_is_mostly_damage_is_refused(tmp_path: Path) -> None:
    path = write_song(tmp_path / "a.mp3", click_track(20, at=15.0))
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for at in range(4000, len(content) - 60, 500):
        content[at : at + 60] = rng.bytes(60)
    path.write_bytes(content)
    try:
        sound = decoded(path)
    except InputError as error:
        assert "cannot be decoded" in str(error)
    else:
        pytest.fail(f"{sound.shape[1] / 32_000:.1f} s were taken")
