"""Films made for one purpose, stored without loss, so that what the eye reads is what was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from narrascore.media.film import Film

Picture = NDArray[np.uint8]


def write_film(path: Path, pictures: Sequence[Picture], rate_hz: int = 8) -> Film:
    """Pictures `[H, W, 3]` of one size as FFV1 in Matroska; at 8 Hz each is seen once by the eye."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=rate_hz)
        stream.pix_fmt = "bgr0"
        stream.height, stream.width = pictures[0].shape[:2]
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return Film.open(path)


def texture(seed: int, colour: tuple[int, int, int] = (128, 128, 128), height: int = 90, width: int = 160) -> Picture:
    """A smooth random pattern around a colour, seamless from right to left."""
    coarse = np.random.default_rng(seed).normal(size=(height // 10 + 2, width // 10, 1))
    rows = np.linspace(0, len(coarse) - 1.001, height)
    columns = np.linspace(0, coarse.shape[1], width, endpoint=False)
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[:, None, None], (columns - left)[None, :, None]
    next_left = (left + 1) % coarse.shape[1]
    pattern = (coarse[top][:, left] * (1 - right) + coarse[top][:, next_left] * right) * (1 - down)
    pattern += (coarse[top + 1][:, left] * (1 - right) + coarse[top + 1][:, next_left] * right) * down
    picture: Picture = np.clip(np.array(colour) + 40 * pattern, 0, 255).astype(np.uint8)
    return picture


def pan(picture: Picture, pixels_a_second: float, seconds: float, rate_hz: int = 8) -> list[Picture]:
    """The picture sliding sideways, over its own seam."""
    return [np.roll(picture, round(i * pixels_a_second / rate_hz), axis=1) for i in range(round(seconds * rate_hz))]


def cutting(seconds: float, shot_seconds: float, colour: tuple[int, int, int], speed: float = 0.0) -> list[Picture]:
    """Shots of different patterns, one after the other, each sliding at `speed` pixels a second."""
    shots = [pan(texture(100 + shot, colour), speed, shot_seconds) for shot in range(round(seconds / shot_seconds))]
    return [picture for shot in shots for picture in shot]
