"""Sentences for songs, from what their sets say of them and nothing else (paper 4.1).

What each set says: DEAM's metadata archive has a title and a genre for every song and last.fm's tags for those of 2014;
PMEmo has titles; Memo2496 nothing; a folder may hold a `metadata.csv`. Names of artists are not used. A song of which
nothing is known has no sentence: training takes it without one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from narrascore.data.tables import NOTHING, find_all, read_table

MOST_TAGS = 5
MOST_LETTERS = 80

# Year -> the columns of title and genre, and the first of the tags; DEAM's headers and rows do not always agree in
# their number of columns, so that places are more certain than names.
DEAM_COLUMNS = {2013: (3, 6, None), 2014: (3, 4, 7), 2015: (2, 5, None)}
COMPOUNDS = ("avant-garde", "hip-hop", "lo-fi", "old-time", "post-punk", "post-rock", "singer-songwriter", "trip-hop")
"""Genres with a hyphen of their own; DEAM joins several genres by hyphens too."""


@dataclass(frozen=True)
class SongText:
    """What is known of a song in words; empty where nothing is."""

    title: str = ""
    genres: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def write_caption(text: SongText) -> str:
    """Up to two sentences, a line each, without and with the title, of which training draws one; "" of nothing."""
    genres = f"{', '.join(text.genres)} music" if text.genres else "music"
    tags = [tag for tag in text.tags if tag.lower() not in {genre.lower() for genre in text.genres}]
    plain = f"{genres}, {', '.join(tags)}" if tags else genres
    sentences = [plain] if text.genres or tags else []
    if text.title:
        sentences.append(f"{plain}, titled {text.title}")
    return "\n".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)


def read_deam_texts(root: Path) -> dict[str, SongText]:
    """Song -> words, from whichever of `metadata_2013.csv`, `_2014` and `_2015` lie under the root."""
    texts: dict[str, SongText] = {}
    for year, (title, genre, first_tag) in DEAM_COLUMNS.items():
        for path in find_all(root, f"metadata_{year}.csv"):
            for row in read_table(path, ()):
                cells = row.cells + [""] * (genre + 1 - len(row.cells))
                tags = cells[first_tag:] if first_tag else []
                if cells[0].isdigit():
                    texts[cells[0]] = SongText(_wording(cells[title]), _genres(cells[genre]), _words(tags))
    return texts


def read_pmemo_texts(root: Path) -> dict[str, SongText]:
    """Song -> words, from `metadata.csv`, if it is there."""
    texts: dict[str, SongText] = {}
    for path in find_all(root, "metadata.csv"):
        for row in read_table(path, ("musicId", "title")):
            texts[row["musicId"]] = SongText(_wording(row["title"]))
    return texts


def read_folder_texts(root: Path, as_id: Callable[[str], str]) -> dict[str, SongText]:
    """Song -> words, from `metadata.csv` with `name` and any of `title`, `genre` and `tags` (several by commas).

    Args:
        root: the folder.
        as_id: from a file's name without its ending to the song's id.
    """
    path = root / "metadata.csv"
    if not path.is_file():
        return {}
    texts: dict[str, SongText] = {}
    for row in read_table(path, ("name",)):
        genres, tags = (_words(row.get(column, "").split(",")) for column in ("genre", "tags"))
        texts[as_id(Path(row["name"]).stem)] = SongText(_wording(row.get("title", "")), genres, tags)
    return texts


def _genres(cell: str) -> tuple[str, ...]:
    """`Electronic-Trip-Hop` -> electronic, trip-hop."""
    text = cell.lower()
    for compound in COMPOUNDS:
        text = text.replace(compound, compound.replace("-", "\0"))
    return _words(part.replace("\0", "-") for part in re.split(r"[-,;/]", text))


def _words(parts: Iterable[str]) -> tuple[str, ...]:
    """The first few that say something, each once."""
    said = dict.fromkeys(wording for part in parts if (wording := _wording(part)))
    return tuple(list(said)[:MOST_TAGS])


def _wording(cell: str) -> str:
    """A cell as text: "" for what holds no letter, as numbers do that stand in a title's place in shifted rows."""
    text = " ".join(cell.replace('"', " ").split())[:MOST_LETTERS].strip()
    return text if text.lower() not in NOTHING and re.search(r"[^\W\d_]", text) else ""
