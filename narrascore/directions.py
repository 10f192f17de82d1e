"""Directions: what a user asks of one stretch of a film, such as `--at 01:10-01:25 arousal=0.9`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from narrascore.anchor import MAX_FIELD_CHARACTERS
from narrascore.errors import UsageError
from narrascore.spans import parse_span

_WANTED = "write START-STOP and arousal=A, valence=V, prompt=TEXT or music=off, such as 01:10-01:25 arousal=0.9"


@dataclass(frozen=True)
class Direction:
    """One wish for one stretch of a film.

    Attributes:
        start_seconds, stop_seconds: the stretch, in film time.
        valence, arousal: what the curve is there, in [-1, 1]; None leaves it as it is.
        prompt: the music asked for there; empty leaves the film's anchor.
        music: whether there is music.
    """

    start_seconds: Fraction
    stop_seconds: Fraction
    valence: float | None = None
    arousal: float | None = None
    prompt: str = ""
    music: bool = True

    def describe(self) -> dict[str, object]:
        """For the manifest, as JSON holds it."""
        return {**vars(self), "start_seconds": float(self.start_seconds), "stop_seconds": float(self.stop_seconds)}


def parse_directions(texts: Iterable[str]) -> tuple[Direction, ...]:
    """Read directions, each a span, a space and one wish; later ones win where two meet.

    Raises:
        UsageError: if one is not that.
    """
    return tuple(_parse(text) for text in texts)


def _parse(text: str) -> Direction:
    span, _, wish = text.strip().partition(" ")
    name, equals, value = (part.strip() for part in wish.partition("="))
    if not equals or not value:
        raise UsageError(f"--at {text!r}: {_WANTED}")
    start, stop = parse_span(span)
    if name == "valence":
        return Direction(start, stop, valence=_affect(value, text))
    if name == "arousal":
        return Direction(start, stop, arousal=_affect(value, text))
    if name == "prompt":
        if len(value) > MAX_FIELD_CHARACTERS:
            raise UsageError(f"--at {span} prompt=...: one sentence of at most {MAX_FIELD_CHARACTERS} characters")
        return Direction(start, stop, prompt=value)
    if (name, value) == ("music", "off"):
        return Direction(start, stop, music=False)
    raise UsageError(f"--at {text!r}: {_WANTED}")


def _affect(value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not -1 <= number <= 1:
        raise UsageError(f"--at {text!r}: valence and arousal are numbers in [-1, 1]")
    return number
