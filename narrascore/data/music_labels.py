"""Labelled music as it is downloaded: which songs, where their sound lies, and where valence and arousal are known.

    DEAM       MEMD_audio/<id>.mp3; annotations/annotations averaged per song/dynamic (per second annotations)/
               {valence,arousal}.csv: wide, `song_id, sample_15000ms, sample_15500ms, ...`, [-1, 1], NaN after the end
    PMEmo      chorus/<id>.mp3; annotations/dynamic_annotations.csv: long, `musicId,frameTime,Arousal(mean),
               Valence(mean)`, 2 Hz, 0 to 1, which becomes [-1, 1]
    Memo2496   MusicRawData/<uuid>.mp3, songs_info_all.csv (`song_id`, `file_name`); {valence,arousal}_all_average.csv:
               wide, from 0 s, 1 Hz, [-1, 1]
    folder     sound files, beside each NAME.mp3 a NAME.csv of `time_seconds,valence,arousal`

Archives are unpacked into different depths, so folders and files are found by their names anywhere under the root.
What cannot be used is not left out silently: each such song stands in `MusicSet.unusable` with its reason.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.data.captions import SongText, read_deam_texts, read_folder_texts, read_pmemo_texts
from narrascore.data.tables import Row, find_one, read_table
from narrascore.errors import InputError

SOUND_ENDINGS = frozenset(".mp3 .wav .flac .ogg .opus .m4a .aac .aiff .aif .wma".split())
_SAMPLE = re.compile(r"sample_(\d+)ms", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


@dataclass(frozen=True, eq=False)
class LabelledSong:
    """A song and what its listeners heard in it.

    Attributes:
        id: unique within the set; letters, digits, `-`, `_` and `.`.
        audio: its sound file.
        times: `[n]` seconds at which it is labelled, rising.
        labels: `[n, 2]` float32, valence and arousal at these times, in [-1, 1].
        step_seconds: from one label to the next; a larger step is a hole.
        text: what is known of it in words.
    """

    id: str
    audio: Path
    times: NDArray[np.float64]
    labels: NDArray[np.float32]
    step_seconds: float
    text: SongText = SongText()


@dataclass(frozen=True)
class MusicSet:
    """The songs of one folder.

    Attributes:
        name: of the set.
        root: its folder.
        songs: in the order of their ids.
        unusable: song -> why it cannot be used: labels without sound, sound without labels, wrong labels.
    """

    name: str
    root: Path
    songs: list[LabelledSong]
    unusable: dict[str, str] = field(default_factory=dict)


def read_music_set(layout: str, root: str | Path, name: str | None = None) -> MusicSet:
    """Read a downloaded set's tables and find its sound files; no sound is decoded.

    Args:
        layout: `deam`, `pmemo`, `memo2496` or `folder`.
        root: where it was unpacked.
        name: of the set, by default the layout's.

    Raises:
        InputError: if the root is no folder, a table is missing or not of its layout, or no song can be used.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"data.root {root}: no such folder")
    curves, sounds, texts = READERS[layout](root)
    songs: list[LabelledSong] = []
    unusable: dict[str, str] = {}
    for song in sorted(curves.keys() | sounds.keys(), key=_natural):
        curve, sound = curves.get(song), sounds.get(song)
        if sound is None:
            unusable[song] = "labels without a sound file"
        elif curve is None:
            unusable[song] = f"a sound file without labels ({sound.name})"
        elif isinstance(curve, str):
            unusable[song] = curve
        elif not _ID.fullmatch(song):
            unusable[song] = "an id of letters, digits, '-', '_' and '.' is wanted; rename it"
        else:
            songs.append(LabelledSong(song, sound, *curve, texts.get(song, SongText())))
    if not songs:
        reasons = "; ".join(f"{song}: {reason}" for song, reason in list(unusable.items())[:3]) or "there are none"
        raise InputError(f"{root}: no song of it can be used ({reasons})")
    return MusicSet(name or layout, root, songs, unusable)


Curve = tuple[NDArray[np.float64], NDArray[np.float32], float]
"""Times `[n]`, labels `[n, 2]` and the step from one to the next, in seconds."""

Found = tuple[Mapping[str, Curve | str], Mapping[str, Path], Mapping[str, SongText]]
"""Song -> its curve, or why there is none; song -> sound file; song -> words."""


def _read_deam(root: Path) -> Found:
    tables = [_wide_table(find_one(root, f"dynamic (per second annotations)/{axis}.csv")) for axis in AXES]
    return _joined(*tables), _sounds(find_one(root, "MEMD_audio")), read_deam_texts(root)


def _read_memo2496(root: Path) -> Found:
    tables = [_wide_table(find_one(root, f"{axis}_all_average.csv")) for axis in AXES]
    files, folder = {}, find_one(root, "MusicRawData")
    info = find_one(root, "songs_info_all.csv")
    for row in read_table(info, ("song_id", "file_name")):
        file = folder / f"{Path(row['file_name']).stem}.mp3"
        if file.parent != folder or "/" in row["file_name"] or "\\" in row["file_name"]:
            raise InputError(f"{info.name}, line {row.line}: {row['file_name']!r} is not the name of a file")
        if file.is_file():
            files[row["song_id"]] = file
    return _joined(*tables), files, {}


def _read_pmemo(root: Path) -> Found:
    table = find_one(root, "dynamic_annotations.csv")
    columns = ("musicId", "frameTime", "Valence(mean)", "Arousal(mean)")
    rows: dict[str, list[list[float]]] = {}
    for row in read_table(table, columns):
        rows.setdefault(_plain_id(row, columns[0]), []).append([row.number(column) for column in columns[1:]])
    curves: dict[str, Curve | str] = {}
    for song, values in rows.items():
        at = np.array(sorted(values))
        curves[song] = _checked(at[:, 0], 2 * at[:, 1:] - 1, 0.5)
    return curves, _sounds(find_one(root, "chorus")), read_pmemo_texts(root)


def _read_folder(root: Path) -> Found:
    sounds: dict[str, Path] = {}
    for path in sorted(root.iterdir()):
        if path.suffix.lower() in SOUND_ENDINGS and path.is_file():
            if (song := safe_id(path.stem)) in sounds:
                raise InputError(f"{root}: {sounds[song].name} and {path.name} share one name; rename one")
            sounds[song] = path
    curves = {song: _own_curve(path.with_suffix(".csv")) for song, path in sounds.items()}
    return (
        {song: curve for song, curve in curves.items() if curve is not None},
        sounds,
        read_folder_texts(root, safe_id),
    )


READERS: dict[str, Callable[[Path], Found]] = {
    "deam": _read_deam,
    "pmemo": _read_pmemo,
    "memo2496": _read_memo2496,
    "folder": _read_folder,
}
AXES = ("valence", "arousal")


def safe_id(name: str) -> str:
    """A file's name as an id: itself where that is one, else with `_` for what an id cannot hold, and a digest."""
    if _ID.fullmatch(name):
        return name
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _wide_table(path: Path) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Times of the columns in seconds, and song -> values at these times, NaN where there is none."""
    values: dict[str, NDArray[np.float64]] = {}
    times = np.zeros(0)
    for row in read_table(path, ("song_id",)):
        if not len(times):
            columns = {name: _SAMPLE.fullmatch(name) for name in row if name != "song_id"}
            wrong = [name for name, match in columns.items() if match is None]
            if wrong or not columns:
                raise InputError(f"{path.name}, line 1: columns sample_<ms>ms are wanted: got {wrong[:3] or 'none'}")
            times = np.array([int(match[1]) for match in columns.values() if match]) / 1000
            if (np.diff(times) <= 0).any():
                raise InputError(f"{path.name}, line 1: the columns' times must rise")
        song = _plain_id(row, "song_id")
        if song in values:
            raise InputError(f"{path.name}, line {row.line}: song {song} a second time")
        values[song] = np.array([row.number(name, absent=np.nan) for name in columns])
    if not values:
        raise InputError(f"{path.name}: no rows")
    return times, values


def _joined(
    valence: tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]],
    arousal: tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]],
) -> dict[str, Curve | str]:
    """Two wide tables as curves, over the times that both have; the tables' columns may end at different times."""
    both, at_valence, at_arousal = np.intersect1d(valence[0], arousal[0], return_indices=True)
    step = float(np.median(np.diff(both))) if len(both) > 1 else 1.0
    curves: dict[str, Curve | str] = {}
    for song in valence[1].keys() | arousal[1].keys():
        if song not in valence[1] or song not in arousal[1]:
            curves[song] = f"no {'valence' if song not in valence[1] else 'arousal'} of it"
            continue
        labels = np.stack([valence[1][song][at_valence], arousal[1][song][at_arousal]], axis=1)
        known = np.isfinite(labels).all(axis=1)
        curves[song] = _checked(both[known], labels[known], step)
    return curves


def _own_curve(path: Path) -> Curve | str | None:
    """The curve in a song's own table; what comes before its first row is not labelled."""
    if not path.is_file():
        return None
    try:
        curve = AffectCurve.from_csv(path)
        first = next(row.number("time_seconds") for row in read_table(path, ("time_seconds",)))
    except InputError as error:
        return str(error)
    times = np.arange(len(curve)) / curve.rate_hz
    known = times >= first - 1e-6
    return _checked(times[known], curve.values[known], 1 / curve.rate_hz)


def _checked(times: NDArray[np.float64], labels: NDArray[np.floating], step_seconds: float) -> Curve | str:
    if not len(times):
        return "no label of it is known"
    if not np.isfinite(labels).all():
        return "labels that are no numbers"
    if (np.diff(times) <= 0).any():
        return f"two labels at {times[1:][np.diff(times) <= 0][0]:g} s"
    beyond = np.abs(labels).max(axis=1) > 1 + 1e-6
    if beyond.any():
        worst = labels[beyond][0]
        return f"labels beyond the set's range at {times[beyond][0]:g} s ({worst[0]:.2f}, {worst[1]:.2f} in [-1, 1])"
    return times, np.clip(labels, -1, 1).astype(np.float32), step_seconds


def _sounds(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in folder.iterdir() if path.suffix.lower() in SOUND_ENDINGS and path.is_file()}


def _plain_id(row: Row, column: str) -> str:
    """`12`, also where a table was written with `12.0`."""
    return row[column].removesuffix(".0")


def _natural(song: str) -> tuple[int, str]:
    return (int(song) if song.isdigit() else 2**31, song)
