"""Downloaded music sets in small: laid out as DEAM, PMEmo and Memo2496 are, with sound rendered for the test."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.media.songs import RATE_HZ, melody, write_song

DYNAMIC = "annotations/annotations averaged per song/dynamic (per second annotations)"
UUIDS = {"1": "0a5d6e1c-2f", "2": "77c1f0aa-91", "3": "c2b0e3d4-05"}


def arousal_at(seconds: float) -> float:
    """The arousal of every song here: it rises through its 100 s; valence is its negative half."""
    return seconds / 50 - 1


def write_deam(root: Path, lengths: Mapping[str, float], labelled_until: Mapping[str, float]) -> Path:
    """Song -> seconds of sound, and song -> the end of its labels; either may lack a song that the other has.

    Headers with spaces, NaN or nothing after a song's end, the sound and the tables in archives' folders of their own.
    """
    _songs(root / "DEAM_audio" / "MEMD_audio", lengths)
    columns = np.arange(15.0, max(labelled_until.values()), 0.5)
    folder = root / "DEAM_Annotations" / DYNAMIC
    for axis, factor in (("valence", -0.5), ("arousal", 1.0)):
        rows = []
        for song, end in labelled_until.items():
            values = [f"{factor * arousal_at(time):.6f}" if time < end else "NaN" for time in columns]
            rows.append([song, *values[: round(2 * (end - 15)) + 3]])  # a ragged row: two cells past its end
        write_csv(folder / f"{axis}.csv", ["song_id", *(f" sample_{1000 * time:.0f}ms" for time in columns)], rows)
        write_csv(folder / f"{axis}_std.csv", ["song_id"], [])
    metadata = root / "metadata"
    write_csv(
        metadata / "metadata_2013.csv",
        ["song_id", "file_name", "Artist", "Song title", "segment start", "segment end", "Genre"],
        [
            [
                "2",
                '"2.mp3"',
                "\tThe New Mystikal Troubadours",
                "\tTonight A Lonely Century\t",
                "02.03",
                "02.48",
                "\tBlues",
            ]
        ],
    )
    write_csv(
        metadata / "metadata_2014.csv",
        ["Id", " Artist", " Album", " Track", " Genre", " segment start", " segment end", " labels"],
        [["1003", "A", "B", "Slow Rain", "Electronic-Trip-Hop", "0.1", "0.46", "chillout", "n/a", "7", "electronic"]],
    )
    write_csv(
        metadata / "metadata_2015.csv",
        ["id", " Filename", " title", " artist", " album", " genre"],
        [["2001", "x.mp3", "2001", "n/a", "n/a", "Rock"]],
    )
    return root


def write_pmemo(root: Path, lengths: Mapping[str, float]) -> Path:
    """Song -> seconds of sound; all of it from 15 s on is labelled."""
    base = root / "PMEmo2019"
    _songs(base / "chorus", lengths)
    rows = [
        [song, f"{time:.1f}", f"{(1 + arousal_at(time)) / 2:.6f}", f"{(1 - arousal_at(time) / 2) / 2:.6f}"]
        for song, length in lengths.items()
        for time in np.arange(15.0, length, 0.5)
    ]
    table = base / "annotations" / "dynamic_annotations.csv"
    write_csv(table, ["musicId", "frameTime", "Arousal(mean)", "Valence(mean)"], rows)
    header = ["musicId", "fileName", "title", "artist", "album", "duration", "chorus_start_time", "chorus_end_time"]
    write_csv(
        base / "metadata.csv", header, [[song, f"{song}.mp3", f"Title {song}", "", "", "", "", ""] for song in lengths]
    )
    return root


def write_memo2496(root: Path, lengths: Mapping[str, float]) -> Path:
    """Song (`1` to `3`) -> seconds of sound; all of it is labelled, once a second."""
    _songs(root / "MusicRawData", {UUIDS[song]: length for song, length in lengths.items()})
    write_csv(root / "songs_info_all.csv", ["song_id", "file_name"], [[s, f"{UUIDS[s]}.mp3"] for s in lengths])
    columns = np.arange(0.0, max(lengths.values()), 1.0)
    for axis, factor in (("valence", -0.5), ("arousal", 1.0)):
        rows = [
            [song, *(f"{factor * arousal_at(time):.6f}" if time < length else "" for time in columns)]
            for song, length in lengths.items()
        ]
        write_csv(root / f"{axis}_all_average.csv", ["song_id", *(f"sample_{1000 * t:.0f}ms" for t in columns)], rows)
    return root


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def _songs(folder: Path, lengths: Mapping[str, float]) -> None:
    folder.mkdir(parents=True)
    for number, (song, seconds) in enumerate(lengths.items()):
        sound = melody(seconds, seed=number) if seconds else np.zeros((2, RATE_HZ), np.float32)
        write_song(folder / f"{song}.mp3", sound[:, ::2], RATE_HZ // 2)  # half the rate, half the encoder's time
