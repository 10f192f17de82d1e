"""The job folder and its memory: where a film's results lie, which are whose, and what each was made from."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from narrascore.errors import InputError, UsageError
from narrascore.files import fingerprint, write_text

FORMAT = 1
MANIFEST_FILE = "manifest.json"
LOCK_FILE = ".lock"
FOLDER_SUFFIX = ".narrascore"
CONTAINERS = (".mp4", ".mkv")


class Manifest:
    """`manifest.json`: a dictionary on the disk, written whole after every step.

    Attributes:
        folder: the job folder.
        data: what is written; `stages` holds a key per finished stage, `files` a witness per result.
    """

    def __init__(self, folder: Path, data: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.data: dict[str, Any] = {"format": FORMAT, "state": "unfinished", "film": {}, **(data or {})}
        for name in ("stages", "files", "made_from", "stage_seconds"):
            self.data.setdefault(name, {})

    @classmethod
    def load(cls, folder: Path) -> Manifest | None:
        """Read a folder's manifest; None if there is none.

        Raises:
            InputError: if it cannot be read.
        """
        try:
            text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{folder / MANIFEST_FILE}: cannot be read ({error}); move the folder away") from error
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']}, this version writes {FORMAT}")
            return cls(folder, data)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{folder / MANIFEST_FILE}: not a job's manifest ({error}); move the folder away"
            ) from error

    def save(self) -> None:
        write_text(self.folder / MANIFEST_FILE, json.dumps(self.data, indent=2, ensure_ascii=False) + "\n")

    def finish_stage(self, stage: str, key: str, files: list[Path]) -> None:
        """Remember that a stage's files are there, and from what they were made."""
        self.data["stages"][stage] = key
        for path in files:
            self.data["files"][self.name_of(path)] = fingerprint(path)
        self.save()

    def has_stage(self, stage: str, key: str, files: list[Path]) -> bool:
        """Whether a stage was finished under this key and its files are still as it left them."""
        return self.data["stages"].get(stage) == key and all(self.is_ours(path) for path in files)

    def is_ours(self, path: Path) -> bool:
        """Whether a file exists and is byte for byte (as far as the fingerprint sees) what was written."""
        witness = self.data["files"].get(self.name_of(path))
        return witness is not None and fingerprint(path) == witness

    def is_known(self, path: Path) -> bool:
        """Whether this job wrote, or was about to write, a file under this name."""
        return self.name_of(path) in self.data["files"]

    def announce(self, paths: list[Path]) -> None:
        """Say that files are about to be written, so that after a kill they count as ours, and as unfinished."""
        for path in paths:
            self.data["files"][self.name_of(path)] = None
        self.save()

    def was_edited(self, path: Path) -> bool:
        """Whether a file that a user may edit is no longer what was written."""
        return path.is_file() and self.data["files"].get(self.name_of(path)) not in (None, fingerprint(path))

    def open_version(self) -> Path:
        """The `versions/N/` for results that are about to be replaced, with a copy of the manifest that told of them.

        It stays open until the job is finished: a run that goes on after a kill moves the rest to the same place.
        """
        versions = self.folder / "versions"
        if "version" not in self.data:
            taken = [path for path in versions.glob("*") if path.name.isdigit()]
            # One with a manifest and nothing else was made by a run that was killed before it said so below.
            used = [path for path in taken if [file.name for file in path.iterdir()] not in ([], [MANIFEST_FILE])]
            target = versions / str(max((int(path.name) for path in used), default=0) + 1)
            target.mkdir(parents=True, exist_ok=True)
            if (self.folder / MANIFEST_FILE).is_file():
                write_text(target / MANIFEST_FILE, (self.folder / MANIFEST_FILE).read_text(encoding="utf-8"))
            self.data["version"] = target.name
            self.save()
        return versions / str(self.data["version"])

    def close_version(self) -> None:
        """What is replaced from now on goes to a version of its own."""
        self.data.pop("version", None)

    def was_finished(self, path: Path) -> bool:
        """Whether a file is there and was not left by a run that was killed while it wrote it."""
        return path.exists() and self.data["files"].get(self.name_of(path), "") is not None

    def name_of(self, path: Path) -> str:
        """A file's name seen from the job folder: `music.wav`, `../a.scored.mp4`."""
        return Path(os.path.relpath(path, self.folder)).as_posix()


def find_folder(film: Path, identity: dict[str, object], output: Path | None) -> tuple[Path, Path | None]:
    """Choose the job folder of a film and, if the user named it, the path of the scored film.

    `a.mp4` has `a.narrascore`; if that is another film's (`a.mov`), `a.mp4.narrascore`. An output that is a folder (one
    that exists, or a name without a suffix) takes both; an output file has its job folder beside it, under its name.

    Raises:
        UsageError: if something else is in the way.
    """
    scored = None
    if output is None or output.is_dir() or not output.suffix:
        stems, parent = [film.stem, film.name], output or film.parent
    else:
        if output.suffix.lower() not in CONTAINERS:
            raise UsageError(f"{output.name}: a scored film is written as {' or '.join(CONTAINERS)}; rename it")
        if output.exists() and film.exists() and output.samefile(film):
            raise UsageError(f"{output}: that is the film itself; choose another place with -o")
        stems, parent, scored = [output.stem.removesuffix(".scored")], output.parent, output
    for stem in stems:
        folder = parent / (stem + FOLDER_SUFFIX)
        manifest = Manifest.load(folder)
        if manifest is None:
            _refuse_foreign(folder)
            return folder, scored
        made_for = manifest.data["film"]
        same = made_for.get("identity") == identity or made_for.get("path") == str(film.absolute())
        if made_for.get("name") == film.name and same:
            return folder, scored
    raise UsageError(f"{folder}: holds the music of another film, {made_for.get('path')}; choose another place with -o")


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir():
        strangers = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        if strangers:
            raise UsageError(
                f"{folder}: already holds {strangers[0]!r} and is no job of NarraScore; move it away or choose another "
                "place with -o"
            )
    elif folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder}: a file of that name is in the way; move it away or choose another place with -o")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one run. The system lets go of it when the run ends, however it ends: no lock grows stale.

    Raises:
        InputError: if another run holds it, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK_FILE).open("a+")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another place with -o") from error
    with file:
        try:
            _lock(file.fileno())
        except OSError as error:
            raise InputError(f"{folder}: another run is working on this film; wait for it or stop it") from error
        try:
            yield
        finally:
            if [path.name for path in folder.iterdir()] == [LOCK_FILE]:  # nothing came of it: leave no trace
                with contextlib.suppress(OSError):
                    (folder / LOCK_FILE).unlink()
                    folder.rmdir()


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
