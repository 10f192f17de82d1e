"""Functions for a child process that do what a broken decoder does."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from narrascore.errors import UsageError
from narrascore.media.child import Message
from narrascore.media.watchdog import beat


def count(to: int) -> Iterator[Message]:
    """0, 1, ... as words and as an array, and the process that said so."""
    for i in range(to):
        yield {"i": i, "pid": os.getpid()}, np.full((3, i), i, np.float32)


def chatter(to: int) -> Iterator[Message]:
    """What libraries print while they work."""
    print("a library says hello")
    os.write(1, b'{"end": true}\n')
    yield from count(to)


def segfault() -> Iterator[Message]:
    yield {}, None
    ctypes.string_at(0)


def sleep(seconds: float) -> Iterator[Message]:
    time.sleep(seconds)
    yield {}, None


def work(seconds: float) -> Iterator[Message]:
    """Slowly, but with signs of life."""
    for _ in range(round(seconds * 50)):
        time.sleep(0.02)
        beat()
    yield {}, None


def hold_the_lock() -> Iterator[Message]:
    """A loop in C that never lets another thread of the interpreter run."""
    yield {"pid": os.getpid()}, None
    ctypes.PyDLL(None).sleep(600)


def swallow(gigabytes: int) -> Iterator[Message]:
    np.ones(gigabytes * 2**27)
    yield {}, None


def refuse() -> Iterator[Message]:
    yield {}, None
    raise UsageError("not like this")


def stumble() -> Iterator[Message]:
    yield {}, None
    raise KeyError("a bug of ours")


def give_nonsense(line: str) -> Iterator[Message]:
    """Bytes that are no answer, written where the answers go."""
    for handle in range(3, 20):
        try:
            if "pipe" in os.readlink(f"/proc/self/fd/{handle}"):
                os.write(handle, line.encode())
        except OSError:
            continue
    yield {}, None


def inherited() -> Iterator[Message]:
    yield {"av": "av" in sys.modules, "torch": "torch" in sys.modules}, None


def anything(**words: Any) -> Iterator[Message]:
    yield words, None


def linger() -> Iterator[Message]:
    """At work for long, and with no word from it."""
    yield {"pid": os.getpid()}, None
    time.sleep(600)
