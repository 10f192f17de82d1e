"""Results for programs: with `--json`, a JSON object a line on stdout, and whatever is said to people on stderr.

Every record has `command`. A command that does not end with 0 has a `Failure` as its last line. docs/json.md tells the
same to whoever reads the records.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from narrascore.errors import NarraScoreError

if TYPE_CHECKING:
    from narrascore.job import JobResult

FLAG = "--json"

Emit = Callable[[Mapping[str, object]], None]


class Problem(TypedDict):
    """Why something could not be done: the error's class, the exit code it has by itself, and its one line."""

    kind: str
    exit_code: int
    message: str


class Failure(TypedDict):
    """The last line of a command that did not end with 0."""

    command: str
    error: Problem


class FilmRecord(TypedDict):
    """`score` and `read`: what came of one film; paths are absolute."""

    command: str
    film: str
    status: str
    scored_film: str | None
    folder: str | None
    version: str | None
    stage_seconds: dict[str, float]
    warnings: list[str]
    error: Problem | None


class PlanRecord(TypedDict):
    """`score --dry-run` and `read --dry-run`: what would be done for one film; null where nobody knows."""

    command: str
    film: str
    status: str
    scored_film: str | None
    folder: str | None
    system: str | None
    audio: str | None
    duration_seconds: float | None
    windows: int | None
    windows_to_compose: int | None
    changes: list[str]
    estimated_seconds: float | None
    estimated_from: str | None
    disk_bytes: int | None
    free_bytes: int | None
    notes: list[str]
    error: Problem | None


class CheckpointRecord(TypedDict):
    """`download`: one checkpoint that is now on this machine."""

    command: str
    name: str
    revision: str
    licence: str
    size_bytes: int
    fetched_bytes: int
    folder: str


class CleanRecord(TypedDict):
    """`clean`: one job folder; `freed_bytes` is null where it was left as it is."""

    command: str
    folder: str
    dry_run: bool
    freed_bytes: int | None
    error: Problem | None


class CheckRecord(TypedDict):
    """One line of `doctor`; `state` is ok, note or problem."""

    name: str
    state: str
    found: str
    advice: str


class DoctorRecord(TypedDict):
    """`doctor`: every check, and whether the default system works."""

    command: str
    works: bool
    checks: list[CheckRecord]


@contextlib.contextmanager
def records(wanted: bool) -> Iterator[Emit]:
    """While a command works: a function that writes a record, and does nothing where none are wanted.

    Where they are, all else that anyone prints meanwhile goes to stderr, so that stdout holds records alone.
    """
    if not wanted:
        yield lambda record: None
        return
    out = sys.stdout

    def emit(record: Mapping[str, object]) -> None:
        # ASCII alone: a file's name need not be UTF-8, and not every terminal is.
        print(json.dumps(record, allow_nan=False), file=out, flush=True)

    with contextlib.redirect_stdout(sys.stderr):
        yield emit


def wants_records(words: Sequence[str]) -> bool:
    """Whether a command line asks for records; after a bare `--` everything is the name of a film."""
    head = words[: words.index("--")] if "--" in words else words
    return FLAG in head


def film_record(command: str, film: Path, outcome: JobResult | NarraScoreError) -> FilmRecord:
    """What came of a film, for `score` or `read`."""
    told: FilmRecord = {
        "command": command, "film": str(film.absolute()), "status": "failed", "scored_film": None, "folder": None,
        "version": None, "stage_seconds": {}, "warnings": [], "error": None,
    }  # fmt: skip
    if isinstance(outcome, NarraScoreError):
        return {**told, "error": problem(outcome)}
    done = {"score": "scored", "read": "read"}[command]
    return {
        **told,
        "status": "unchanged" if outcome.already_finished else done,
        "scored_film": None if outcome.film is None else str(outcome.film.absolute()),
        "folder": str(outcome.folder.absolute()),
        "version": None if outcome.version is None else str(outcome.version.absolute()),
        "stage_seconds": outcome.stage_seconds,
        "warnings": outcome.warnings,
    }


def problem(error: NarraScoreError) -> Problem:
    """An error as records tell it."""
    return {"kind": type(error).__name__, "exit_code": error.exit_code, "message": str(error)}
