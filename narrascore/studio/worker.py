"""The one thread that scores films, one after another, in the order in which they were asked for."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from narrascore.errors import InterruptedJobError, NarraScoreError
from narrascore.run import Progress

STAGES = {
    "read": "Watching the film", "compose": "Composing", "render": "Playing the music", "film": "Writing the film"
}  # fmt: skip
CLOSING_SECONDS = 20.0
"""How long the end of the studio waits for a job to leave its folder in order."""


@dataclass(frozen=True)
class Step:
    """How far a running job is.

    Attributes:
        stage: one of `STAGES`; empty before the first one, while the system is loaded.
        share: of the stage that is done, in [0, 1].
        left_seconds: until the stage is done, at the speed so far; None where that cannot be told yet.
    """

    stage: str = ""
    share: float = 0.0
    left_seconds: float | None = None


class Worker:
    """Scores what is waiting.

    Args:
        score: does one job, given its name and whom to tell of its progress.
        ended: told how each job ended: its name, and the line to show, empty if all is well.
    """

    def __init__(self, score: Callable[[str, Progress], None], ended: Callable[[str, str], None]) -> None:
        self._score, self._ended = score, ended
        self._turn = threading.Condition()
        self._waiting: list[str] = []
        self._running = ""
        self._step = Step()
        self._stopping = self._closed = False
        self._thread = threading.Thread(target=self._work, name="studio", daemon=True)
        self._thread.start()

    def add(self, name: str) -> None:
        """Put a job at the end of the line, unless it is in it."""
        with self._turn:
            if name != self._running and name not in self._waiting:
                self._waiting.append(name)
                self._turn.notify()

    def stop(self, name: str) -> None:
        """Take a job out of the line, or interrupt it: what is finished of it stays, and it can be gone on with."""
        with self._turn:
            if name in self._waiting:
                self._waiting.remove(name)
            elif name == self._running:
                self._stopping = True

    def place(self, name: str) -> int | None:
        """0 for the job that runs, 1 for the next one, ...; None for one that was not asked for."""
        with self._turn:
            line = [self._running, *self._waiting]
            return line.index(name) if name in line else None

    @property
    def running(self) -> str:
        """The job that runs; empty for none."""
        return self._running

    @property
    def step(self) -> Step:
        """How far it is."""
        return self._step

    def close(self) -> None:
        """Interrupt what runs, forget what waits, and end."""
        with self._turn:
            self._closed = self._stopping = True
            self._waiting.clear()
            self._turn.notify()
        self._thread.join(CLOSING_SECONDS)

    def _work(self) -> None:
        while True:
            with self._turn:
                while not self._waiting and not self._closed:
                    self._turn.wait()
                if self._closed:
                    return
                self._running, self._stopping, self._step = self._waiting.pop(0), False, Step()
            told = self._do(self._running)
            with contextlib.suppress(NarraScoreError):  # a full disk cannot even keep why; the thread serves on
                self._ended(self._running, told)
            with self._turn:
                self._running = ""

    def _do(self, name: str) -> str:
        try:
            self._score(name, _Watch(self._show))
        except (InterruptedJobError, KeyboardInterrupt):
            return "Stopped. What was finished is kept: Score goes on from there."
        except NarraScoreError as error:
            return str(error)
        except Exception as error:  # the studio stays up for the other films
            traceback.print_exc(file=sys.stderr)
            return f"This should not have happened: {error!r}. The terminal tells more; please report it."
        return ""

    def _show(self, step: Step) -> None:
        self._step = step
        if self._stopping:
            raise KeyboardInterrupt  # which a job takes for the user's own, and leaves its folder in order


class _Watch:
    """Turns what a job tells of its stages into shares and an estimate."""

    def __init__(self, show: Callable[[Step], None]) -> None:
        self._show = show
        self._stage, self._began, self._first = "", 0.0, 0.0

    def __call__(self, stage: str, done: float, total: float) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now, done
        gone = done - self._first
        left = (now - self._began) * (total - done) / gone if gone > 0 else None
        self._show(Step(stage, min(1.0, done / total) if total else 1.0, left))
