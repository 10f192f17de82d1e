"""Which weights are at hand: the embedded system's, checked byte for byte, the sound font, and the paper's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from narrascore.checkup.check import Check
from narrascore.errors import InputError, ModelUnavailableError
from narrascore.hub import SETS, find_checkpoint, gib, licence_of
from narrascore.synthesis.soundfont import SoundFont

EMBEDDED = Path(__file__).resolve().parents[1] / "weights" / "embedded"
SUMS_FILE = "SHA256SUMS"
"""As `sha256sum *.json *.safetensors` writes it."""
ABOUT_BYTES = {"DAMO-NLP-SG/VideoLLaMA3-2B": 3.9e9, "facebook/musicgen-small": 2.4e9}
"""What is to be fetched, by the number of parameters; `narrascore download` asks the hub."""


def check_embedded(folder: Path = EMBEDDED) -> Check:
    """The embedded system's weights, by their hashes."""
    broken = broken_files(folder)
    if broken:
        return Check(
            "embedded weights", "problem", f"not as they were made: {', '.join(broken)} in {folder}",
            "install narrascore again: pip install --force-reinstall --no-deps narrascore", ModelUnavailableError,
        )  # fmt: skip
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    licence = licence_of(folder)
    return Check("embedded weights", "ok", f"{size / 2**20:.0f} MiB, every hash as it should be; licence {licence}")


def check_soundfont() -> Check:
    """The default sound font, opened as a job opens it."""
    try:
        font = SoundFont.open()
    except ModelUnavailableError as error:
        return Check("sound font", "problem", "not installed", str(error), ModelUnavailableError)
    except InputError as error:
        advice = "pip install --force-reinstall pretty_midi"
        return Check("sound font", "problem", str(error), advice, ModelUnavailableError)
    return Check("sound font", "ok", f"{font.name}, licence {font.licence}")


def check_paper() -> Iterator[Check]:
    """The paper's checkpoints in the hub's cache; the hub is not asked."""
    for name in SETS["paper"]:
        try:
            folder = find_checkpoint(name, offline=True)
        except ModelUnavailableError:
            told = f"not on this machine: about {gib(int(ABOUT_BYTES[name]))}, licence {licence_of(name)}"
            yield Check(name, "note", told, f"for --system paper: narrascore download {name}")
            continue
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        yield Check(name, "ok", f"{gib(size)} in {folder}, licence {licence_of(name)}")


def broken_files(folder: Path) -> list[str]:
    """Files that are missing or not what `SHA256SUMS` says; that file itself, if it is missing."""
    sums = folder / SUMS_FILE
    if not sums.is_file():
        return [SUMS_FILE]
    broken = []
    for line in sums.read_text(encoding="ascii").splitlines():
        wanted, name = line.split(maxsplit=1)
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            broken.append(name)
    return broken
