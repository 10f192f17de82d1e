"""Freeing the disk of what a finished job no longer needs; its results stay, and it stays finished."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from narrascore.errors import InputError
from narrascore.manifest import FOLDER_SUFFIX, MANIFEST_FILE, Manifest, locked


def find_jobs(path: Path) -> list[Path]:
    """Job folders: the one named, those inside a folder, or that of a film.

    Raises:
        InputError: if there is none.
    """
    if path.is_dir():
        found = [path] if _is_job(path) else sorted(filter(_is_job, path.glob(f"*{FOLDER_SUFFIX}")))
    else:
        beside = [path.with_name(stem + FOLDER_SUFFIX) for stem in (path.stem, path.name)]
        found = [folder for folder in beside if _is_job(folder) and _film_of(folder) == path.name]
    if not found:
        raise InputError(f"{path}: no job folder there; name a film, its {FOLDER_SUFFIX} folder, or a folder of these")
    return found


def clean_job(folder: Path, *, reading: bool = False, versions: bool = False, dry_run: bool = False) -> int:
    """Delete the windows of a finished job.

    The codes that they make up stay, so that the music can be changed in parts; the film is looked at again only if
    something is asked for that needs it.

    Args:
        folder: the job folder.
        reading: what the eye saw, too.
        versions: the results that later ones replaced, too.
        dry_run: only count.

    Returns:
        The bytes that are free now, or would be.

    Raises:
        InputError: if the folder is in use, or the job not finished: its windows are what it goes on from.
    """
    with locked(folder):
        manifest = Manifest.load(folder)
        if manifest is None or manifest.data["state"] != "finished":
            raise InputError(f"{folder}: not finished; its windows are what the same command goes on from")
        freed = 0
        for path in _unneeded(folder, reading, versions):
            freed += sum(file.lstat().st_size for file in (path, *path.rglob("*")) if not file.is_dir())
            if not dry_run and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif not dry_run:
                path.unlink()
        return freed


def _unneeded(folder: Path, reading: bool, versions: bool) -> Iterator[Path]:
    yield from folder.glob("windows/[0-9]*.safetensors")
    yield from folder.glob("windows/cue-*")
    yield from folder.glob("windows/edit-*")
    yield from folder.glob("spans/*/windows")
    for name, wanted in (("reading", reading), ("versions", versions)):
        if wanted and (folder / name).exists():
            yield folder / name


def _is_job(folder: Path) -> bool:
    return (folder / MANIFEST_FILE).is_file()


def _film_of(folder: Path) -> str:
    manifest = Manifest.load(folder)
    return "" if manifest is None else str(manifest.data["film"].get("name"))
