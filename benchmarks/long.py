"""Films of any length: memory that does not grow with the film, and time that grows no faster than it.

    python -m benchmarks.long [--minutes 5 30 120] [--folder build/long] [--footage build/footage]

The films are real footage (recipes/footage.py) as one reel of 24 s, 256 x 144 at 24 pictures a second with sound,
which is encoded once and then repeated packet by packet. Each is scored by the embedded system in a process of its own.
Its memory is the sum over the process and its children of what is resident (pages that two share count twice), looked
at ten times a second, and at least what the system says of the process itself at its end. Seconds per stage come from
the manifest. The wanted: at the longest film at most 1.15 times the memory of the shortest, and time in proportion, of
the CPU where the machine had other work.

Films and job folders stay in the folder, so a stopped benchmark goes on: a finished film is taken from its `.json`, an
unfinished one is gone on with, and then says so, since its time and memory are those of its last run alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import date
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from benchmarks.processes import watch
from narrascore.media.audio import read_audio
from narrascore.media.film import Film
from narrascore.media.samples import to_frame
from recipes.footage import DEFAULT_FOLDER, fetch_footage

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "long.json"
MOST_MEMORY = 1.15
WIDTH, HEIGHT, RATE_HZ, SAMPLE_RATE_HZ = 256, 144, 24, 48_000
REEL_SECONDS = 24
"""A whole number of pictures and of AAC's frames of 1024 samples, so that reel follows reel without a seam."""
LIBRARIES = ("narrascore", "torch", "transformers", "numpy", "av")


def make_reel(footage: Path, path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Encode the footage's clips one after another, over and over, as one reel of (width, height) with the sound that
    they have."""
    clips = [Film.open(clip) for clip in fetch_footage(footage).values()]
    partial = path.with_suffix(".partial")
    with av.open(str(partial), "w", format="mp4") as sink:
        picture: Any = sink.add_stream("libx264", rate=RATE_HZ, options={"bf": "0", "crf": "30", "threads": "1"})
        (picture.width, picture.height), picture.pix_fmt = size, "yuv420p"
        sound: Any = sink.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="stereo")
        seconds = Fraction(0)
        shown = heard = 0
        while seconds < REEL_SECONDS:
            clip = clips.pop(0)
            clips.append(clip)
            lasts = min(Fraction(int(clip.duration_seconds * 3), 3), REEL_SECONDS - seconds)  # whole pictures
            for frame in clip.frames(RATE_HZ, height=size[1]):
                if frame.seconds >= lasts:
                    break
                image = VideoFrame.from_ndarray(frame.image, format="rgb24").reformat(*size, "yuv420p")
                image.pts, image.time_base, shown = shown, Fraction(1, RATE_HZ), shown + 1
                sink.mux(picture.encode(image))
            samples = int(lasts * SAMPLE_RATE_HZ)
            sink.mux(sound.encode(to_frame(_sound_of(clip, samples), "stereo", SAMPLE_RATE_HZ, heard)))
            seconds, heard = seconds + lasts, heard + samples
        sink.mux(picture.encode(None))
        sink.mux(sound.encode(None))
    partial.replace(path)


def make_film(reel: Path, path: Path, minutes: float) -> None:
    """Repeat the reel's packets until the film is as long as wanted; the last reel may be cut short."""
    partial = path.with_suffix(".partial")
    with av.open(str(partial), "w", format="mp4") as sink:
        with av.open(str(reel)) as source:
            copies = [sink.add_stream_from_template(stream) for stream in source.streams]
        for first in range(0, round(minutes * 60), REEL_SECONDS):
            with av.open(str(reel)) as source:
                for packet in source.demux():
                    if packet.pts is None or packet.dts is None:
                        continue  # the demuxer's end mark
                    at = packet.pts * packet.time_base
                    if first + at >= minutes * 60 or (first > 0 and at < 0):
                        continue  # beyond the film, or the encoder's lead-in, which the reel before has
                    packet.pts += round(first / packet.time_base)
                    packet.dts += round(first / packet.time_base)
                    packet.stream = copies[packet.stream_index]
                    sink.mux(packet)
    os.replace(partial, path)


def score(film: Path) -> dict[str, Any]:
    """Score a film, or go on with it, in a process of its own."""
    folder = film.parent / f"{film.stem}.narrascore"
    resumed = folder.is_dir()
    usage = watch([sys.executable, str(ROOT / "scripts" / "score_video.py"), str(film), "--offline"])
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {**vars(usage), "stage_seconds": manifest["stage_seconds"], "resumed": resumed}


def about_the_run() -> dict[str, Any]:
    """Where and with what a benchmark ran."""
    return {
        "date": date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    }


def to_markdown(rows: list[dict[str, Any]]) -> str:
    """The table, each row beside the shortest film's, and whether the wanted was reached."""
    rows = sorted(rows, key=lambda row: row["minutes"])
    least = rows[0]
    lines = [
        "| film | peak memory | beside the shortest | whole command | CPU | seconds per film second | stages |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in row["stage_seconds"].items())
        ratio, share = row["peak_mib"] / least["peak_mib"], row["seconds"] / row["minutes"] / 60
        resumed = " (resumed: of the last run alone)" if row["resumed"] else ""
        lines.append(
            f"| {row['minutes']:g} min{resumed} | {row['peak_mib']:.0f} MiB | {ratio:.2f} | {row['seconds']:.1f} s | "
            f"{row['cpu_seconds']:.1f} s | {share:.2f} | {stages} |"
        )
    most = rows[-1]
    memory = most["peak_mib"] / least["peak_mib"]
    pace, work = (
        (most[kind] / most["minutes"]) / (least[kind] / least["minutes"]) for kind in ("seconds", "cpu_seconds")
    )
    verdict = "reached" if memory <= MOST_MEMORY else "MISSED"
    lines += [
        "",
        f"Memory at {most['minutes']:g} min: {memory:.2f} x that at {least['minutes']:g} min, at most {MOST_MEMORY} "
        f"wanted: {verdict}. Time for a film second: {pace:.2f} x, of CPU {work:.2f} x.",
    ]
    return "\n".join(lines)


def _sound_of(clip: Film, samples: int) -> np.ndarray:
    """The clip's own sound, cut to `samples`, or the softest noise."""
    if clip.audio_tracks:
        sound = np.concatenate(list(read_audio(clip, sample_rate_hz=SAMPLE_RATE_HZ, layout="stereo")), axis=1)
        return np.pad(sound, ((0, 0), (0, max(0, samples - sound.shape[1]))))[:, :samples]
    return np.random.default_rng(0).normal(0, 0.003, (2, samples)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 30, 120])
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "long", help="films and job folders")
    parser.add_argument("--footage", type=Path, default=DEFAULT_FOLDER, help="the clips, fetched if need be")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the numbers as JSON")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    reel = args.folder / "reel.mp4"
    if not reel.is_file():
        make_reel(args.footage, reel)
    rows = []
    for minutes in args.minutes:
        film, measured = (args.folder / f"film-{minutes:g}min{suffix}" for suffix in (".mp4", ".json"))
        if not film.is_file():
            make_film(reel, film, minutes)
        if not measured.is_file():
            print(f"scoring {film.name}", file=sys.stderr, flush=True)
            measured.write_text(json.dumps({"minutes": minutes, **score(film)}), encoding="utf-8")
        rows.append(json.loads(measured.read_text(encoding="utf-8")))
    args.results.parent.mkdir(parents=True, exist_ok=True)
    args.results.write_text(json.dumps({**about_the_run(), "films": rows}, indent=2) + "\n", encoding="utf-8")
    print(to_markdown(rows))


if __name__ == "__main__":
    main()
