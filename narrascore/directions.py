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

    @property
    def bends_curve(self) -> bool:
        return self.valence is not None or self.arousal is not None

    def describe(self) -> dict[str, object]:
        """For the manifest, as JSON holds it."""
        return {**vars(self), "start_seconds": float(self.start_seconds), "stop_seconds": float(self.stop_seconds)}


def parse_directions(texts: Iterable[str]) -> tuple[Direction, ...]:
    """Read directions, each a span, a space and one wish; later ones win where two meet.

    Raises:
        UsageError: if one is not that.
    """
    return tuple(_parse(text) for text in texts)


def require_within(directions: Iterable[Direction], duration_seconds: float | Fraction) -> None:
    """Refuse what is asked of a stretch that begins after the film's end.

    Raises:
        UsageError: if one does.
    """
    for direction in directions:
        if direction.start_seconds >= duration_seconds:
            raise UsageError(
                f"--at from {float(direction.start_seconds):g} s on lies behind the film's end at "
                f"{float(duration_seconds):g} s"
            )


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
