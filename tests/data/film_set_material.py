"""Folders laid out as the downloaded film sets are, with films of a few seconds."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

SECONDS = 6
Labels = Sequence[tuple[float, float, float]]


def ramp(seconds: float = SECONDS, rate_hz: float = 1.0, start: float = 0.0) -> Labels:
    """(time, valence, arousal): valence rises by a tenth a second from -0.5, arousal falls by as much from 0.5."""
    times = [start + index / rate_hz for index in range(round(seconds * rate_hz))]
    return [(time, round(-0.5 + time / 10, 6), round(0.5 - time / 10, 6)) for time in times]


def lay_film(film: Path, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(film, path)
    return path


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def liris(root: Path, film: Path, movies: Iterable[str], labels: Labels | None = None) -> Path:
    """LIRIS-ACCEDE continuous, as its two archives unpack."""
    for movie in movies:
        lay_film(film, root / "LIRIS-ACCEDE-continuous-movies" / "continuous-movies" / f"{movie}.mp4")
        for column, dimension in enumerate(("Valence", "Arousal"), 1):
            rows = [f"{row[0]:g}\t{row[column]:.6f}\t0.1" for row in labels or ramp()]
            write_lines(liris_file(root, movie, dimension), ["Time\tMean\tStd", *rows])
    return root


def liris_file(root: Path, movie: str, dimension: str) -> Path:
    folder = root / "LIRIS-ACCEDE-continuous-annotations" / "continuous-annotations"
    return folder / f"{movie}_{dimension}.txt"


def mediaeval(root: Path, film: Path, numbers: Iterable[int], delimiter: str = "\t") -> Path:
    """MediaEval 2018, as its archives unpack."""
    for number in numbers:
        part = "TestSet" if number > 53 else "DevSet-Part1"
        name = f"MEDIAEVAL18_{number:02d}"
        lay_film(film, root / f"MEDIAEVAL18-{part}-Data" / "data" / f"{name}.mp4")
        rows = [delimiter.join(f"{value:g}" for value in row) for row in ramp()]
        write_lines(mediaeval_file(root, number), [delimiter.join(("Time", "Valence", "Arousal")), *rows])
    return root


def mediaeval_file(root: Path, number: int) -> Path:
    part = "TestSet" if number > 53 else "DevSet-Part1"
    folder = root / f"MEDIAEVAL18-{part}-Valence_Arousal-annotations" / "annotations"
    return folder / f"MEDIAEVAL18_{number:02d}_Valence-Arousal.txt"


def cognimuse(root: Path, film: Path, movies: Iterable[str], viewings: Iterable[str] = ("1_1", "1_2", "2_1")) -> Path:
    """COGNIMUSE, its films laid beside by the user."""
    for movie in movies:
        lay_film(film, root / f"{movie}.mp4")
        for viewing in viewings:
            rows = [f"{time:g} {valence:.3f} {arousal:.3f}" for time, valence, arousal in ramp(rate_hz=25)]
            write_lines(cognimuse_file(root, viewing, movie), rows)
    return root


def cognimuse_file(root: Path, viewing: str, movie: str) -> Path:
    return root / "Emotion Annotation" / "experienced" / f"subj{viewing}_{movie}.dat"


def folder(root: Path, film: Path, names: Iterable[str], labels: Labels | None = None) -> Path:
    """Films with a table beside each."""
    for name in names:
        lay_film(film, root / f"{name}.mp4")
        rows = [",".join(f"{value:g}" for value in row) for row in labels or ramp()]
        write_lines(root / f"{name}.csv", ["time_seconds,valence,arousal", *rows])
    return root
