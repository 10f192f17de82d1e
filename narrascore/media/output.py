"""Files that are whole or not there: a temporary name beside the goal, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from narrascore.errors import InputError

SPARE_BYTES = 16 * 2**20


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, which takes the place of `path` when the block ends without an error.

    Raises:
        InputError: if the folder cannot be written or the disk is full.
    """
    # The same name each time, so that the next run takes away what a killed one left; hashed, because the file's own
    # name may be as long as names can be.
    temporary = path.with_name(f".narrascore-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}.part")
    try:
        with temporary.open("wb"):
            pass
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise InputError(f"{path}: cannot be written ({reason}); free some space or give another place") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_space(path: Path, size_bytes: int) -> None:
    """Refuse before the work what the disk could not hold after it.

    Raises:
        InputError: if there is no such folder or less than `size_bytes` and a little are free.
    """
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise InputError(f"{path.parent}: {error.strerror}; give a folder that exists") from error
    if free < size_bytes + SPARE_BYTES:
        raise InputError(
            f"{path.parent}: {free >> 20} MiB are free where {(size_bytes + SPARE_BYTES) >> 20} MiB are needed; "
            "free some space or give another place"
        )


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk, a rename in it included, where the system lets it be asked."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
