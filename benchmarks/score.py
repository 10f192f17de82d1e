"""The whole command against the film's own length: seconds per stage, and the most memory it took.

    python benchmarks/score.py FILM [FILM ...] [--runs 3]

The reference is real time: a ratio under 1 means that the film takes longer to watch than to score. Every run is a new
process with a new folder, loading included; the median run is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from narrascore.media.film import Film

COMMAND = Path(__file__).parents[1] / "scripts" / "score_video.py"


def measure(film: Path, folder: Path) -> tuple[float, float, dict[str, float]]:
    """(wall seconds, peak memory in MiB, seconds per stage) of one run."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, COMMAND, film, "-o", folder, "--offline"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"scoring {film.name} failed with status {os.waitstatus_to_exitcode(status)}")
    manifest = next(folder.glob("*.narrascore/manifest.json"))
    stages = json.loads(manifest.read_text(encoding="utf-8"))["stage_seconds"]
    return time.perf_counter() - began, usage.ru_maxrss / 1024, stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, nargs="+", metavar="FILM")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    print("| film | length | whole command | ratio to real time | peak memory | stages |")
    print("|---|---|---|---|---|---|")
    for path in args.films:
        film, runs = Film.open(path), []
        for _ in range(args.runs):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(measure(path, Path(folder)))
        wall, memory, stages = sorted(runs, key=lambda run: run[0])[len(runs) // 2]
        length = float(film.duration_seconds)
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items())
        picture = f"{path.name} ({film.width}x{film.height})"
        print(f"| {picture} | {length:.1f} s | {wall:.1f} s | {wall / length:.2f} | {memory:.0f} MiB | {parts} |")


if __name__ == "__main__":
    main()
