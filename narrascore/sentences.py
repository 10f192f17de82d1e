"""Which sentence counts when: the film's own, others over single stretches of it, cross-faded where they meet.

share
1  film ______         ________ film        the film's sentence holds wherever no other does; over FADE_SECONDS, centred
              \\       /                     on the border, the shares go linearly from one sentence to the next; they
              /\\_____/\\                     sum to one
0  ___________  local   ________
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the two methods that compute import NumPy: a command's --help knows anchors, and stays light
    import numpy as np
    from numpy.typing import NDArray

FADE_SECONDS = 2.0
"""Of one sentence into the next; less where a stretch is shorter, so that its middle is its own."""


@dataclass(frozen=True)
class LocalSentence:
    """The music asked for in one stretch of a film.

    Attributes:
        start_seconds, stop_seconds: the stretch, in film time.
        sentence: what the music model is told there.

    Raises:
        ValueError: if it is no stretch.
    """

    start_seconds: float
    stop_seconds: float
    sentence: str

    def __post_init__(self) -> None:
        if not 0 <= self.start_seconds < self.stop_seconds:
            raise ValueError(f"a stretch needs 0 <= start < stop: got {self.start_seconds} to {self.stop_seconds} s")


@dataclass(frozen=True)
class Sentences:
    """All sentences of a film.

    Attributes:
        film: holds where no other does; it may be empty.
        local: over single stretches; later ones win where two meet.
        duration_seconds: of the film, at whose end nothing fades.
    """

    film: str
    local: tuple[LocalSentence, ...] = ()
    duration_seconds: float = math.inf

    def turns(self) -> Iterator[tuple[float, str]]:
        """(start in seconds, to the millisecond, sentence) of each turn, in order; the first begins with the film, the
        last lasts to its end, and no two neighbours are the same."""
        local = [(round(each.start_seconds, 3), round(each.stop_seconds, 3), each.sentence) for each in self.local]
        edges = {0.0, *(edge for start, stop, _ in local for edge in (start, stop))}
        before = None
        for edge in sorted(edge for edge in edges if edge < self.duration_seconds):
            holds = [sentence for start, stop, sentence in local if start <= edge < stop]
            sentence = holds[-1] if holds else self.film
            if sentence != before:
                yield edge, sentence
            before = sentence

    def shares(self, start: int, frames: int, rate_hz: float) -> dict[str, NDArray[np.float32]]:
        """How much each sentence counts in absolute frames [start, start + frames), the same whoever asks for them.

        Args:
            start, frames: of the film's music.
            rate_hz: its frames per second.

        Returns:
            Sentence -> `[frames]`, those that count somewhere there, in the order of their first turns; they sum to 1.
        """
        import numpy as np

        seconds = (start + np.arange(frames)) / rate_hz
        turns = list(self.turns())
        starts = [begin for begin, _ in turns]
        lengths = np.diff([*starts, self.duration_seconds])
        # A ramp reaches at most to the middles of the turns on both sides, so no two ramps meet.
        rises = [np.ones(frames)]
        for border, (before, after) in zip(starts[1:], pairwise(lengths), strict=True):
            half = min(FADE_SECONDS, before, after) / 2
            rises.append(np.clip((seconds - border + half) / (2 * half), 0, 1).round(6))  # no dust at the ramps' ends
        shares: dict[str, NDArray[np.float32]] = {}
        for (_, sentence), rise, following in zip(turns, rises, [*rises[1:], np.zeros(frames)], strict=True):
            shares[sentence] = shares.get(sentence, np.float32(0)) + (rise - following).astype(np.float32)
        return {sentence: share for sentence, share in shares.items() if share.any()}

    def heard_otherwise(self, other: Sentences, frames: int, rate_hz: float) -> NDArray[np.bool_]:
        """In which of the first frames another choice of sentences tells the music something else, `[frames]`."""
        import numpy as np

        ours, theirs = (each.shares(0, frames, rate_hz) for each in (self, other))
        nothing, changed = np.zeros(frames, dtype=np.float32), np.zeros(frames, dtype=np.bool_)
        for sentence in ours.keys() | theirs.keys():
            changed |= ours.get(sentence, nothing) != theirs.get(sentence, nothing)
        return changed
