"""The studio: films in a folder, what is asked of them, and the worker that scores them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from narrascore.affect import AffectCurve
from narrascore.anchor import MAX_FIELD_CHARACTERS
from narrascore.cues import Cue, check_cues
from narrascore.errors import InputError, UsageError
from narrascore.job import JobResult, score_film
from narrascore.pipeline import Pipeline
from narrascore.run import Progress
from narrascore.spans import parse_spans
from narrascore.studio.films import ID, STATE_FILE, StudioFilm, Take, films_of, spoken_spans
from narrascore.studio.wishes import Wish
from narrascore.studio.worker import Worker

UPLOADS = "uploads"


class Studio:
    """Everything that the page shows and does; all tabs see the same.

    Args:
        folder: where its films lie.
        load: loads the system, when the first film is scored.
    """

    def __init__(self, folder: Path, load: Callable[[], Pipeline]) -> None:
        self.folder, self.uploads = folder, folder / UPLOADS
        self._load = cache(load)
        self._saving = threading.RLock()
        self.worker = Worker(self._score, self._end)

    def films(self) -> list[StudioFilm]:
        """The one touched last first."""
        return films_of(self.folder)

    def film(self, name: str) -> StudioFilm:
        """The film of that id.

        Raises:
            InputError: if there is none.
        """
        if not ID.fullmatch(name) or not (self.folder / name / STATE_FILE).is_file():
            raise InputError("that film is not in the studio any more: choose another")
        return StudioFilm.load(self.folder / name)

    def take_in(self, upload: str) -> StudioFilm:
        """Make an uploaded file a film of the studio, and score it if it never was.

        Args:
            upload: where the server put it, as the page says; a page says what it likes.

        Raises:
            InputError: if it is no film, or no upload.
        """
        path = Path(upload).resolve()
        if not path.is_relative_to(self.uploads.resolve()):
            raise InputError("that file was not uploaded here: drop it into the page again")
        film = StudioFilm.take_in(path, self.folder)
        if not film.takes():
            self.worker.add(film.id)
        return film

    def score(self, name: str, wish: Wish, curve: Sequence[Sequence[float]] | None = None) -> None:
        """Score a film as wished; only what is changed by it is made anew.

        Args:
            name: the film's id.
            wish: what is asked.
            curve: valence and arousal of every row of the film's curve, `[F, 2]`, if it was edited.

        Raises:
            UsageError: if something in the wish or the curve makes no sense, or the film is being scored.
            InputError: if there is no such film.
        """
        try:
            wish.options()
        except ValueError as error:
            raise UsageError(str(error)) from error
        if len(wish.prompt) > MAX_FIELD_CHARACTERS:
            raise UsageError(
                f"the sentence has {len(wish.prompt)} characters and {MAX_FIELD_CHARACTERS} are the most: shorten it"
            )
        with self._saving:
            film = self.film(name)
            if spans := wish.cue_spans:
                check_cues((Cue(start, stop, 0, 0) for start, stop in spans), film.duration_seconds)
            if self.worker.place(name) is not None:
                raise UsageError(f"{film.name} is being scored: wait for it, or stop it first")
            if curve is not None:
                film.edit_curve(_checked(curve, film.curve))
            film.wish = wish
            film.data.update(error="", note="")
            film.save()
        self.worker.add(name)

    def redraw(self, name: str, wish: Wish, spans: str, curve: Sequence[Sequence[float]] | None = None) -> None:
        """The same, and draw the music of these spans again, such as `0:12-0:20`; raises what `score` raises."""
        film = self.film(name)
        redo = tuple((float(start), float(stop)) for start, stop in parse_spans(spans.replace("\N{EN DASH}", "-")))
        late = [start for start, _ in redo if start >= film.duration_seconds]
        if late:
            raise UsageError(f"{late[0]:g} s lies behind the film's end at {film.duration_seconds:g} s")
        drawn = [edit for edit in film.manifest().get("edits") or [] if edit["why"] == "redo"]
        take = 1 + max((int(edit["take"]) for edit in drawn), default=0)
        self.score(name, replace(wish, redo=redo, take=take), curve)

    def stop(self, name: str) -> None:
        """Interrupt a film's job, or take it out of the line."""
        self.worker.stop(name)

    def remove(self, name: str) -> None:
        """Delete a film and all that was made of it.

        Raises:
            UsageError: while it is being scored.
            InputError: if there is no such film, or it cannot be deleted.
        """
        film = self.film(name)
        if self.worker.place(name) is not None:
            raise UsageError(f"{film.name} is being scored: stop it first")
        try:
            film.remove()
        except OSError as error:
            raise InputError(f"{film.name}: cannot be deleted ({error.strerror})") from error

    def take(self, name: str, number: int) -> tuple[StudioFilm, Take]:
        """A film and one of its takes.

        Raises:
            InputError: if there is none of that number.
        """
        film = self.film(name)
        found = next((take for take in film.takes() if take.number == number), None)
        if found is None:
            raise InputError(f"{film.name}: there is no take {number}")
        return film, found

    def close(self) -> None:
        """Leave every job in order; what was not finished can be gone on with when the studio is started again."""
        self.worker.close()

    def _score(self, name: str, progress: Progress) -> None:
        film = self.film(name)
        before = film.manifest()
        result = score_film(self._load, film.path, film.options(), progress)
        after = film.manifest()
        spans = _recomposed(before, after, film.duration_seconds) if "compose" in result.stage_seconds else []
        note = _note(result, spans, film.duration_seconds, is_first=not before.get("windows"))
        with self._saving:
            film = self.film(name)
            film.wish = film.wish.done()
            film.data.update(note=note, recomposed=spans)
            film.save()

    def _end(self, name: str, error: str) -> None:
        with self._saving:
            film = self.film(name)
            film.data.update(error=error, **({"note": ""} if error else {}))
            film.save()


def clear_uploads(folder: Path) -> None:
    """Delete what uploads left; the films that were taken in are elsewhere by now."""
    shutil.rmtree(folder, ignore_errors=True)


def _checked(values: Sequence[Sequence[float]], now: AffectCurve | None) -> AffectCurve:
    try:
        given = np.asarray(values, dtype=np.float32)
        curve = AffectCurve(given, 1.0 if now is None else now.rate_hz)
    except (ValueError, TypeError) as error:
        raise UsageError(f"the curve cannot be used ({error}): reload the page") from error
    if now is None or len(curve) != len(now):
        raise UsageError("the curve has changed since this page was drawn: reload the page and drag again")
    return curve


def _recomposed(before: dict[str, Any], after: dict[str, Any], duration_seconds: float) -> list[list[float]]:
    """Where the music is not what it was, as (start, stop) in seconds: the whole film, or the spans of new edits."""
    keys = [[window["key"] for window in each.get("windows") or []] for each in (before, after)]
    if keys[0] != keys[1]:
        return [[0.0, duration_seconds]]
    edits = (after.get("edits") or [])[len(before.get("edits") or []) :]
    return [
        [span["start_seconds"], min(span["join_seconds"], duration_seconds)] for edit in edits for span in edit["spans"]
    ]


def _note(result: JobResult, recomposed: list[list[float]], film_seconds: float, *, is_first: bool) -> str:
    """What a job did, in a sentence or two."""
    if result.already_finished:
        return "Nothing had changed: the music is as it was."
    done = f"Done in {max(1, round(sum(result.stage_seconds.values())))} s."
    if is_first:
        return done
    if not recomposed:
        return f"{done} The music itself was kept."
    if recomposed == [[0.0, film_seconds]]:
        return f"{done} All of the music is new."
    return f"{done} Composed anew: {spoken_spans(recomposed)}; the rest is as it was."
