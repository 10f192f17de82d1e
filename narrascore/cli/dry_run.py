"""`narrascore score --dry-run`: what would be done for each film, how long it takes and what it needs."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from narrascore.cli.records import Emit, PlanRecord, problem
from narrascore.errors import InputError, ModelUnavailableError, NarraScoreError, SomeFilmsFailedError
from narrascore.estimate import starting_seconds
from narrascore.files import nearest
from narrascore.parts import SystemSettings
from narrascore.planning import Plan, System, look_at_system, plan_film
from narrascore.run import ScoreOptions
from narrascore.workshop import MARGIN_BYTES

STATUS = {
    "new": "nothing is there yet",
    "unfinished": "goes on with what an earlier run left",
    "changed": "finished before; what is asked for now is not all there",
    "finished": "finished before and nothing has changed",
}


def tell_plans(films: Sequence[Path], settings: SystemSettings, options: ScoreOptions, emit: Emit) -> int:
    """Tell of every film; ends as the command without `--dry-run` would, as far as that can be known.

    Raises:
        SomeFilmsFailedError: if some of several could not be scored. Of one film the error itself is raised.
        InputError: if the films together do not fit on a disk.
        ModelUnavailableError: if the system is not at hand.
    """

    @cache
    def look() -> System:
        return look_at_system(settings)

    plans: list[Plan] = []
    for film in films:
        try:
            plan = plan_film(film, options, look)
        except NarraScoreError as error:
            emit({**_blank(film, options), "error": problem(error)})
            if len(films) == 1 or isinstance(error, ModelUnavailableError):
                raise
            print(f"narrascore: {error}", file=sys.stderr, flush=True)
            continue
        plans.append(plan)
        emit(_record(film, plan, options))
        _tell(film, plan)
    if len(films) > 1:
        _sum_up(plans, len(films))
    _refuse_what_does_not_fit(plans)
    if len(plans) < len(films):
        failed = len(films) - len(plans)
        raise SomeFilmsFailedError(f"{failed} of {len(films)} films could not be scored, for the reasons above")
    return 0


def _sum_up(plans: Sequence[Plan], films: int) -> None:
    windows, needed = sum(plan.windows_to_compose for plan in plans), sum(plan.disk_bytes for plan in plans)
    known = [plan.seconds for plan in plans if plan.seconds is not None]
    again = max(0, sum(1 for seconds in known if seconds) - 1)  # the system is loaded for the first film alone
    total = sum(known) - again * starting_seconds(any(plan.system.vlm for plan in plans))
    about = f"about {_clock(total)}" if len(known) == len(plans) else "nobody knows how long"
    print(f"{len(plans)} of {films} films: {windows} windows to compose, {about}, {needed >> 20} MiB")


def _refuse_what_does_not_fit(plans: Sequence[Plan]) -> None:
    """Each film fits by itself; those before it take their room first."""
    of_disk: dict[int, list[Plan]] = defaultdict(list)
    for plan in plans:
        of_disk[os.stat(nearest(plan.place.folder)).st_dev].append(plan)
    for together in of_disk.values():
        needed = sum(plan.disk_bytes for plan in together)
        free, place = together[0].free_bytes, together[0].place.folder.parent
        if needed and free < needed + MARGIN_BYTES:
            raise InputError(
                f"{place}: {free >> 20} MiB are free where the films together need {(needed + MARGIN_BYTES) >> 20} "
                "MiB; make room or choose another place with -o"
            )


def _tell(film: Path, plan: Plan) -> None:
    place = plan.place
    for note in plan.notes:
        print(f"note: {film.name}: {note}", file=sys.stderr)
    print(f"{film.name}: {STATUS[plan.status]}")
    for change in plan.changes:
        print(f"  {change}")
    print(f"  {float(place.film.duration_seconds):.1f} s of film, {plan.system.shape.name}, audio {place.audio}")
    if plan.status != "finished":
        took = "nobody knows how long it takes" if plan.seconds is None else f"about {_clock(plan.seconds)}"
        print(f"  {plan.windows_to_compose} of {plan.windows} windows to compose; {took}, by {plan.estimated_from}")
        print(f"  up to {max(1, plan.disk_bytes >> 20)} MiB of the {plan.free_bytes >> 20} MiB that are free")
    for path in (place.scored, place.folder):
        if path is not None:
            print(f"  {path}")


def _blank(film: Path, options: ScoreOptions) -> PlanRecord:
    return {
        "command": "read" if options.only_read else "score", "film": str(film.absolute()), "status": "failed",
        "scored_film": None, "folder": None, "system": None, "audio": None, "duration_seconds": None, "windows": None,
        "windows_to_compose": None, "changes": [], "estimated_seconds": None, "estimated_from": None,
        "disk_bytes": None, "free_bytes": None, "notes": [], "error": None,
    }  # fmt: skip


def _record(film: Path, plan: Plan, options: ScoreOptions) -> PlanRecord:
    place = plan.place
    return {
        **_blank(film, options),
        "status": plan.status,
        "scored_film": None if place.scored is None else str(place.scored.absolute()),
        "folder": str(place.folder.absolute()),
        "system": plan.system.settings.system,
        "audio": place.audio,
        "duration_seconds": float(place.film.duration_seconds),
        "windows": plan.windows,
        "windows_to_compose": plan.windows_to_compose,
        "changes": list(plan.changes),
        "estimated_seconds": None if plan.seconds is None else round(plan.seconds, 1),
        "estimated_from": plan.estimated_from,
        "disk_bytes": plan.disk_bytes,
        "free_bytes": plan.free_bytes,
        "notes": list(plan.notes),
    }


def _clock(seconds: float) -> str:
    """A length of time, no finer than it is known."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
