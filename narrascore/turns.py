"""Jobs that wait for windows, and the batches of the music model that answer several of them at once.

film A  ==read==|w0|w1|w2|==render==
film B  ==read==|w0|w1|==render==            a column of windows is one batch: of one prompt length, each row another
film C            ==read==|w0|w1|            film's; everything else is done film by film
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from torch import Tensor

from narrascore.errors import InterruptedJobError, NarraScoreError
from narrascore.pipeline import Pipeline
from narrascore.synthesis.composing import Composing, Draw
from narrascore.units import threads

T = TypeVar("T")
Name = TypeVar("Name")


@dataclass(frozen=True, eq=False)
class Turn:
    """One draw that a job waits for, and how it is to be computed.

    Attributes:
        pipeline: the system, the same for all jobs.
        threads: of the processor.
        rows: of the batch.
        draw: what is asked for.
    """

    pipeline: Pipeline
    threads: int
    rows: int
    draw: Draw

    @property
    def shape(self) -> tuple[int, ...]:
        """What the turns of one batch have in common."""
        return self.threads, self.rows, *self.draw.shape


Turns = Generator[Turn, Tensor, T]
"""A job: asks for draws, is sent the codes of each, and returns its result."""


@dataclass(frozen=True, eq=False)
class _Job(Generic[Name, T]):
    name: Name
    steps: Turns[T]


def in_turns(steps: Composing[T], pipeline: Pipeline, thread_count: int, rows: int) -> Turns[T]:
    """Do a job's steps, each with so many threads, and ask for its draws in batches of so many rows."""
    step: Callable[[], Draw] = partial(next, steps)
    with contextlib.closing(steps):
        while True:
            try:
                with threads(thread_count):
                    draw = step()
            except StopIteration as end:
                result: T = end.value
                return result
            step = partial(steps.send, (yield Turn(pipeline, thread_count, rows, draw)))


def answer(turns: Sequence[Turn]) -> list[Tensor]:
    """Codes for turns of one shape, from one batch."""
    first = turns[0]
    with threads(first.threads):
        return first.pipeline.draw([turn.draw for turn in turns], first.rows)


def take_turns(jobs: Iterable[tuple[Name, Turns[T]]]) -> Generator[tuple[Name, T | NarraScoreError], None, None]:
    """Do jobs side by side, so many at once as fill a batch.

    Args:
        jobs: their names and steps; one is begun when those before it leave rows without a window.

    Yields:
        Each job's name and result, or the error that ended it, as soon as it is done.

    Raises:
        InterruptedJobError: if one was interrupted, which ends them all.
    """
    coming = (_Job(name, steps) for name, steps in jobs)
    begun: list[_Job[Name, T]] = []
    waiting: dict[_Job[Name, T], Turn] = {}  # those that wait longest come first
    try:
        while True:
            group = _choose(waiting)
            new = next(coming, None) if not group or len(group) < waiting[group[0]].rows else None
            if new is not None:
                begun.append(new)
                moves: list[tuple[_Job[Name, T], Callable[[], Turn]]] = [(new, partial(next, new.steps))]
            elif group:
                moves = _answered({job: waiting.pop(job) for job in group})
            else:
                return
            for job, go_on in moves:
                outcome: T | NarraScoreError
                try:
                    waiting[job] = go_on()
                    continue
                except StopIteration as end:
                    outcome = end.value
                except InterruptedJobError:
                    raise
                except NarraScoreError as error:
                    outcome = error
                begun.remove(job)
                yield job.name, outcome
    finally:
        for job in begun:
            job.steps.close()


def _choose(waiting: dict[_Job[Name, T], Turn]) -> list[_Job[Name, T]]:
    """Jobs that can be answered in one batch: a full one if there is any, else the one that is least far into its
    films, whose next windows can then go beside those that wait."""
    groups: dict[tuple[int, ...], list[_Job[Name, T]]] = {}
    for job, turn in waiting.items():
        groups.setdefault(turn.shape, []).append(job)

    def rank(group: list[_Job[Name, T]]) -> tuple[bool, int]:
        first = waiting[group[0]]
        return len(group) >= first.rows, -first.draw.window.prompt

    best = max(groups.values(), key=rank, default=[])
    return best[: waiting[best[0]].rows] if best else []


def _answered(turns: dict[_Job[Name, T], Turn]) -> list[tuple[_Job[Name, T], Callable[[], Turn]]]:
    """How each job goes on with its codes; if they could not be had, every one of them is told why.

    Jobs that now have all their windows come last: they go on to sound and film, which takes a while, and if the user
    stops them there, the others' windows are kept already.
    """
    jobs = sorted(turns, key=lambda job: turns[job].draw.window.last)
    try:
        codes = answer([turns[job] for job in jobs])
    except BaseException as error:
        return [(job, partial(job.steps.throw, error)) for job in jobs]
    return [(job, partial(job.steps.send, one)) for job, one in zip(jobs, codes, strict=True)]
