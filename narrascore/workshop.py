"""A job's folder while a run works in it: what is set aside, what is begun, what the disk must hold."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from narrascore.composition import COMPOSITION_FILE
from narrascore.errors import InputError, UsageError
from narrascore.files import move, nearest, replace_folder
from narrascore.manifest import Manifest
from narrascore.media.film import Film
from narrascore.memory import return_freed_memory

EDITABLE = ("curve.csv", "anchor.json", "cues.csv")
"""What a user may change by hand between two runs."""
MARGIN_BYTES = 64 * 2**20
"""Left free on the disk beside what the results are expected to take."""
AAC_BYTES_PER_SECOND = 32_000
KEPT_BYTES_PER_SECOND = 20_000
"""Of the eye's states (the widest eye, every second seen twice), windows and codes together, at most."""


class Workshop:
    """The job folder of one run, which holds its lock.

    Attributes:
        folder: the job folder.
        scored: the scored film's path; None where there will be none.
        manifest: the folder's memory.
        version: this run's `versions/N/`, once something was moved there.
        ran: seconds of each stage that ran.
        sound_bytes_per_second: of rendered music, for the disk's sake.
        stems: whether there will be stems, likewise.
        other_takes: how many takes beside the kept one are rendered, likewise.
    """

    def __init__(self, film: Film, folder: Path, scored: Path | None, manifest: Manifest) -> None:
        if scored is not None and scored.exists() and not manifest.is_known(scored):
            raise UsageError(f"{scored}: is in the way and was not made by this job; move it away or choose -o")
        self.film, self.folder, self.scored, self.manifest = film, folder, scored, manifest
        self.version: Path | None = None
        self.ran: dict[str, float] = {}
        self.sound_bytes_per_second, self.stems = 0.0, False
        self.other_takes = 0

    def sweep(self) -> None:
        """Take away what a run that was killed had in the making."""
        folder = self.folder
        for orphan in folder.rglob(".narrascore-*.part"):
            orphan.unlink()
        for orphan in (*folder.glob(".*.partial"), *folder.glob("stems/.raw-*")):
            shutil.rmtree(orphan)

    def results(self) -> list[Path]:
        """Every file and folder that follows from the composed codes."""
        sounds = ("music.wav", "music.mid", "stems", "takes", "deliver", "project.otio")
        names = (*sounds, "scored_curve.csv", "figure.png", "report.html", "provenance.json")
        return [self.folder / name for name in names] + ([self.scored] if self.scored else [])

    def set_aside(self, paths: list[Path], *, with_windows: bool = False) -> None:
        """Move finished results to this run's `versions/N/`, with a copy of the manifest and of the codes.

        A run killed in between finds the rest and moves it to the same version next time. Nothing is moved if the disk
        could not hold what comes instead.
        """
        paths = [path for path in paths if self.manifest.was_finished(path)]
        if not paths:
            return
        self.check_disk(paths)
        self.version = self.manifest.open_version()
        if any((self.version / self._name_in_version(path)).exists() for path in paths):
            self.manifest.close_version()  # results of an unfinished run that are replaced in their turn
            self.version = self.manifest.open_version()
        windows = self.folder / "windows"
        if with_windows and not (self.version / "windows").exists():
            partial = self.folder / ".windows.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for path in (windows / name for name in (COMPOSITION_FILE, *EDITABLE)):
                if path.is_file():
                    shutil.copy2(path, partial)
            replace_folder(partial, self.version / "windows")
        for path in paths:
            move(path, self.version / self._name_in_version(path))

    def _name_in_version(self, path: Path) -> str:
        return path.name if path == self.scored else self.manifest.name_of(path)

    def start_anew(self) -> None:
        """Forget everything that was made; what a user would miss goes to `versions/N/`."""
        self.set_aside([self.folder / name for name in EDITABLE] + self.results(), with_windows=True)
        shutil.rmtree(self.folder / "windows", ignore_errors=True)
        kept = {"film": self.manifest.data["film"], "files": dict.fromkeys(self.manifest.data["files"])}
        if "version" in self.manifest.data:
            kept["version"] = self.manifest.data["version"]
        # Run again after a kill, the same --force goes on instead of starting anew once more.
        self.manifest = Manifest(self.folder, {**kept, "forced": True})
        self.manifest.save()

    @contextlib.contextmanager
    def stage(self, name: str, files: list[Path]) -> Iterator[None]:
        """Announce a stage's files and time it; before the first one, check the disk and say whose folder this is."""
        data = self.manifest.data
        if not self.ran:
            self.check_disk()
            data["state"] = "unfinished"
            data["film"] = {
                "name": self.film.path.name, "path": str(self.film.path), "identity": self.film.identity(),
                "duration_seconds": float(self.film.duration_seconds), "width": self.film.width,
                "height": self.film.height, "video_codec": self.film.video_codec,
            }  # fmt: skip
        self.manifest.announce(files)
        start = time.perf_counter()
        yield
        return_freed_memory()
        self.ran[name] = data["stage_seconds"][name] = round(time.perf_counter() - start, 3)

    def needed_bytes(self, redone: Collection[Path] = ()) -> float:
        """What the results of this job that are not there yet, or are about to be redone, may take on the disk."""
        seconds = float(self.film.duration_seconds)
        sound = seconds * self.sound_bytes_per_second

        def missing(path: Path) -> bool:
            return path in redone or not path.exists()

        needed = seconds * KEPT_BYTES_PER_SECOND
        if missing(self.folder / "music.wav"):
            needed += sound
        if self.stems and missing(self.folder / "stems"):
            needed += 12 * sound
        if missing(self.folder / "takes"):
            needed += self.other_takes * sound
        if self.scored is not None and missing(self.scored):
            needed += self.film.path.stat().st_size + seconds * AAC_BYTES_PER_SECOND
        return needed

    def free_bytes(self) -> int:
        """On the disk that holds the folder, or will hold it."""
        return shutil.disk_usage(nearest(self.folder)).free

    def check_disk(self, redone: Collection[Path] = ()) -> None:
        """Refuse a disk that could not hold the results.

        Raises:
            InputError: naming what is free and what is needed.
        """
        free, needed = self.free_bytes(), self.needed_bytes(redone) + MARGIN_BYTES
        if free < needed:
            raise InputError(
                f"{self.folder.parent}: {free >> 20} MiB are free where {int(needed) >> 20} MiB are needed; make room "
                "or choose another place with -o"
            )
