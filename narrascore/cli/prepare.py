"""`narrascore prepare`: from a downloaded, labelled set to what training reads."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from narrascore.cli.words import Parser
from narrascore.errors import InputError, UsageError

USAGE = "data=NAME data.root=DIR [flags] [key=value ...]"
DESCRIPTION = """\
Turn a downloaded set into what training reads (paper 4.1). Music (data=deam, pmemo, memo2496 or folder): without
voices, cut to clips of 30 s, encoded to shards for train-adapter. Films (data=liris_accede, mediaeval2018, cognimuse or
folder): their labels second by second, for train-probe. Run again, a preparation that was stopped goes on
with the next song. A summary names everything that was left out. configs/prepare.yaml and configs/data list every
key."""
PATHS_AND_TEXT = ("output", "music", "separation", "data.root")

SETS = ("liris_accede", "mediaeval2018", "cognimuse", "deam", "pmemo", "memo2496", "folder")
MUSIC_ONLY = frozenset(("set_name", "clip_seconds", "hop_seconds", "most_silence", "silence_db"))
FILMS_ONLY = frozenset(("train", "validation", "test", "tolerance", "reference_music"))
"""Settings of `configs/data/folder.yaml` that mean nothing for the other kind."""
FILM_ENDINGS = frozenset(".mp4 .m4v .mkv .mov .avi .webm .mpg .mpeg .ts .wmv .ogv .flv".split())


@dataclass(frozen=True)
class MusicSetSettings:
    """What a music set's file in `configs/data` says, which explains each of them."""

    name: Literal["deam", "pmemo", "memo2496", "folder"]
    root: Path
    set_name: str
    clip_seconds: float
    hop_seconds: float
    most_silence: float
    silence_db: float
    validation_share: float
    test_share: float

    def __post_init__(self) -> None:
        if not (self.validation_share >= 0 and self.test_share >= 0 and self.validation_share + self.test_share < 1):
            raise ValueError(
                "data.validation_share and data.test_share must leave songs to train on: got "
                f"{self.validation_share} and {self.test_share}"
            )


@dataclass(frozen=True)
class PrepareMusicSettings:
    """What `configs/prepare.yaml` says, which explains each of them."""

    data: MusicSetSettings
    output: Path
    music: str
    separation: str
    seed: int
    workers: int | None
    device: str
    offline: bool
    check_against: tuple[Path, ...]

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1: got {self.workers}; null is one a core")


def run(words: Sequence[str]) -> int:
    """Prepare a set and print what has become of it."""
    line = _parser().take_apart(words)
    if line.names:
        raise UsageError(f"{line.names[0]!r} is no setting; give key=value, such as data=deam data.root=DIR")
    from narrascore.cli.config import compose_settings
    from narrascore.cli.settings import read_settings

    composed = compose_settings("prepare", line.flags, line.overrides, verbatim=PATHS_AND_TEXT)
    data = composed["data"]
    kind = data.pop("kind", None)
    if data["root"] is None:
        raise UsageError("data.root is wanted: the folder into which the set was unpacked")
    if data["name"] == "folder" and kind is None:
        kind = kind_of_folder(Path(str(data["root"])).expanduser())
    if kind == "films":
        from narrascore.data.film_sets import FilmSetSettings, prepare_films
        from narrascore.systems import choose_device

        values = {key: composed[key] for key in ("separation", "seed", "offline")}
        values |= {"out": composed["output"], "device": choose_device(str(composed["device"]))}
        print(prepare_films(read_settings(FilmSetSettings, {**values, **_without(data, MUSIC_ONLY)}), _say))
        return 0
    if kind != "music":
        raise UsageError(f"data={data['name']} is nothing to prepare; there are {', '.join(SETS)}")
    print(prepare_music(read_settings(PrepareMusicSettings, {**composed, "data": _without(data, FILMS_ONLY)})))
    return 0


def _without(data: dict[str, object], keys: frozenset[str]) -> dict[str, object]:
    """A folder may hold either kind, so its settings are those of both."""
    return {key: value for key, value in data.items() if data["name"] != "folder" or key not in keys}


def kind_of_folder(root: Path) -> str:
    """`films` if a folder holds films, `music` if it holds sound files.

    Raises:
        UsageError: if it holds both, or neither.
        InputError: if it is no folder.
    """
    from narrascore.data.music_labels import SOUND_ENDINGS

    if not root.is_dir():
        raise InputError(f"data.root {root}: no such folder")
    endings = {path.suffix.lower() for path in root.iterdir() if path.is_file()}
    films, songs = endings & FILM_ENDINGS, endings & SOUND_ENDINGS
    if bool(films) == bool(songs):
        there = "both films and sound files" if films else "neither films nor sound files"
        raise UsageError(f"data.root {root} holds {there}; say which is meant by data.kind=films or data.kind=music")
    return "films" if films else "music"


def prepare_music(settings: PrepareMusicSettings) -> str:
    """Make the shards of a music set.

    Returns:
        The summary, which also lies beside the shards.
    """
    from narrascore.data.music_clips import ClipRules
    from narrascore.data.music_labels import read_music_set
    from narrascore.data.music_splits import SUMMARY_FILE, read_prepared, say_shared
    from narrascore.data.prepared_music import write_music
    from narrascore.data.song_store import SongStore
    from narrascore.synthesis.codec import EncodecCodec
    from narrascore.synthesis.tokenise import Separation, codec_digest, tokenise_songs
    from narrascore.systems import choose_device, load_music

    said = settings.data
    try:
        rules = ClipRules(said.clip_seconds, said.hop_seconds, said.most_silence, said.silence_db)
    except ValueError as error:
        raise UsageError(f"data.{error}") from error
    others = {folder: read_prepared(folder) for folder in settings.check_against}
    music = read_music_set(said.name, said.root, said.set_name)
    device = choose_device(settings.device)
    backbone = load_music(settings.music, device=device, offline=settings.offline)
    codec = backbone.codec
    if not isinstance(codec, EncodecCodec):
        raise UsageError(f"music={settings.music} writes notes, which sound cannot be turned into; give music=musicgen")
    made_with = {
        **backbone.describe(), **codec.describe(), "codec_digest": codec_digest(codec), **dataclasses.asdict(rules),
        "separation": settings.separation, "seed": settings.seed, "validation_share": said.validation_share,
        "test_share": said.test_share,
    }  # fmt: skip
    del backbone  # the codec alone is needed, and the rest is ten times its size
    settings.output.mkdir(parents=True, exist_ok=True)
    store, separation = SongStore(settings.output / "songs"), Separation(settings.separation, settings.offline, device)
    workers = settings.workers or (1 if device != "cpu" else (os.cpu_count() or 1))
    _say(f"{music.name}: {len(music.songs)} songs with labels, on {workers} process(es)")
    keys: dict[str, str] = {}
    with contextlib.closing(tokenise_songs(music.songs, codec, separation, rules, store, workers=workers)) as songs:
        for song, key in _with_bar(songs, len(music.songs)):
            keys[song] = key
    prepared = write_music(
        music,
        settings.output,
        rules.clip_seconds,
        lambda song: store.load(song.id, keys[song.id]),
        seed=settings.seed,
        validation_share=said.validation_share,
        test_share=said.test_share,
    )
    prepared.made_with = made_with
    warnings = (say_shared(prepared.songs, folder, songs_of) for folder, songs_of in others.items())
    prepared.warnings += [warning for warning in warnings if warning]
    prepared.write(settings.output)
    if not prepared.songs:
        raise InputError(f"{said.root}: no clip is left of any song; {settings.output / SUMMARY_FILE} says why")
    return f"{prepared.lines()}\n{settings.output}\nnarrascore train-adapter --data {settings.output} trains on it"


def _with_bar(songs: Iterable[tuple[str, str]], total: int) -> Iterator[tuple[str, str]]:
    from tqdm import tqdm

    # Told its size, since a terminal that claims to have no rows would be shown nothing.
    size = shutil.get_terminal_size()
    yield from tqdm(songs, "preparing", total, unit="song", ncols=size.columns, nrows=size.lines, disable=None)


def _say(news: str) -> None:
    print(news, file=sys.stderr, flush=True)


def _parser() -> Parser:
    parser = Parser("prepare", DESCRIPTION, USAGE)
    parser.add_argument("-o", "--output", metavar="FOLDER", help="default outputs/data")
    parser.add_argument("--root", dest="data.root", metavar="DIR", help="where the set was unpacked")
    parser.add_argument("--music", metavar="NAME", help="whose codec: musicgen (default), a folder or an id on the hub")
    parser.add_argument("--separation", metavar="NAME", help="htdemucs (default), a folder of its weights, or none")
    parser.add_argument("--workers", type=int, metavar="N", help="processes; default one a core, or one on a GPU")
    parser.add_argument("--seed", type=int, metavar="N", help="of the splits")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu or cuda")
    parser.add_argument("--offline", action="store_true", help="never ask the hub")
    return parser
