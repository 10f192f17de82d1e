"""The meter against BS.1770-4 written out, and long sound in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from narrascore.media.audio import write_wav
from narrascore.media.film import Film
from narrascore.media.loudness import measure_loudness
from narrascore.media.mix import mix_film
from narrascore.media.mix_settings import MixSettings
from tests.media.films import Sound, Track, make_film
from tests.media.speech import chords, speech

RATE_HZ = 48_000
# The two filters of BS.1770-4 at 48 kHz, tables 1 and 2: b0 b1 b2, a1 a2.
HEAD = (1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)
LOW_CUT = (1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)
WEIGHTS = {2: [1, 1], 6: [1, 1, 1, 0, 1.41, 1.41]}


def textbook_lufs(sound: Sound) -> float:
    """Integrated loudness of `[C, n]` at 48 kHz, the filters applied in the frequency domain."""
    size = sound.shape[1] + RATE_HZ
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    response = np.ones_like(z)
    for b, a in (HEAD, LOW_CUT):
        response *= (b[0] + b[1] * z + b[2] * z**2) / (1 + a[0] * z + a[1] * z**2)
    weighted = np.fft.irfft(np.fft.rfft(sound.astype(np.float64), size) * response, size)[:, : sound.shape[1]]
    starts = range(0, sound.shape[1] - 19_200 + 1, 4_800)
    powers = np.array([(weighted[:, at : at + 19_200] ** 2).mean(axis=1) @ WEIGHTS[len(sound)] for at in starts])
    for gate in (-70.0, None):
        gate = lufs(powers.mean()) - 10 if gate is None else gate
        powers = powers[np.array([lufs(power) for power in powers]) > gate]
    return lufs(powers.mean())


def lufs(power: float) -> float:
    return float(-0.691 + 10 * np.log10(max(power, 1e-20)))


def sounds(channels: int) -> Sound:
    sound = speech(5, channels=channels)
    for channel in range(channels):
        sound[channel] = np.roll(sound[channel], 6_000 * channel) * (1 - 0.1 * channel)
    sound[:, 96_000:144_000] = 0  # what the gates are for
    return sound


@pytest.mark.parametrize(("channels", "layout"), [(2, "stereo"), (6, "5.1")])
def test_the_meter_is_the_standards(channels: int, layout: str) -> None:
    sound = sounds(channels)
    assert measure_loudness([sound], RATE_HZ, layout).lufs == pytest.approx(textbook_lufs(sound), abs=0.1)


def test_without_peaks_the_loudness_is_the_same() -> None:
    sound = [0.1 * np.random.default_rng(0).standard_normal((2, 48_000)).astype(np.float32)] * 3
    whole, part = (measure_loudness(sound, 48_000, "stereo", peaks=peaks) for peaks in (True, False))
    assert (part.lufs, part.range_lu) == (whole.lufs, whole.range_lu) and np.isnan(part.true_peak_dbtp)
    np.testing.assert_array_equal(part.momentary_lufs, whole.momentary_lufs)


def test_loudness_over_time_is_flat_from_the_first_tenth_and_silent_in_silence() -> None:
    tone = np.tile(0.1 * np.sin(2 * np.pi * 997 * np.arange(4 * RATE_HZ) / RATE_HZ), (2, 1)).astype(np.float32)
    found = measure_loudness([tone], RATE_HZ, "stereo")
    assert found.momentary_lufs == pytest.approx(np.full(40, found.lufs), abs=0.1)
    assert found.over_time(4) == pytest.approx([found.lufs] * 4, abs=0.1)
    assert found.turned(-6).over_time(1) == pytest.approx([found.lufs - 6], abs=0.1)
    half = measure_loudness([tone, np.zeros_like(tone)], RATE_HZ, "stereo").over_time(8)
    assert half[5:] == [None] * 3 and None not in half[:4]  # 400 ms look back from the fifth half second


def test_the_range_is_the_step_between_soft_and_loud() -> None:
    time = np.arange(40 * RATE_HZ) / RATE_HZ
    steps = np.where(time < 20, 0.02, 0.2) * np.sin(2 * np.pi * 997 * time)  # case 1 of EBU Tech 3342, in amplitude
    assert measure_loudness([np.tile(steps, (2, 1)).astype(np.float32)], RATE_HZ, "stereo").range_lu == pytest.approx(
        20 * np.log10(10), abs=1
    )


def test_the_scored_sound_has_its_loudness_by_the_textbook(tmp_path: Path) -> None:
    track = Track(sounds(6), codec="flac", layout="5.1")
    film = Film.open(make_film(tmp_path / "film.mkv", 5, 5, audio=track))
    score = write_wav(tmp_path / "music.wav", [chords(5)], RATE_HZ, 2)
    mix = mix_film(film, score, settings=MixSettings(loudness=-23))
    assert textbook_lufs(np.concatenate(list(mix.blocks()), axis=1)) == pytest.approx(-23, abs=0.5)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    """Peak memory of mixing an hour, and a minute, at 8 kHz; the sound of the film and of the music is 230 MB each."""
    peaks = []
    for minutes in (1, 60):
        program = f"""
import resource, sys
from pathlib import Path
from tests.media.test_loudness import long_film
from narrascore.media.film import Film
from narrascore.media.mix import mix_film
from narrascore.media.mix_settings import MixSettings
folder = Path({str(tmp_path)!r})
film, score = long_film(folder, {minutes})
mix = mix_film(Film.open(film), score, settings=MixSettings(loudness=-23), sample_rate_hz=8000)
assert sum(block.shape[1] for block in mix.blocks()) == {minutes} * 60 * 8000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        peaks.append(int(run.stdout) / 1024)
    assert peaks[1] - peaks[0] < 20


def long_film(folder: Path, minutes: int) -> tuple[Path, Path]:
    """A film of one picture in five seconds, whose sound is a tone of 5 s and then silence for 5 s; and its music."""
    import av

    from narrascore.media.samples import to_frame

    path, rate_hz, count = folder / f"{minutes}.mkv", 8_000, minutes * 12
    tone = (0.1 * np.sin(2 * np.pi * 300 * np.arange(5 * rate_hz) / rate_hz)).astype(np.float32)[None]
    with av.open(str(path), "w") as sink:
        picture = sink.add_stream("mjpeg", rate=1)
        picture.width, picture.height, picture.pix_fmt = 16, 16, "yuvj420p"
        sound = sink.add_stream("pcm_s16le", rate=rate_hz, layout="mono")
        for number in range(count):
            for second in range(5):
                frame = av.VideoFrame(16, 16, "yuvj420p")
                frame.pts = 5 * number + second
                sink.mux(picture.encode(frame))
            block = tone if number % 2 == 0 else np.zeros_like(tone)
            sink.mux(sound.encode(to_frame(block, "mono", rate_hz, number * 5 * rate_hz)))
        sink.mux(picture.encode(None))
        sink.mux(sound.encode(None))
    blocks = (tone * np.float32(0.5) for _ in range(count))
    return path, write_wav(folder / f"{minutes}.wav", blocks, rate_hz, 1)
