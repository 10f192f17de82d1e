"""Prints what the embedded eye reads off video files, and how fast.

    python benchmarks/eye_ranges.py FILM [FILM ...]

One line a film: valence and arousal as minimum / median / maximum, cuts found, the anchor's sentence, and film seconds
read per second beside bare sequential decoding with the same reader and thread settings.
"""

from __future__ import annotations

import sys
import time

import av
import numpy as np
from numpy.typing import NDArray

from narrascore.media.film import Film
from narrascore.perception.cinematic import STATE_NAMES, CinematicEye
from narrascore.perception.cinematic_probe import CinematicProbe
from narrascore.perception.conceive import conceive_anchor


def print_ranges(paths: list[str]) -> None:
    """Read each film and print its line."""
    for path in paths:
        film = Film.open(path)
        bare_seconds = _decode(path)
        started = time.perf_counter()
        reading = CinematicEye().read(film)
        eye_seconds = time.perf_counter() - started
        curve = CinematicProbe()(reading.states)
        cuts = int(reading.states[:, STATE_NAMES.index("cuts")].sum())
        duration_seconds = float(film.duration_seconds)
        print(
            f"{film.path.name}: {duration_seconds:.1f} s, valence {_range(curve.valence)}, "
            f"arousal {_range(curve.arousal)}, {cuts} cuts, {duration_seconds / eye_seconds:.0f} x real time "
            f"({bare_seconds / eye_seconds:.0%} of bare decoding)\n    {conceive_anchor(reading, curve).sentence}"
        )


def _decode(path: str) -> float:
    started = time.perf_counter()
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for _ in container.decode(video=0):
            pass
    return time.perf_counter() - started


def _range(values: NDArray[np.float32]) -> str:
    return f"{values.min():+.2f} / {np.median(values):+.2f} / {values.max():+.2f}"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print_ranges(sys.argv[1:])
