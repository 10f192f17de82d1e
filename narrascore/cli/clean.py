"""`narrascore clean`: give back the room that finished jobs no longer need."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from narrascore.cli.records import CleanRecord, problem, records
from narrascore.cli.words import Parser
from narrascore.errors import InputError, SomeFilmsFailedError, UsageError

USAGE = "FOLDER|FILM [...] [flags]"
DESCRIPTION = """\
Delete the windows of finished jobs. The results stay, and the same command still finds the job finished. Name job
folders (FILM.narrascore), films, or folders that hold them."""


def run(words: Sequence[str]) -> int:
    """Clean every job named; one that cannot be cleaned does not stop the others.

    Raises:
        SomeFilmsFailedError: if some of several were left. Of one the error itself is raised.
    """
    line = _parser().take_apart(words)
    names = line.names + line.overrides
    if not names:
        raise UsageError("no folder and no film is named; narrascore clean --help tells more")
    from narrascore.cleaning import clean_job, find_jobs

    flags = {name: bool(value) for name, value in line.flags.items()}
    dry_run = flags.get("dry_run", False)
    folders = [folder for name in names for folder in find_jobs(Path(name))]
    total, left = 0, 0
    with records(line.json) as emit:
        for folder in folders:
            told: CleanRecord = {
                "command": "clean", "folder": str(folder.absolute()), "dry_run": dry_run, "freed_bytes": None,
                "error": None,
            }  # fmt: skip
            try:
                freed = clean_job(folder, **flags)
            except InputError as error:
                emit({**told, "error": problem(error)})
                if len(folders) == 1:
                    raise
                print(f"narrascore: {error}", file=sys.stderr, flush=True)
                left += 1
                continue
            emit({**told, "freed_bytes": freed})
            total += freed
            print(f"{folder}: {_size(freed)}")
        print(f"{_size(total)} {'would be free' if dry_run else 'freed'}")
    if left:
        raise SomeFilmsFailedError(f"{left} of {len(folders)} jobs were left as they are, for the reasons above")
    return 0


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 1024:.1f} KiB"


def _parser() -> Parser:
    parser = Parser("clean", DESCRIPTION, USAGE, json=True)
    parser.add_argument("--reading", action="store_true", help="also what the eye saw; it is read again when needed")
    parser.add_argument("--versions", action="store_true", help="also the results that later ones replaced")
    parser.add_argument("--dry-run", dest="dry_run", action="store_true", help="only say how much there is to free")
    return parser
