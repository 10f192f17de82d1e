"""Small films as cameras and editors write them: H.264 with or without sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def write_clip(
    path: Path, seconds: float = 2.4, *, sound: bool = True, rate_hz: int = 10, codec: str = "libx264", seed: int = 0
) -> Path:
    """A film of 64 x 48 pixels whose colours drift and cut once; its sound is a soft tone in mono."""
    noise = np.random.default_rng(seed)
    shots = noise.integers(0, 255, size=(2, 48, 64, 3))
    with av.open(str(path), "w") as container:
        picture: Any = container.add_stream(codec, rate=rate_hz)
        picture.width, picture.height = 64, 48
        picture.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
        tone = container.add_stream("aac", rate=48_000, layout="mono") if sound else None
        count = round(seconds * rate_hz)
        for index in range(count):
            image = np.roll(shots[2 * index // count], index, axis=1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate_hz)
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        if tone is not None:
            samples = 0.1 * np.sin(np.arange(round(seconds * 48_000)) * 2 * np.pi * 220 / 48_000)
            for start in range(0, len(samples), 1024):
                block = samples[start : start + 1024].astype(np.float32)[None]
                audio = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                audio.sample_rate, audio.pts = 48_000, start
                container.mux(tone.encode(audio))
            container.mux(tone.encode())
    return path
