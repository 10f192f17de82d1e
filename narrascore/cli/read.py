"""`narrascore read`: films in, their curves and anchors out, to be looked at and edited before any music is written."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from narrascore.cli.records import wants_records
from narrascore.cli.score import USAGE, add_flags, run_on_films
from narrascore.cli.words import Parser

DESCRIPTION = """\
Read films without writing music. Beside each FILM comes the folder FILM.narrascore/ with curve.csv (where the emotion
goes), curve.png (the same under the keyframes) and anchor.json (what music is asked for). Edit table and text in any
program; narrascore score, with the same words, goes on from there and overwrites neither. Takes the flags of score;
those that concern only the music wait for it."""
ANEW = ("--force", "force=true", "force=True")


def run(words: Sequence[str]) -> int:
    """Read every film named; one that fails does not stop the others.

    Raises:
        SomeFilmsFailedError: if some of several failed. Of one film the error itself is raised.
    """
    code = run_on_films(_parser(), words, only_read=True)
    if "--dry-run" in words:
        return code
    # Made anew again, the files would not be those that the user edits now.
    line = shlex.join(["narrascore", "score", *(word for word in words if word not in ANEW)])
    print(f"next: {line}", file=sys.stderr if wants_records(words) else sys.stdout)
    return code


def _parser() -> Parser:
    return add_flags(Parser("read", DESCRIPTION, USAGE, json=True))
