"""Cues: where a film has music. Each begins and ends by itself; between them there is silence."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import InputError, UsageError
from narrascore.spans import Span, parse_seconds

CSV_COLUMNS = ("in_seconds", "out_seconds", "fade_in_seconds", "fade_out_seconds")
MAX_CSV_BYTES = 2**20
FADE_IN_SECONDS, FADE_OUT_SECONDS = Fraction(1), Fraction(2)
"""Unless something else is said."""
SHORTEST_SECONDS = Fraction(1, 5)
"""Less holds hardly a note."""
EDGE_SECONDS = Fraction(1, 20)
"""A cue that begins or ends this near to an end of the film does so at it: a table's times are rounded."""

Seconds = Fraction | float


@dataclass(frozen=True, order=True)
class Cue:
    """Music from one moment of a film to another.

    Attributes:
        in_seconds, out_seconds: where it begins and ends, in film time.
        fade_in_seconds, fade_out_seconds: of its sound, inside the cue; a raised cosine.
    """

    in_seconds: Seconds
    out_seconds: Seconds
    fade_in_seconds: Seconds = FADE_IN_SECONDS
    fade_out_seconds: Seconds = FADE_OUT_SECONDS

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            seconds = getattr(self, name)
            if not math.isfinite(seconds):
                raise UsageError(f"a cue's {name} must be a finite number of seconds: got {seconds}")
            exact = Fraction(seconds).limit_denominator(10**6) if isinstance(seconds, float) else Fraction(seconds)
            object.__setattr__(self, name, exact)

    def frames(self, rate_hz: float, total: int) -> Span:
        """Those of a film's `total` frames of music that lie in it whole; its last frame may outlast the film."""
        stop = self.out_seconds * Fraction(rate_hz)
        start = max(0, math.ceil(self.in_seconds * Fraction(rate_hz)))
        return Span(start, total if stop > total - 1 else math.floor(stop))

    def samples(self, sample_rate_hz: int) -> tuple[int, int]:
        """The first sample in it and the first one behind it."""
        return round(self.in_seconds * sample_rate_hz), round(self.out_seconds * sample_rate_hz)

    def gains(self, start: int, samples: int, sample_rate_hz: int) -> NDArray[np.float32]:
        """The factor of each of the film's samples from `start` on, `[samples]`: sin² up, and down again."""
        first, stop = self.samples(sample_rate_hz)
        at = np.arange(start, start + samples)
        gain = np.ones(samples, dtype=np.float32)
        for seconds, distance in ((self.fade_in_seconds, at - first), (self.fade_out_seconds, stop - 1 - at)):
            if fade := round(seconds * sample_rate_hz):
                gain *= (np.sin(np.pi / 2 * np.clip(distance / fade, 0, 1)) ** 2).astype(np.float32)
        return gain

    def earlier(self, by_seconds: Seconds) -> Cue:
        """The same cue as seen from a moment so far into the film."""
        return replace(self, in_seconds=self.in_seconds - by_seconds, out_seconds=self.out_seconds - by_seconds)

    def describe(self) -> dict[str, float]:
        """For the manifest, as JSON holds it."""
        return {name: round(float(seconds), 6) for name, seconds in vars(self).items()}


def whole_film(duration_seconds: Seconds) -> tuple[Cue, ...]:
    """Music from the film's first moment to its last."""
    return (Cue(0, Fraction(duration_seconds), 0, 0),)


def check_cues(cues: Iterable[Cue], duration_seconds: Seconds) -> tuple[Cue, ...]:
    """Cues in their order, those that all but begin or end with the film made to do so.

    Raises:
        UsageError: if there is none, or one is impossible in this film or beside the others.
    """
    return tuple(cue for _, cue in _checked([("cues", cue) for cue in cues], duration_seconds, UsageError))


def read_cues(path: str | Path, duration_seconds: Seconds) -> tuple[Cue, ...]:
    """Read a table `in_seconds,out_seconds,fade_in_seconds,fade_out_seconds`, its rows in any order.

    Times are seconds, MM:SS or HH:MM:SS. A fade that is left empty has its default length, or a quarter of the cue
    where that is less.

    Args:
        path: the table.
        duration_seconds: of the film.

    Raises:
        InputError: with the number of the line that cannot be used.
    """
    name = f"cues {Path(path).name}"
    found = [(f"{name}, line {line}", cue) for line, cue in _rows(_text(Path(path), name), name)]
    if not found:
        raise InputError(f"{name}: no rows, so there would be no music at all; give one row for each cue")
    return tuple(cue for _, cue in _checked(found, duration_seconds, InputError))


def to_csv(cues: Iterable[Cue]) -> str:
    """Cues as the table that a user edits, in seconds rounded to milliseconds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for cue in cues:
        writer.writerow(f"{float(seconds):.3f}".rstrip("0").rstrip(".") for seconds in vars(cue).values())
    return out.getvalue()


def cut_holes(cues: Iterable[Cue], holes: Iterable[tuple[Seconds, Seconds]]) -> tuple[Cue, ...]:
    """Cues without what of them lies in a hole; at its edges the music has the default fades.

    What is left of a cue and is shorter than its two fades is left out with the hole.

    Args:
        cues: where there is music.
        holes: (start, stop) in seconds, in any order.
    """
    left = list(cues)
    for start, stop in holes:
        cut = []
        for cue in left:
            if cue.out_seconds <= start or stop <= cue.in_seconds:
                cut.append(cue)
                continue
            pieces = (
                replace(cue, out_seconds=start, fade_out_seconds=FADE_OUT_SECONDS),
                replace(cue, in_seconds=stop, fade_in_seconds=FADE_IN_SECONDS),
            )
            cut += [piece for piece in pieces if _length(piece) >= max(SHORTEST_SECONDS, _fades(piece))]
        left = cut
    return tuple(left)


def gaps_between(cues: Sequence[Cue], duration_seconds: Seconds) -> list[tuple[Seconds, Seconds]]:
    """Where there is no music: (start, stop) in seconds, in order."""
    starts = [Fraction(0), *(cue.out_seconds for cue in cues)]
    stops = [*(cue.in_seconds for cue in cues), Fraction(duration_seconds)]
    return [(start, stop) for start, stop in zip(starts, stops, strict=True) if start < stop]


def _checked(
    named: list[tuple[str, Cue]], duration_seconds: Seconds, error: type[InputError] | type[UsageError]
) -> list[tuple[str, Cue]]:
    """(where it was written, cue), in order."""
    duration = Fraction(duration_seconds)
    named = sorted(((where, _to_ends(cue, duration)) for where, cue in named), key=lambda item: item[1])
    before: Cue | None = None
    for where, cue in named:
        if fault := _fault(cue, before, duration):
            raise error(f"{where}: {fault}")
        before = cue
    if not named:
        raise error("there is no cue, so there would be no music at all")
    return named


def _to_ends(cue: Cue, duration: Fraction) -> Cue:
    if -EDGE_SECONDS <= cue.in_seconds <= EDGE_SECONDS:
        cue = replace(cue, in_seconds=Fraction(0))
    if -EDGE_SECONDS <= cue.out_seconds - duration <= EDGE_SECONDS:
        cue = replace(cue, out_seconds=duration)
    return cue


def _fault(cue: Cue, before: Cue | None, duration: Fraction) -> str | None:
    """What is wrong with a cue, if anything."""
    start, stop = float(cue.in_seconds), float(cue.out_seconds)
    if cue.out_seconds <= cue.in_seconds:
        return f"the cue ends at {stop:g} s, not after its beginning at {start:g} s"
    if cue.in_seconds < 0 or cue.out_seconds > duration:
        return f"the cue from {start:g} to {stop:g} s does not lie in the film, which ends at {float(duration):g} s"
    if _length(cue) < min(SHORTEST_SECONDS, duration):
        return f"the cue lasts {stop - start:g} s; the shortest has {float(SHORTEST_SECONDS):g} s"
    if min(cue.fade_in_seconds, cue.fade_out_seconds) < 0:
        return "a fade must not be negative"
    if _fades(cue) > _length(cue):
        fades = f"{float(cue.fade_in_seconds):g} and {float(cue.fade_out_seconds):g} s"
        return f"fades of {fades} do not fit into a cue of {stop - start:g} s"
    if before is not None and cue.in_seconds < before.out_seconds:
        return f"the cue begins at {start:g} s, before the one that ends at {float(before.out_seconds):g} s is over"
    return None


def _length(cue: Cue) -> Seconds:
    return cue.out_seconds - cue.in_seconds


def _fades(cue: Cue) -> Seconds:
    return cue.fade_in_seconds + cue.fade_out_seconds


def _text(path: Path, name: str) -> str:
    try:
        if not path.is_file():
            raise InputError(f"{name}: not a regular file; give a CSV with {','.join(CSV_COLUMNS)}")
        if path.stat().st_size > MAX_CSV_BYTES:
            raise InputError(f"{name}: larger than {MAX_CSV_BYTES >> 20} MiB, so hardly a table of cues")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: cannot be read as text ({error})") from error


def _rows(text: str, name: str) -> Iterator[tuple[int, Cue]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        if tuple(cell.strip() for cell in next(reader, [])) != CSV_COLUMNS:
            raise InputError(f"{name}, line 1: the columns must be {','.join(CSV_COLUMNS)}")
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            where = f"{name}, line {reader.line_num}"
            if len(cells) != len(CSV_COLUMNS):
                raise InputError(f"{where}: four values wanted, got {len(cells)}")
            try:
                start, stop = (parse_seconds(cell) for cell in cells[:2])
                usual = (min(fade, max(stop - start, Fraction(0)) / 4) for fade in (FADE_IN_SECONDS, FADE_OUT_SECONDS))
                fades = [_fade(cell) if cell else fade for cell, fade in zip(cells[2:], usual, strict=True)]
            except UsageError as error:
                raise InputError(f"{where}: {error}") from error
            yield reader.line_num, Cue(start, stop, *fades)
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: {error}") from error


def _fade(cell: str) -> Fraction:
    return -parse_seconds(cell[1:]) if cell.startswith("-") else parse_seconds(cell)
