"""A sound font on disk (SoundFont 2.04), opened safely: whose it is, its tables and its samples."""

from __future__ import annotations

import hashlib
import importlib.metadata
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import InputError, ModelUnavailableError

DEFAULT_PACKAGE, DEFAULT_FILE = "pretty_midi", "TimGM6mb.sf2"
DEFAULT_LICENCE = "GPL-2.0 (TimGM6mb by Tim Brechbill, shipped by pretty_midi)"
_DEFAULT_SHA256 = "82475b91a76de15cb28a104707d3247ba932e228bada3f47bba63c6b31aaf7a1"
MAX_BYTES = 2 * 1024**3
_COMPRESSED = 0x10
_IN_ROM = 0x8000
_TABLES: dict[str, Any] = {
    "phdr": [("name", "S20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "<u4", 3)],
    "pbag": [("generator", "<u2"), ("modulator", "<u2")],
    "pgen": [("operator", "<u2"), ("amount", "<i2")],
    "inst": [("name", "S20"), ("bag", "<u2")],
    "ibag": [("generator", "<u2"), ("modulator", "<u2")],
    "igen": [("operator", "<u2"), ("amount", "<i2")],
    "shdr": [("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
             ("rate_hz", "<u4"), ("key", "u1"), ("correction_cents", "i1"), ("link", "<u2"), ("type", "<u2")],
}  # fmt: skip
_INDICES = (
    ("phdr", "bag", "pbag"),
    ("inst", "bag", "ibag"),
    ("pbag", "generator", "pgen"),
    ("ibag", "generator", "igen"),
)
"""Each table's first index into the next; the last row only closes the one before it."""


@dataclass(frozen=True)
class SoundFont:
    """A General MIDI sound font in the SF2 format.

    Attributes:
        path: where it lies.
        name: as the file itself says.
        licence: of the default font as known, else what the file's copyright field says.
        sha256: of the whole file.
        tables: the format's own (`phdr`, `pbag`, `pgen`, `inst`, `ibag`, `igen`, `shdr`), every index checked.
        points: all samples end to end, 16 bit, read from disk as needed.
    """

    path: Path
    name: str
    licence: str
    sha256: str
    tables: dict[str, NDArray[Any]] = field(repr=False, compare=False)
    points: NDArray[np.int16] = field(repr=False, compare=False)

    @classmethod
    def open(cls, path: str | Path | None = None) -> SoundFont:
        """Read the tables and check every index in them; None is the default font, shipped by a dependency.

        Raises:
            InputError: if it is no regular file, no SF2, damaged, or compressed (SF3).
            ModelUnavailableError: if the default font is not installed.
        """
        path = default_soundfont() if path is None else Path(path).expanduser()
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("not a regular file")
            if status.st_size > MAX_BYTES:
                raise ValueError(f"larger than {MAX_BYTES} bytes")
            with path.open("rb") as file:
                digest = _sha256(file)
                texts, tables, (first, last) = _read(file, status.st_size)
            points = np.memmap(path, dtype="<i2", mode="r", offset=first, shape=((last - first) // 2,))
            _check(tables, len(points))
        except (OSError, ValueError, struct.error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise InputError(f"sound font {path}: {reason}; give a General MIDI font in the SF2 format") from error
        licence = DEFAULT_LICENCE if digest == _DEFAULT_SHA256 else texts.get("ICOP", "not stated in the font")
        return cls(path, texts.get("INAM", path.stem), licence, digest, tables, points)

    def describe(self) -> dict[str, object]:
        """For the manifest."""
        return {"file": self.path.name, "name": self.name, "licence": self.licence, "sha256": self.sha256}


def default_soundfont() -> Path:
    """Where pretty_midi's distribution put its font; the package itself is never imported.

    Raises:
        ModelUnavailableError: if it is not there.
    """
    try:
        files = importlib.metadata.files(DEFAULT_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.name == DEFAULT_FILE and path.is_file():
            return path
    raise ModelUnavailableError(
        f"no sound font: {DEFAULT_FILE} of {DEFAULT_PACKAGE} is not installed; "
        f"pip install {DEFAULT_PACKAGE}, or name an .sf2 file of your own"
    )


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _read(file: BinaryIO, size: int) -> tuple[dict[str, str], dict[str, NDArray[Any]], tuple[int, int]]:
    """The INFO texts, the tables, and where the samples lie."""
    riff, length, kind = struct.unpack("<4sI4s", file.read(12))
    if riff != b"RIFF" or kind != b"sfbk":
        raise ValueError("not a sound font")
    texts: dict[str, str] = {}
    tables: dict[str, NDArray[Any]] = {}
    samples = None
    for name, start, stop in _chunks(file, 12, min(size, 8 + length)):
        if name != "LIST":
            continue
        for inner, first, last in _chunks(file, start + 4, stop):
            file.seek(first)
            if inner in ("INAM", "ICOP"):
                texts[inner] = " ".join(file.read(min(last - first, 512)).split(b"\0")[0].decode("latin-1").split())
            elif inner == "ifil" and struct.unpack("<H", file.read(2))[0] > 2:
                raise ValueError("compressed (SF3)")
            elif inner == "smpl":
                samples = first, last
            elif inner in _TABLES:
                row = np.dtype(_TABLES[inner])
                if last - first < row.itemsize or (last - first) % row.itemsize:
                    raise ValueError(f"its {inner} table is damaged")
                tables[inner] = np.frombuffer(file.read(last - first), dtype=row)
    missing = [name for name in _TABLES if name not in tables]
    if samples is None or missing:
        raise ValueError(f"it has no {', '.join(missing) or 'samples'}")
    return texts, tables, samples


def _chunks(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[str, int, int]]:
    """(name, first byte, end) of each chunk between two places."""
    while start + 8 <= stop:
        file.seek(start)
        name, length = struct.unpack("<4sI", file.read(8))
        if start + 8 + length > stop:
            raise ValueError("cut short or damaged")
        yield name.decode("latin-1"), start + 8, start + 8 + length
        start += 8 + length + length % 2


def _check(tables: dict[str, NDArray[Any]], points: int) -> None:
    for table, column, target in _INDICES:
        indices = tables[table][column].astype(np.int64)
        if indices.max() > len(tables[target]) or np.any(np.diff(indices) < 0):
            raise ValueError(f"its {table} table is damaged")
    samples = tables["shdr"][:-1]
    if np.any(samples["type"] & _COMPRESSED):
        raise ValueError("compressed (SF3)")
    played = samples[(samples["type"] & _IN_ROM) == 0]
    if np.any((played["start"] > played["end"]) | (played["end"] > points)):
        raise ValueError("a sample lies outside the file")
    if len(tables["phdr"]) < 2 or not len(played):
        raise ValueError("it holds no instruments")
