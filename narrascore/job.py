"""One film's job: a folder that can be left at any moment and gone on with, and says what it was made from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from narrascore.bending import bend_curve
from narrascore.compose_stage import compose_film
from narrascore.errors import InputError, InterruptedJobError, NarraScoreError
from narrascore.manifest import Manifest, locked
from narrascore.part_stage import score_part
from narrascore.pipeline import Pipeline, anchor_warnings
from narrascore.placing import find_place
from narrascore.provenance import PROVENANCE_FILE
from narrascore.reading_stage import keep_followed, show_reading
from narrascore.result_stages import deliver, draw, finish, lay_out, render, split_into_stems, write_film
from narrascore.run import Progress, Run
from narrascore.run import ScoreOptions as ScoreOptions
from narrascore.settling import settle_anchor, settle_cues, settle_curve
from narrascore.synthesis.composing import Composing, drive
from narrascore.take_stage import keep_takes
from narrascore.turns import Turns, answer, in_turns, take_turns
from narrascore.units import differences
from narrascore.workshop import Workshop


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    Attributes:
        folder: where the results lie: the job folder, or a part's own folder in it.
        film: the scored film; None with `music-only`, of a part, and where curve and anchor are all that was asked for.
        already_finished: nothing had to be done.
        stage_seconds: what each stage that ran took.
        warnings: one line each.
        version: where older results were moved to, if there were any.
    """

    folder: Path
    film: Path | None
    already_finished: bool
    stage_seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    version: Path | None = None


def score_film(
    pipeline: Pipeline | Callable[[], Pipeline],
    film_path: str | Path,
    options: ScoreOptions | None = None,
    progress: Progress | None = None,
) -> JobResult:
    """Score a film into its job folder, going on from what an earlier run left there.

    Args:
        pipeline: the system, or a function that loads it, called once the film and the folder have proved usable.
        film_path: the film.
        options: what is asked for.
        progress: told about every stage.

    Raises:
        InputError: film, folder or disk cannot be used, or no container holds the picture (the music is then kept).
        UsageError: options that make no sense together, a foreign file in the way, or windows of another engine.
        InterruptedJobError: stopped by the user, or out of memory; the same call goes on.
    """
    return drive(_score(pipeline, Path(film_path), options or ScoreOptions(), progress), lambda turn: answer([turn])[0])


def score_films(
    pipeline: Pipeline | Callable[[], Pipeline],
    film_paths: Iterable[Path],
    options: ScoreOptions | None = None,
    progress: Callable[[Path, str, float, float], None] | None = None,
) -> Generator[tuple[Path, JobResult | NarraScoreError], None, None]:
    """Score several films, the windows of `options.batch` of them in one batch.

    Args:
        pipeline, options: as for `score_film`; the function is called for each film and has to keep what it loaded.
        film_paths: the films.
        progress: told about every stage of every film.

    Yields:
        Each film and its result, or the error that ended its job, as soon as it is done.

    Raises:
        InterruptedJobError: stopped by the user, or out of memory; the same call goes on with every film.
    """
    asked = options or ScoreOptions()
    return take_turns(
        (path, _score(pipeline, path, asked, None if progress is None else partial(progress, path)))
        for path in film_paths
    )


def _score(
    pipeline: Pipeline | Callable[[], Pipeline], film_path: Path, options: ScoreOptions, progress: Progress | None
) -> Turns[JobResult]:
    with _told_as_our_errors(film_path):
        place = find_place(film_path, options)
        folder = place.folder
        with locked(folder):
            shop = Workshop(place.film, folder, place.scored, Manifest.load(folder) or Manifest(folder))
            shop.sweep()
            thread_count, rows = _choose_shape(shop.manifest, options)
            system = pipeline if isinstance(pipeline, Pipeline) else pipeline()
            run = Run(shop, system, place.audio, options, progress, rows, place.markers)
            result = yield from in_turns(_do(run), system, thread_count, rows)
            if place.no_container and not options.only_read:
                raise InputError(f"{place.no_container} (the music is in {folder / 'music.wav'})")
            return result


def _do(run: Run) -> Composing[JobResult]:
    """The stages, in their order. Each knows from what it makes its files, and skips what is there."""
    shop, options = run.shop, run.options
    if options.force and not _goes_on_with_force(run):
        shop.start_anew()
    if not options.only_read:
        # Kept before the first stage begins, so that a run that goes on computes with as many of both as this one.
        run.manifest.data.update(threads=torch.get_num_threads(), rows=run.rows)
        if options.stems and "stems" not in run.manifest.data["stages"]:
            _ = run.separator  # weights that are missing are missed now, rather than after the music was composed
    curve = settle_curve(run)
    anchor = settle_anchor(run, curve)
    followed = bend_curve(curve, run.markers, options.at)
    if options.only_read:
        show_reading(run, curve, followed, anchor)
        warnings = [*run.pipeline.warnings, *run.film.warnings, *anchor_warnings(anchor)]
        return JobResult(run.folder, None, not shop.ran, shop.ran, warnings, shop.version)
    run.cues = settle_cues(run, curve)
    if options.part is not None:
        folder = yield from score_part(run, options.part, followed, anchor)
        return JobResult(folder, None, not shop.ran, shop.ran, list(run.film.warnings), shop.version)
    composition = yield from compose_film(run, followed, anchor)
    render_key = render(run, composition, anchor)
    split_into_stems(run, render_key, composition, anchor)
    keep_takes(run, composition, anchor)
    run.pipeline.rest()
    keep_followed(run, curve, followed)
    draw(run, render_key, composition, curve, followed, anchor)
    write_film(run, render_key)
    deliver(run, render_key, followed)
    lay_out(run, followed, anchor)
    told = run.manifest.data["state"] == "finished" and (run.folder / PROVENANCE_FILE).is_file()
    finished_before = told and not shop.ran
    if not finished_before:
        finish(run, composition, curve, followed, anchor)
    warnings = list(dict.fromkeys([*run.manifest.data["warnings"], *run.film.warnings]))
    return JobResult(run.folder, shop.scored, finished_before, shop.ran, warnings, shop.version)


def _choose_shape(manifest: Manifest, options: ScoreOptions) -> tuple[int, int]:
    """Threads and rows, as an unfinished job began with them: results differ in their last bits between one and two."""
    data = manifest.data
    goes_on = data["state"] == "unfinished" and (not options.force or data.get("forced"))
    begun = data if goes_on else {}
    return int(begun.get("threads", torch.get_num_threads())), int(begun.get("rows", options.batch))


def _goes_on_with_force(run: Run) -> bool:
    """Whether an earlier `--force` was stopped, and nothing stands in the way of going on with it."""
    data, now = run.manifest.data, run.environment
    same = run.options.engine_change or not differences(data.get("environment", now), now)
    return bool(data.get("forced")) and same


@contextlib.contextmanager
def _told_as_our_errors(film: Path) -> Iterator[None]:
    """What stops a job from outside, as one line: the user, the system, or memory that is not there."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedJobError(f"{film.name}: stopped; the same command goes on where it stopped") from error
    except OSError as error:
        what = f"{error.filename or film}: {error.strerror or error}"
        raise InputError(f"{what}; make room or choose another place with -o") from error
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise InterruptedJobError(
            f"{film.name}: out of memory; what is finished is kept: close other programs, then the same command goes on"
        ) from error


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """torch says so in a class of its own for GPUs, and only in words for the CPU."""
    words = ("can't allocate memory", "not enough memory", "Cannot allocate memory")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(word in str(error) for word in words)
