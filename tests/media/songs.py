"""Songs rendered for tests: tones, clicks and noise, written in the formats that music sets have."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from narrascore.media.samples import to_frame

Sound = NDArray[np.float32]
RATE_HZ = 44_100
CODECS = {".mp3": "libmp3lame", ".flac": "flac", ".m4a": "aac", ".wav": "pcm_s16le"}
FRAME_SAMPLES = 1152


def write_song(path: Path, sound: Sound, rate_hz: int = RATE_HZ) -> Path:
    """Write `[C, n]`, C 1 or 2, in the format that the ending names."""
    layout = "mono" if len(sound) == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=rate_hz, layout=layout)
        resampler = av.AudioResampler(stream.format, layout, rate_hz, frame_size=stream.codec_context.frame_size or 0)
        for start in range(0, sound.shape[1], FRAME_SAMPLES):
            frame = to_frame(np.ascontiguousarray(sound[:, start : start + FRAME_SAMPLES]), layout, rate_hz, start)
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))
        for part in resampler.resample(None):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def click_track(seconds: float, at: float) -> Sound:
    """A click over faint noise, in stereo."""
    sound = np.random.default_rng(0).standard_normal((2, round(seconds * RATE_HZ))) * 0.005
    begin = round(at * RATE_HZ)
    sound[:, begin : begin + 40] = 0.9
    return sound.astype(np.float32)


def melody(seconds: float, seed: int = 0, level: float = 0.3) -> Sound:
    """A new tone every half second over faint noise, in stereo, `[2, n]`."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * RATE_HZ)
    pitch = np.repeat(220 * 2 ** (rng.integers(0, 24, int(2 * seconds) + 1) / 12), RATE_HZ // 2)[:samples]
    tone = level * np.sin(2 * np.pi * np.cumsum(pitch) / RATE_HZ)
    return (np.stack([tone, 0.8 * tone]) + 0.01 * rng.standard_normal((2, samples))).astype(np.float32)
