"""The first film is watched while the rest of the system loads: the libraries of the models take seconds to import, in
which the film's decoder, a process of its own, has a processor to itself."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from narrascore.errors import NarraScoreError
from narrascore.media.film import Film
from narrascore.perception.cinematic import CinematicEye
from narrascore.perception.reading import FilmReading


class EyeAhead(CinematicEye):
    """A cinematic eye that has begun with a film before it is asked to read it.

    Args:
        find: opens the film; None if there is nothing to read. Called in the eye's own thread. What it raises, and what
            reading raises, is left to be met again by whoever reads the film.
    """

    def __init__(self, find: Callable[[], Film | None]) -> None:
        self._find = find
        self._film: Film | None = None
        self._reading: FilmReading | None = None
        self._share, self._stopped = 0.0, False
        self._found = threading.Event()
        self._thread = threading.Thread(target=self._begin, daemon=True)
        self._thread.start()

    def read(self, film: Film, progress: Callable[[float], None] | None = None) -> FilmReading:
        """As the cinematic eye does; a film that it has begun with is only waited for."""
        self._found.wait()
        if self._film is None or self._film.key != film.key:
            return super().read(film, progress)
        while self._thread.is_alive():
            self._thread.join(0.1)
            if progress is not None:
                progress(self._share)
        if self._reading is None:
            return super().read(film, progress)
        for line in self._film.warnings:
            film.warn(line)
        if progress is not None:
            progress(1.0)
        return self._reading

    def close(self) -> None:
        """Stop reading, within about a second of film."""
        self._stopped = True

    def _begin(self) -> None:
        with contextlib.suppress(NarraScoreError, OSError, _StoppedError):
            try:
                self._film = self._find()
            finally:
                self._found.set()
            if self._film is not None:
                self._reading = super().read(self._film, self._note)

    def _note(self, share: float) -> None:
        if self._stopped:
            raise _StoppedError
        self._share = share


class _StoppedError(Exception):
    """Nobody waits for the reading any more."""
