"""A bar a stage, or one for all films, with an estimate, on the terminal's error stream; none where nobody watches."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

STAGES = {
    "read": "watching",
    "listen": "listening",
    "compose": "composing",
    "render": "playing",
    "film": "writing the film",
}
BAR = "{desc:<32} {percentage:3.0f}% |{bar:30}| {elapsed} < {remaining}"


class StageBars:
    """Shows the stages of one film, one after another."""

    def __init__(self, film: str) -> None:
        self.film = film
        self._stage = ""
        self._bar: tqdm[object] | None = None

    def show(self, stage: str, done: float, total: float) -> None:
        """Move the bar of a stage to `done` of `total`, in whatever unit the stage counts."""
        if stage != self._stage or self._bar is None:
            self.close()
            name = f"{self.film[:15]}: {STAGES.get(stage, stage)}"
            self._bar = _bar(name, total)
            self._stage = stage
        self._bar.total = total
        self._bar.update(max(0.0, min(done, total) - self._bar.n))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> StageBars:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class FilmBars:
    """Shows the stages of films that are scored one after another."""

    def __init__(self) -> None:
        self._bars: StageBars | None = None

    def show(self, film: Path, stage: str, done: float, total: float) -> None:
        """Move the bar of a film's stage."""
        if self._bars is None:
            self._bars = StageBars(film.name)
        self._bars.show(stage, done, total)

    def end(self, film: Path) -> None:
        """A film is done: leave its bars, and the line to whoever tells of it."""
        if self._bars is not None:
            self._bars.close()
            self._bars = None


class CommonBar:
    """One line for films that are scored side by side: how much of their music is there.

    Args:
        films: how many.
    """

    def __init__(self, films: int) -> None:
        self._films = films
        self._shares: dict[Path, float] = {}
        self._ended: set[Path] = set()
        self._bar = _bar("", films, leave=False)

    def show(self, film: Path, stage: str, done: float, total: float) -> None:
        """Move the line by what a film's stage has come on."""
        if stage == "compose":
            self._shares[film] = done / total
        self._move(STAGES.get(stage, stage))

    def end(self, film: Path) -> None:
        """A film is done: clear the line for whoever tells of it."""
        self._shares[film] = 1.0
        self._ended.add(film)
        self._move("composing")
        if len(self._ended) == self._films:
            self._bar.close()
        else:
            self._bar.clear()

    def _move(self, doing: str) -> None:
        self._bar.set_description_str(f"{len(self._ended)} of {self._films} films: {doing}", refresh=False)
        self._bar.update(max(0.0, sum(self._shares.values()) - self._bar.n))


def _bar(name: str, total: float, *, leave: bool = True) -> tqdm[object]:
    # Told its size, since a terminal that claims to have no rows would be shown nothing.
    size = shutil.get_terminal_size()
    return tqdm(total=total, desc=name, bar_format=BAR, ncols=size.columns, nrows=size.lines, disable=None, leave=leave)
