"""A job's folder while a run works in it: what is set aside, what is begun, what the disk must hold."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from narrascore.errors import InputError, UsageError
from narrascore.manifest import Manifest
from narrascore.media.film import Film

EDITABLE = ("curve.csv", "anchor.json")
"""What a user may change by hand between two runs."""
MARGIN_BYTES = 64 * 2**20
"""Left free on the disk beside what the results are expected to take."""
AAC_BYTES_PER_SECOND = 32_000


class Workshop:
    """The job folder of one run, which holds its lock.

    Attributes:
        folder: the job folder.
        scored: the scored film's path; None where there will be none.
        manifest: the folder's memory.
        version: this run's `versions/N/`, once something was moved there.
        ran: seconds of each stage that ran.
    """

    def __init__(self, film: Film, folder: Path, scored: Path | None, manifest: Manifest) -> None:
        if scored is not None and scored.exists() and not manifest.is_known(scored):
            raise UsageError(f"{scored}: is in the way and was not made by this job; move it away or choose -o")
        self.film, self.folder, self.scored, self.manifest = film, folder, scored, manifest
        self.version: Path | None = None
        self.ran: dict[str, float] = {}
        for orphan in folder.glob(".*.part"):
            orphan.unlink()

    def results(self) -> list[Path]:
        """Every file and folder that follows from the composed codes."""
        names = ("music.wav", "music.mid", "stems", "deliver", "figure.png", "report.html")
        return [self.folder / name for name in names] + ([self.scored] if self.scored else [])

    def set_aside(self, paths: list[Path], *, with_windows: bool = False) -> None:
        """Move finished results to this run's `versions/N/`, with a copy of the manifest and of the windows.

        The manifest is changed after the files: a run killed in between finds the rest and moves it next time.
        """
        paths = [path for path in paths if self.manifest.was_finished(path)]
        if not paths:
            return
        if self.version is None:
            self.version = self.manifest.new_version()
        windows = self.folder / "windows"
        if with_windows and windows.is_dir() and not (self.version / "windows").exists():
            shutil.copytree(windows, self.version / "windows")
        for path in paths:
            shutil.move(path, self.version / path.name)

    def start_anew(self) -> None:
        """Forget everything that was made; what a user would miss goes to `versions/N/`."""
        self.set_aside([self.folder / name for name in EDITABLE] + self.results(), with_windows=True)
        shutil.rmtree(self.folder / "windows", ignore_errors=True)
        known = {name: None for name in self.manifest.data["files"]}
        self.manifest = Manifest(self.folder, {"film": self.manifest.data["film"], "files": known})
        self.manifest.save()

    @contextlib.contextmanager
    def stage(self, name: str, files: list[Path], needed_bytes: float = 0) -> Iterator[None]:
        """Announce a stage's files and time it; before the first one, check the disk and say whose folder this is."""
        data = self.manifest.data
        if not self.ran:
            self._check_disk(needed_bytes)
            data["state"] = "unfinished"
            data["film"] = {
                "name": self.film.path.name, "path": str(self.film.path), "identity": self.film.identity(),
                "duration_seconds": float(self.film.duration_seconds), "width": self.film.width,
                "height": self.film.height, "video_codec": self.film.video_codec,
            }  # fmt: skip
        self.manifest.announce(files)
        start = time.perf_counter()
        yield
        self.ran[name] = data["stage_seconds"][name] = round(time.perf_counter() - start, 3)

    def needed_bytes(self, sample_rate_hz: int, channels: int, *, stems: bool) -> float:
        """What the results of this job may take on the disk, while they are made."""
        seconds = float(self.film.duration_seconds)
        sound = seconds * sample_rate_hz * channels * 3
        film = self.film.path.stat().st_size + seconds * AAC_BYTES_PER_SECOND if self.scored else 0
        return sound * (13 if stems else 1) + film

    def _check_disk(self, needed_bytes: float) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < needed_bytes + MARGIN_BYTES:
            raise InputError(
                f"{self.folder.parent}: {free >> 20} MiB are free where {int(needed_bytes + MARGIN_BYTES) >> 20} MiB "
                "are needed; make room or choose another place with -o"
            )
