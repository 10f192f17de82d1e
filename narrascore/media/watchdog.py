"""Signs of life: a process that decodes and then falls silent ends itself, even inside a decoder that never returns."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Iterator
from contextlib import contextmanager

SILENCE_SECONDS = 60.0
"""The longest that opening a file, or decoding one packet, may take: far more than any sound file needs."""

_allowed_seconds = 0.0
_last_beat = 0.0


@contextmanager
def watching(allowed_seconds: float) -> Iterator[None]:
    """End this process with exit code 1 if the block goes on for that long without a `beat`.

    The timer is a thread of the interpreter's own that needs no lock, so a library which holds the lock for ever does
    not stop it.
    """
    global _allowed_seconds
    _allowed_seconds = allowed_seconds
    _wind_up()
    try:
        yield
    finally:
        _allowed_seconds = 0.0
        faulthandler.cancel_dump_traceback_later()


def beat() -> None:
    """Say that work is going on; costs nothing where nobody is watching."""
    if _allowed_seconds and time.monotonic() - _last_beat > _allowed_seconds / 20:
        _wind_up()


def _wind_up() -> None:
    global _last_beat
    _last_beat = time.monotonic()
    faulthandler.dump_traceback_later(_allowed_seconds, exit=True)
