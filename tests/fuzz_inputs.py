"""Damage small films by chance and read each one: `python tests/fuzz_inputs.py --files 2000 --seed 0`.

Every file must be read or be refused with an error of ours. A decoder that crashes or falls silent in its own process
is a refusal too, and is counted apart. The run fails if the reader itself hangs, dies, or raises anything else. File
number n of a seed is the same each time, alone (`--first n --files 1`) or among others.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from narrascore.errors import NarraScoreError  # noqa: E402
from narrascore.media import watchdog  # noqa: E402
from narrascore.media.audio import read_audio  # noqa: E402
from narrascore.media.child import DecoderFailedError  # noqa: E402
from narrascore.media.film import Film  # noqa: E402
from narrascore.media.song import read_song  # noqa: E402
from tests import odd_films  # noqa: E402
from tests.media.films import Track, make_film, tone  # noqa: E402

SILENCE_SECONDS = 20.0
"""No packet of films this small takes so long, even on a busy machine."""

HANG_SECONDS = 300.0
"""A file that takes so long in all has hung the reader."""

MAX_FRAMES = 60
"""Frames read of each film, spread over whatever length it claims: a broken clock may claim days."""

EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\x01", b"\xff\xff\xff\xfe")

OUTCOMES = ("read", "refused", "crashed", "silent", "wrong")


def main(words: list[str] | None = None) -> int:
    """Returns 0 if every file was read or refused, 1 if the reader did wrong on any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no file after this time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="files read at once")
    parser.add_argument("--keep", type=Path, help="folder for the files that a decoder or the reader died of")
    asked = parser.parse_args(words)
    watchdog.SILENCE_SECONDS = SILENCE_SECONDS
    until = time.monotonic() + asked.seconds
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(asked.jobs) as pool:
        films = make_films(Path(folder))
        whole = {film.name: read(film) for film in films}
        assert all(outcome == "read" for outcome, _ in whole.values()), whole

        def one(number: int) -> tuple[int, Path, str, str] | None:
            if time.monotonic() > until:
                return None
            film = films[number % len(films)]
            path = Path(folder) / f"{number}{film.suffix}"
            path.write_bytes(damage(film.read_bytes(), np.random.default_rng((asked.seed, number))))
            outcome, why = read(path)
            if asked.keep and outcome not in ("read", "refused"):
                asked.keep.mkdir(parents=True, exist_ok=True)
                (asked.keep / path.name).write_bytes(path.read_bytes())
            path.unlink()
            return number, film, outcome, why

        for answer in pool.map(one, range(asked.first, asked.first + asked.files)):
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)  # none for so long: the reader hangs
            if answer is None:
                break
            number, film, outcome, why = answer
            counts[film.name][outcome] += 1
            if outcome not in ("read", "refused"):
                print(f"file {number} (from {film.name}) {outcome}: {why}", flush=True)
        faulthandler.cancel_dump_traceback_later()
    report(counts)
    return 1 if any(count["wrong"] for count in counts.values()) else 0


def make_films(folder: Path) -> list[Path]:
    """Whole films of half a second in many containers and codecs, most with sound; the same bytes each time."""

    def make(name: str, codec: str = "libx264", sound: str | None = "aac", seconds: float = 0.5, **more: Any) -> Path:
        # One thread and no rate control: x264 otherwise writes other bytes each time, as MKV does with its ids.
        even = {"threads": "1"} | ({"qp": "20"} if codec == "libx264" else {})
        container = {"fflags": "+bitexact", **more.pop("container_options", {})}
        track = Track(tone(0.5), codec=sound) if sound else None
        return make_film(
            folder / name, seconds, codec=codec, audio=track, options=even, container_options=container, **more
        )

    return [
        make("h264.mp4", chapters=[(0, 0.4, "one")]),
        make("fragmented.mp4", container_options={"movflags": "frag_keyframe+empty_moov"}),
        make("turned.mov", "mjpeg", "pcm_s16le", pix_fmt="yuvj420p", rotation=90),
        make("h264.mkv", sound="flac", subtitles=[(0.1, 0.3, "Hush.")]),
        make("ffv1.mkv", "ffv1", "libopus", 0.2, size=(15, 9)),
        make("vp8.webm", "libvpx", "libopus"),
        make("mpeg4.avi", "mpeg4", "libmp3lame"),
        make("h264.avi", sound="pcm_s16le"),
        make("h264.ts"),
        make("mpeg2.mpg", "mpeg2video", "mp2"),
        make("flv1.flv", "flv"),
        make("wmv2.asf", "wmv2", "libmp3lame"),
        make("a.gif", "gif", None, rate=10),
        make("a.png", sound=None, seconds=0.04, **odd_films.PNG),
        odd_films.sound_only(folder / "a.wav", "pcm_s16le", 0.5),
        odd_films.sound_only(folder / "a.flac", "flac", 0.5),
        odd_films.sound_only(folder / "a.m4a", "aac", 0.5),
    ]


def damage(data: bytes, noise: np.random.Generator) -> bytes:
    """The bytes after one to four accidents, most of them near the head, where a container keeps its sizes."""
    spoilt = bytearray(data)
    for _ in range(noise.integers(1, 5)):
        accident = _ACCIDENTS[noise.integers(len(_ACCIDENTS))]
        reach = len(spoilt) if noise.random() < 0.5 else min(len(spoilt), 1024)
        accident(spoilt, int(noise.integers(max(1, reach))), noise)
    return bytes(spoilt)


def _flip(data: bytearray, at: int, noise: np.random.Generator) -> None:
    for place in at + noise.integers(0, 64, noise.integers(1, 9)):
        if place < len(data):
            data[place] ^= 1 << int(noise.integers(8))


def _scribble(data: bytearray, at: int, noise: np.random.Generator) -> None:
    part = data[at : at + int(noise.integers(1, 400))]
    data[at : at + len(part)] = noise.bytes(len(part))


def _blank(data: bytearray, at: int, noise: np.random.Generator) -> None:
    part = data[at : at + int(noise.integers(1, 400))]
    data[at : at + len(part)] = bytes(len(part))


def _go_to_extremes(data: bytearray, at: int, noise: np.random.Generator) -> None:
    data[at : at + 4] = EXTREMES[noise.integers(len(EXTREMES))][: len(data) - at]


def _leave_out(data: bytearray, at: int, noise: np.random.Generator) -> None:
    del data[at : at + int(noise.integers(1, 200))]


def _say_twice(data: bytearray, at: int, noise: np.random.Generator) -> None:
    data[at:at] = data[at : at + int(noise.integers(1, 2000))]


def _cut(data: bytearray, at: int, noise: np.random.Generator) -> None:
    del data[max(at, 16) :]


_ACCIDENTS: tuple[Callable[[bytearray, int, np.random.Generator], None], ...] = (
    _flip, _flip, _scribble, _blank, _go_to_extremes, _go_to_extremes, _leave_out, _say_twice, _cut
)  # fmt: skip


def read(path: Path) -> tuple[str, str]:
    """Probe a file and read its frames and its sound, or as a song; (outcome, why)."""
    try:
        if path.suffix in (".wav", ".flac"):
            for _ in read_song(path, 48_000, 2):
                pass
        film = Film.open(path, still_seconds=0.2, needs_picture=path.suffix not in (".wav", ".flac", ".m4a"))
        rate = min(Fraction(25), Fraction(MAX_FRAMES) / film.duration_seconds)
        for frame in film.frames(rate, height=36):
            assert frame.image.shape[0] == 36
        sounds = [track.index for track in film.audio_tracks if track.channels]
        if sounds and film.duration_seconds < MAX_FRAMES:
            for _ in read_audio(film, sounds[0]):
                pass
    except DecoderFailedError as error:
        return ("silent" if error.silent else "crashed"), str(error)
    except NarraScoreError as error:
        return ("refused", str(error)) if "\n" not in str(error) else ("wrong", f"two lines: {error}")
    except Exception:
        return "wrong", traceback.format_exc()
    return "read", ""


def report(counts: dict[str, collections.Counter[str]]) -> None:
    """A table: a row for each film that was damaged, and one for all."""
    rows = [*sorted(counts.items()), ("all", sum(counts.values(), collections.Counter()))]
    print(f"{'':<16}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES))
    for name, count in rows:
        print(f"{name:<16}" + "".join(f"{count[outcome]:>9}" for outcome in OUTCOMES))


if __name__ == "__main__":
    sys.exit(main())
