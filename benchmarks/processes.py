"""What a process and its descendants take, as Linux tells it: resident memory and time."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


def tree(pid: int) -> Iterator[int]:
    """The process and its descendants; itself alone where there is no /proc."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text(encoding="ascii").split()
        except OSError:
            continue  # the thread has ended
        for child in found:
            yield from tree(int(child))


def resident_bytes(pid: int) -> int:
    """0 where the process has ended or there is no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, those it has waited for too."""
    ticks = 0
    for one in tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a command took: wall and CPU seconds, and the most memory of it and its descendants at one time."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def watch(words: list[str]) -> Usage:
    """Run a command and look at its memory ten times a second (pages that two processes share count twice); at least
    what the system says of the process itself at its end.

    Raises:
        SystemExit: if it fails.
    """
    began, most = time.perf_counter(), 0
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        most = max(most, sum(resident_bytes(one) for one in tree(process.pid)))
        time.sleep(0.1)
    if status:
        raise SystemExit(f"{' '.join(words)} failed with status {os.waitstatus_to_exitcode(status)}")
    peak = max(most, usage.ru_maxrss * 1024) / 2**20
    return Usage(round(time.perf_counter() - began, 1), round(usage.ru_utime + usage.ru_stime, 1), round(peak, 1))
