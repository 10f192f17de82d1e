"""What is handed over, measured on the files themselves by meters that are not the mix's own."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph

from narrascore.media.audio import write_wav
from narrascore.media.film import Film
from narrascore.media.mix_settings import MixSettings
from narrascore.rendering import plan_mix, write_deliverables, write_scored_film
from tests.media.films import Sound, Track, make_film, tone
from tests.media.speech import chords, speech
from tests.media.spoken import spoken
from tests.media.test_loudness import textbook_lufs

RATE_HZ = 48_000
SETTINGS = MixSettings()
SPEECH_FROM, SPEECH_TO, SECONDS = 2.5, 6.5, 9.0


def hand_over(folder: Path, own: Sound, music: Sound, loudness: float | None) -> tuple[Path, Path, Path]:
    """The delivered mix and music, and the scored film, of a film with this sound."""
    seconds = own.shape[1] / RATE_HZ
    film = Film.open(make_film(folder / "film.mkv", seconds, 5, audio=Track(own, codec="flac")))
    wav = write_wav(folder / "composed.wav", [music], RATE_HZ, 2)
    mix = plan_mix(film, wav, "duck", SETTINGS if loudness is None else MixSettings(loudness=loudness))
    write_deliverables(mix, folder / "deliver")
    scored = write_scored_film(mix, folder / "film.scored.mp4")
    return folder / "deliver" / "mix.wav", folder / "deliver" / "music.wav", scored


def with_speech(voice: Callable[..., Sound]) -> Sound:
    """Silence, speech from 2.5 to 6.5 s, silence."""
    own = np.zeros((2, round(SECONDS * RATE_HZ)), np.float32)
    own[:, round(SPEECH_FROM * RATE_HZ) : round(SPEECH_TO * RATE_HZ)] = voice(SPEECH_TO - SPEECH_FROM)
    return own


def decoded(path: Path) -> Sound:
    """`[2, n]` of a file's first sound track, as a player has it."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    if frames[0].dtype == np.int32:  # 24 bits, in the upper ones of 32
        return np.concatenate(
            [frame.reshape(-1, 2).T for frame in frames], axis=1, dtype=np.float32, casting="unsafe"
        ) * np.float32(2**-31)
    return np.concatenate(frames, axis=1)


def ffmpeg_meter(path: Path) -> tuple[float, float]:
    """Integrated loudness and true peak of a file by FFmpeg's ebur128, fed with what FFmpeg decodes."""
    graph = Graph()
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        source = graph.add_abuffer(template=stream, time_base=Fraction(1, RATE_HZ))
        meter, sink = graph.add("ebur128", "peak=true:metadata=1:framelog=quiet"), graph.add("abuffersink")
        graph.link_nodes(source, meter, sink).configure()
        said: dict[str, str] = {}
        for frame in [*container.decode(stream), None]:
            source.push(frame)
            while True:
                try:
                    said |= sink.pull().metadata
                except (av.BlockingIOError, av.EOFError):
                    break
    peaks = [float(value) for name, value in said.items() if "true_peaks_ch" in name]
    return float(said["lavfi.r128.I"]), 20 * float(np.log10(max(peaks)))


def textbook_peak(sound: Sound) -> float:
    """Of the wave between the samples, four points a sample: all of its spectrum, and nothing above it."""
    size = sound.shape[1]
    spectrum = np.fft.rfft(sound.astype(np.float64))
    return float(20 * np.log10(np.abs(np.fft.irfft(spectrum, 4 * size)).max() * 4))


def level_db(sound: Sound, start: float, stop: float) -> float:
    part = sound[:, round(start * RATE_HZ) : round(stop * RATE_HZ)].astype(np.float64)
    return float(10 * np.log10((part**2).mean()))


@pytest.mark.parametrize("target", [-14.0, -16.0, -23.0, -24.0])
def test_files_have_their_loudness_and_keep_under_their_peak(tmp_path: Path, target: float) -> None:
    mix, _, scored = hand_over(tmp_path, with_speech(speech), chords(SECONDS), target)
    for path in (mix, scored):
        sound = decoded(path)
        for lufs in (ffmpeg_meter(path)[0], textbook_lufs(sound)):
            assert lufs == pytest.approx(target, abs=0.5)
        for peak in (ffmpeg_meter(path)[1], textbook_peak(sound)):
            assert peak <= SETTINGS.true_peak_dbtp


def test_the_codec_of_the_film_may_raise_a_peak_that_the_wav_keeps(tmp_path: Path) -> None:
    """AAC draws full-band bursts over the line that the mix kept to: half a decibel, measured."""
    own, noise, burst = speech(6, level=0.4), np.random.default_rng(0), np.exp(-np.arange(9_600) / 1_500)
    for at in range(0, 6 * RATE_HZ - 9_600, 12_000):
        own[:, at : at + 9_600] += (0.8 * burst * noise.standard_normal(9_600)).astype(np.float32)
    mix, _, scored = hand_over(tmp_path, np.clip(own, -1, 1), chords(6), -14.0)
    assert ffmpeg_meter(mix)[1] <= SETTINGS.true_peak_dbtp
    assert ffmpeg_meter(scored)[1] <= SETTINGS.true_peak_dbtp + 1
    assert ffmpeg_meter(scored)[0] == pytest.approx(-14, abs=0.5)


@pytest.mark.parametrize("voice", [speech, spoken])
def test_delivered_music_goes_down_under_speech_and_comes_back(tmp_path: Path, voice: Callable[..., Sound]) -> None:
    if voice is spoken:
        pytest.importorskip("espeakng_loader")
    _, music, _ = hand_over(tmp_path, with_speech(voice), tone(SECONDS, hz=880), None)
    sound = decoded(music)
    undisturbed = level_db(sound, 0, SPEECH_FROM - SETTINGS.attack_seconds - 0.05)
    assert level_db(sound, SPEECH_FROM + 0.1, SPEECH_TO - 0.6) == pytest.approx(undisturbed - SETTINGS.duck_db, abs=0.5)
    restored = SPEECH_TO + SETTINGS.hold_seconds + SETTINGS.release_seconds + 0.05
    assert level_db(sound, restored, SECONDS) == pytest.approx(undisturbed, abs=0.02)
