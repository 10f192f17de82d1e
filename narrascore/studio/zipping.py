"""Several files as one ZIP that is sent while it is made: nothing of it is kept, in memory or on the disk."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

BLOCK_BYTES = 2**20


def zip_stream(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """A ZIP of files (name in it, path), stored as they are: film and music would not become smaller.

    Yields:
        Its bytes, in order.
    """
    outlet = _Outlet()
    with ZipFile(outlet, "w", ZIP_STORED, strict_timestamps=False) as archive:
        for name, path in files:
            entry = ZipInfo.from_file(path, name, strict_timestamps=False)
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while block := source.read(BLOCK_BYTES):
                    target.write(block)
                    yield outlet.take()
    yield outlet.take()


class _Outlet(io.RawIOBase):
    """What is written since it was last asked; it cannot seek, so the ZIP is written in one go."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._held += view
        return len(view)

    def take(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held
