"""`metrics=ratings`: from the listeners' CSV files to the paper's Tables 2 and 3.

Means come with two intervals: over listeners, who are resampled whole, and over clips. Ratings of one listener, or of
one clip, are alike, so counting every rating as a piece of its own would make any interval far too narrow.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from narrascore.errors import InputError, UsageError
from narrascore.evaluation.intervals import NOTHING, Estimate, statistic_of_pieces
from narrascore.evaluation.listening import SCALES, Clip
from narrascore.evaluation.pieces import LONG_SECONDS
from narrascore.evaluation.tables import Table, provenance, write_report

COLUMNS = ("listener", "test", "order", "clip", "scale", "rating", "played_seconds")
MAX_CSV_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Rating:
    """One answer.

    Attributes:
        listener: as they named themselves.
        clip: whose system the key knows.
        scale: of `SCALES`.
        value: 1 to 5.
    """

    listener: str
    clip: Clip
    scale: str
    value: int


def run_ratings(
    answers: Path, key: Path, out_folder: Path, *, seed: int = 0, command: str = ""
) -> tuple[list[Rating], str]:
    """Put the listeners' answers into a table.

    Args:
        answers: one CSV file, or a folder of them.
        key: `listening-key.json` of the test.
        out_folder: gets `ratings.md`, `.csv` and `.json`.
        seed: of the bootstrap.
        command: what was typed, for the record.

    Raises:
        UsageError: if there are no files of answers.
        InputError: if a file is no file of answers to this test.
    """
    files = sorted(answers.glob("*.csv")) if answers.is_dir() else [answers]
    if not files:
        raise UsageError(f"{answers}: no CSV files; the page of the listening test saves one for each listener")
    ratings = read_ratings(files, key)
    tables = []
    for title, long in ((f"Table 2: long films, {LONG_SECONDS} s and more", True),
                        (f"Table 3: films under {LONG_SECONDS} s", False)):  # fmt: skip
        kept = [rating for rating in ratings if rating.clip.is_long is long]
        if kept:
            tables += [
                _table(f"{title}; intervals over listeners", kept, lambda rating: rating.listener, seed),
                _table(f"{title}; intervals over clips", kept, lambda rating: rating.clip.id, seed),
            ]
    records = [{"listener": one.listener, "system": one.clip.system, "film": one.clip.film, "clip": one.clip.id,
                "scale": one.scale, "rating": one.value} for one in ratings]  # fmt: skip
    repeat = provenance(command, seed, len(ratings), files=[file.name for file in files])
    return ratings, write_report(out_folder, "ratings", "What listeners said", tables, records, repeat)


def read_ratings(files: Sequence[Path], key: Path) -> list[Rating]:
    """All answers of all files.

    Raises:
        InputError: with the file and the line that cannot be used.
    """
    clips = _read_key(key)
    ratings: list[Rating] = []
    seen: set[tuple[str, str, str]] = set()
    for file in files:
        for line, row in _rows(file):
            where = f"answers {file.name}, line {line}"
            if row["clip"] not in clips:
                raise InputError(f"{where}: clip {row['clip']!r} is not of the test whose key is {key.name}")
            if row["scale"] not in SCALES or row["rating"] not in ("1", "2", "3", "4", "5"):
                raise InputError(f"{where}: a scale of {', '.join(SCALES)} and a rating of 1 to 5 are wanted, got "
                                 f"{row['scale']!r} and {row['rating']!r}")  # fmt: skip
            if not row["listener"].strip():
                raise InputError(f"{where}: the listener is not named")
            answer = (row["listener"].strip(), row["clip"], row["scale"])
            if answer in seen:
                raise InputError(f"{where}: {answer[0]} has rated clip {answer[1]} on {answer[2]} before; leave out "
                                 "the file that was given twice, or rename one of two namesakes")  # fmt: skip
            seen.add(answer)
            ratings.append(Rating(answer[0], clips[answer[1]], answer[2], int(row["rating"])))
    if not ratings:
        raise InputError(f"answers {', '.join(file.name for file in files)}: no ratings in them")
    return ratings


def mean_rating(ratings: Sequence[Rating], unit: Callable[[Rating], str], seed: int = 0) -> Estimate:
    """The mean of all ratings, with its interval from resampling whole units (listeners, or clips).

    Of a single unit there is no interval: its ends are the mean itself, and n = 1 says so.
    """
    if not ratings:
        return NOTHING
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for rating in ratings:
        sums[unit(rating)][0] += rating.value
        sums[unit(rating)][1] += 1
    table = np.array([sums[name] for name in sorted(sums)], dtype=np.float64)
    return statistic_of_pieces(table, lambda total: total[..., 0] / total[..., 1], seed)


def _table(title: str, ratings: Sequence[Rating], unit: Callable[[Rating], str], seed: int) -> Table:
    rows = []
    for system in dict.fromkeys(rating.clip.system for rating in ratings):
        own = [rating for rating in ratings if rating.clip.system == system]
        cells = [str(mean_rating([one for one in own if one.scale == scale], unit, seed)) for scale in SCALES]
        counts = [len({one.listener for one in own}), len({one.clip.id for one in own}), len(own)]
        rows.append([system, *cells, *map(str, counts)])
    note = (
        "Means of ratings from 1 to 5 with 95 % bootstrap intervals. "
        + "; ".join(f"{name}: {title}" for name, (title, _) in SCALES.items())
        + ". The scales are the paper's; its questions are not published, those of the page are this project's."
    )
    return Table(title, ["system", *SCALES, "listeners", "clips", "ratings"], rows, note)


def _read_key(key: Path) -> dict[str, Clip]:
    try:
        clips = [Clip(**clip) for clip in json.loads(key.read_text(encoding="utf-8"))["clips"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"key {key}: {error}; it is the listening-key.json that was written beside the page"
        ) from error
    return {clip.id: clip for clip in clips}


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        if not file.is_file():
            raise InputError(f"answers {file.name}: not a regular file")
        if file.stat().st_size > MAX_CSV_BYTES:
            raise InputError(f"answers {file.name}: larger than {MAX_CSV_BYTES >> 20} MiB, so hardly answers")
        reader = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise InputError(f"answers {file.name}, line 1: the columns must be {','.join(COLUMNS)}")
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"answers {file.name}, line {reader.line_num}: {len(COLUMNS)} values wanted")
            rows.append((reader.line_num, row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"answers {file.name}: cannot be read as a table ({error})") from error
    return rows
