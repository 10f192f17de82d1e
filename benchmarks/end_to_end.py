"""The whole command against the film's own length: seconds per stage, and the most memory it took.

    python -m benchmarks.end_to_end [FILM ...] [--runs 3] [--folder build/end_to_end] [--footage build/footage]

Without a FILM it is three minutes of real footage (recipes/footage.py), 1280 x 720 with sound: a reel of 24 s repeated.
The reference is real time: a factor under 1 means that the film takes longer to watch than to score. Every run is
`score_video.py` in a new process with a new folder, so starting Python, importing the libraries and loading the models
is part of it; it is what the stages leave of the whole. The median run by wall clock counts. CPU seconds beside it tell
whether the machine had other work, which makes the wall clock worthless.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.long import ROOT, about_the_run, make_film, make_reel
from benchmarks.processes import watch
from narrascore.media.film import Film
from recipes.footage import DEFAULT_FOLDER

RESULTS = ROOT / "benchmarks" / "results" / "end_to_end.json"
FOLDER = ROOT / "build" / "end_to_end"
SIZE, MINUTES = (1280, 720), 3


def three_minutes(folder: Path, footage: Path) -> Path:
    """The film that is scored if none is named; made once."""
    reel, film = folder / "reel.mp4", folder / "footage.mp4"
    if not film.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        make_reel(footage, reel, SIZE)
        make_film(reel, film, MINUTES)
    return film


def measure(path: Path, runs: int) -> dict[str, Any]:
    """The median of several runs."""
    film, found = Film.open(path), []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            script = str(ROOT / "scripts" / "score_video.py")
            usage = watch([sys.executable, script, str(path), "-o", folder, "--offline"])
            manifest = json.loads(next(Path(folder).glob("*.narrascore/manifest.json")).read_text(encoding="utf-8"))
        stages = manifest["stage_seconds"]
        found.append({**vars(usage), "loading_seconds": round(usage.seconds - sum(stages.values()), 1),
                      "stage_seconds": stages, "engine": manifest["environment"]["engine"]})  # fmt: skip
    median = sorted(found, key=lambda run: run["seconds"])[len(found) // 2]
    sound = "with sound" if film.audio_tracks else "silent"
    return {
        "film": f"{path.stem}, {film.width}x{film.height}, {sound}", "film_seconds": float(film.duration_seconds),
        "runs": runs, **median,
    }  # fmt: skip


def to_markdown(record: dict[str, Any]) -> str:
    """A row for each film."""
    lines = [
        "| film | length | whole command | real-time factor | CPU | peak memory | loading | stages |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in record["films"]:
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in row["stage_seconds"].items())
        lines.append(
            f"| {row['film']} | {row['film_seconds']:.1f} s | {row['seconds']:.1f} s | "
            f"{row['seconds'] / row['film_seconds']:.2f} | {row['cpu_seconds']:.1f} s | {row['peak_mib']:.0f} MiB | "
            f"{row['loading_seconds']:.1f} s | {stages} |"
        )
    runs = ", ".join(sorted({str(row["runs"]) for row in record["films"]}))
    engines = ", ".join(sorted({row["engine"] for row in record["films"]}))
    lines += ["", f"{record['machine']}, {record['date']}; the median of {runs} runs, engine {engines}. Loading is "
                  "starting Python, importing the libraries and loading the models."]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, nargs="*", metavar="FILM")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the film that is made")
    parser.add_argument("--footage", type=Path, default=DEFAULT_FOLDER, help="the clips, fetched if need be")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the numbers as JSON")
    args = parser.parse_args()
    films = args.films or [three_minutes(args.folder, args.footage)]
    record = {**about_the_run(), "films": [measure(film, args.runs) for film in films]}
    args.results.parent.mkdir(parents=True, exist_ok=True)
    args.results.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(to_markdown(record))


if __name__ == "__main__":
    main()
