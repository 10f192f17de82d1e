"""The embedded eye beside bare sequential decoding of the same file, with the same reader and thread settings.

    python -m benchmarks.embedded_eye [FILM ...] [--rounds 5]

Without a FILM it is the film of `end_to_end`.

The eye decodes in a process of its own, scales, measures and hands over; bare decoding throws every picture away. Each
round does one after the other, and the medians count. The wanted: at least 80 % of the speed of bare decoding. CPU
seconds, those of the decoding process too, tell whether the machine had other work, which makes the wall clock
worthless: on a machine with nothing to spare their ratio is what is left of it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from benchmarks.end_to_end import FOLDER, three_minutes
from benchmarks.long import about_the_run
from benchmarks.processes import cpu_seconds
from narrascore.media.film import Film
from narrascore.media.frames import DECODER_THREADS
from narrascore.perception.cinematic import CinematicEye
from recipes.footage import DEFAULT_FOLDER

RESULTS = Path(__file__).parent / "results" / "embedded_eye.json"
WANTED = 0.8


def decode(path: Path) -> None:
    """Decode every picture and keep none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", DECODER_THREADS
        for _ in container.decode(video=0):
            pass


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall, CPU) seconds."""
    wall, cpu = time.perf_counter(), cpu_seconds(os.getpid())
    work()
    return time.perf_counter() - wall, cpu_seconds(os.getpid()) - cpu


def compare(path: Path, rounds: int) -> dict[str, Any]:
    """Medians of both over the rounds."""
    film, eye = Film.open(path), CinematicEye()
    eye.read(film)  # starts the decoding process, and brings the file into memory
    bare, read = [], []
    for _ in range(rounds):
        bare.append(timed(lambda: decode(path)))
        read.append(timed(lambda: eye.read(film)))
    middle = [[statistics.median(column) for column in zip(*runs, strict=True)] for runs in (bare, read)]
    seconds = float(film.duration_seconds)
    return {
        "film": f"{path.name}, {film.width}x{film.height}, {film.video_codec}, {film.rate_hz:g} Hz",
        "seconds": round(seconds, 2), "rounds": rounds,
        "bare_wall": middle[0][0], "bare_cpu": middle[0][1], "eye_wall": middle[1][0], "eye_cpu": middle[1][1],
        "share_of_bare_speed": middle[0][0] / middle[1][0], "cpu_share": middle[0][1] / middle[1][1],
    }  # fmt: skip


def to_markdown(record: dict[str, Any]) -> str:
    """A row for each film."""
    lines = [
        "| film | bare decoding | the eye | x real time | share of bare speed | CPU: bare | the eye | share |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in record["films"]:
        reached = "" if row["share_of_bare_speed"] >= WANTED else " (missed)"
        lines.append(
            f"| {row['film']}, {row['seconds']:.1f} s | {row['bare_wall']:.2f} s | {row['eye_wall']:.2f} s | "
            f"{row['seconds'] / row['eye_wall']:.0f} | {row['share_of_bare_speed']:.0%}{reached} | "
            f"{row['bare_cpu']:.2f} s | {row['eye_cpu']:.2f} s | {row['cpu_share']:.0%} |"
        )
    lines += ["", f"{record['machine']}, {record['date']}; {WANTED:.0%} of the speed of bare decoding is wanted."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, nargs="*", metavar="FILM")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    films = args.films or [three_minutes(FOLDER, DEFAULT_FOLDER)]
    record = {**about_the_run(), "films": [compare(path, args.rounds) for path in films]}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(to_markdown(record))


if __name__ == "__main__":
    main()
