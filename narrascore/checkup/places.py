"""Where something has to be written: results, models that are fetched, what is in the making."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from narrascore.checkup.check import Check
from narrascore.files import nearest
from narrascore.hub import cache_folder, gib

RESULT_BYTES = 256 * 2**20
"""Of a film of ten minutes, with its copy."""
FETCHED_BYTES = 8 * 2**30
"""Of the paper's system."""


def check_output(folder: Path) -> Check:
    """Where the results of films in a folder, or written into it, go."""
    return _check("results", folder, RESULT_BYTES, "choose another place with -o, or make room")


def check_cache() -> Check:
    """Where the hub's library keeps what it fetches; only the paper's system needs it."""
    advice = "set HF_HOME, or fetch with narrascore download --to DIR"
    check = _check("hub cache", cache_folder(), FETCHED_BYTES, advice)
    return Check(check.name, "note", check.found, check.advice) if check.state == "problem" else check


def check_temporary() -> Check:
    """Where a scored film is put together before it takes its name, and libraries keep their caches."""
    return _check("temporary files", Path(tempfile.gettempdir()), RESULT_BYTES, "set TMPDIR to another folder")


def _check(name: str, folder: Path, wanted_bytes: int, advice: str) -> Check:
    above = nearest(folder)
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return Check(name, "problem", f"{folder} cannot be written", advice)
    free = shutil.disk_usage(above).free
    told = f"{gib(free)} free in {folder}"
    if free < wanted_bytes:
        return Check(name, "problem", f"{told}, where {gib(wanted_bytes)} are soon needed", advice)
    return Check(name, "ok", told)
