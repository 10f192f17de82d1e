from __future__ import annotations

from pathlib import Path

import pytest

from narrascore.cli.film_list import find_films
from narrascore.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.MKV", "a.scored.mkv", ".hidden.mp4", "notes.txt", "poster.jpg", "deep/c.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "d.mp4").mkdir()
    return tmp_path


def test_a_folder_stands_for_its_films(folder: Path) -> None:
    assert [path.name for path in find_films([str(folder)])] == ["a.MKV", "b.mp4"]


def test_a_list_names_films_from_its_own_place(folder: Path) -> None:
    (folder / "notes.txt").write_text("\ufeff# two films\n\ndeep/c.mp4\n b.mp4 \n", encoding="utf-8")
    assert find_films([str(folder / "notes.txt")]) == [folder / "deep" / "c.mp4", folder / "b.mp4"]


def test_a_film_that_is_named_twice_is_one(folder: Path) -> None:
    films = find_films([str(folder / "b.mp4"), str(folder), "nowhere/none.mp4"])
    assert films == [folder / "b.mp4", folder / "a.MKV", Path("nowhere/none.mp4")]


def test_what_names_no_film_is_refused(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "notes.txt").write_text("# none\n", encoding="utf-8")
    for name in ("empty", "notes.txt"):
        with pytest.raises(InputError, match="names no film"):
            find_films([str(folder / name)])
    (folder / "notes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        find_films([str(folder / "notes.txt")])
