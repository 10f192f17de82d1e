"""One bar a stage, with an estimate, on the terminal's error stream; none where nobody watches."""

from __future__ import annotations

import shutil
from types import TracebackType

from tqdm import tqdm

STAGES = {"read": "watching", "compose": "composing", "render": "playing", "film": "writing the film"}
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
            # Told its size, since a terminal that claims to have no rows would be shown nothing.
            size = shutil.get_terminal_size()
            self._bar = tqdm(total=total, desc=name, bar_format=BAR, ncols=size.columns, nrows=size.lines, disable=None)
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
