"""Stretches of a film: how a user writes them, and the windows that compose them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import UsageError
from narrascore.windows import Window, continuation_windows

_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)", re.ASCII)
_WANTED = "write seconds, MM:SS or HH:MM:SS, with decimals if need be"


@dataclass(frozen=True, order=True)
class Span:
    """Frames [start, stop) of a film."""

    start: int
    stop: int


def parse_seconds(text: str) -> Fraction:
    """Read a time: `SS`, `MM:SS` or `HH:MM:SS`; the seconds may have decimals, and go beyond 59 if they stand alone.

    Raises:
        UsageError: for anything else.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text.strip()!r} is no time: {_WANTED}")
    hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    if (found[2] and seconds >= 60) or (found[1] and minutes >= 60):
        raise UsageError(f"{text.strip()!r} is no time: minutes and seconds after a colon end at 59; {_WANTED}")
    return hours * 3600 + minutes * 60 + seconds


def parse_spans(text: str) -> tuple[tuple[Fraction, Fraction], ...]:
    """Read spans such as `00:42-00:58;01:30-02:00`, in any order, as (start, stop) in seconds.

    Raises:
        UsageError: if one is not two times with the first before the second.
    """
    spans = [parse_span(part) for part in filter(None, (part.strip() for part in text.split(";")))]
    if not spans:
        raise UsageError(f"{text!r} names no span: write START-STOP, such as 00:42-00:58")
    return tuple(sorted(spans))


def parse_span(text: str) -> tuple[Fraction, Fraction]:
    """Read a span such as `00:42-00:58` as (start, stop) in seconds.

    Raises:
        UsageError: if it is not two times with the first before the second.
    """
    start, dash, stop = text.partition("-")
    if not dash:
        raise UsageError(f"{text!r} is no span: write START-STOP, and a semicolon between two of them")
    span = parse_seconds(start), parse_seconds(stop)
    if span[0] >= span[1]:
        raise UsageError(f"{text!r} is no span: it ends before it begins")
    return span


def choose_part(start: Fraction | None, stop: Fraction | None) -> tuple[Fraction, Fraction] | None:
    """The two ends of a part of the film; None where neither is given.

    Raises:
        UsageError: if only one is given, or they are the wrong way round.
    """
    if start is None and stop is None:
        return None
    if start is None or stop is None:
        raise UsageError("--from and --to name a part of the film together; give both")
    if start >= stop:
        raise UsageError(f"--from {float(start):g} --to {float(stop):g}: the part ends before it begins")
    return start, stop


def write_seconds(seconds: Fraction | float) -> str:
    """A time as a name on disk holds it, rounded to milliseconds: `12m00s`, `1h02m03.5s`."""
    thousandths = round(Fraction(seconds) * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    whole, part = divmod(rest, 1000)
    clock = f"{minutes // 60}h{minutes % 60:02d}m" if minutes >= 60 else f"{minutes:02d}m"
    return f"{clock}{whole:02d}{f'.{part:03d}'.rstrip('0') if part else ''}s"


def frames_of(spans: Iterable[tuple[Fraction, Fraction]], rate_hz: float, total: int) -> list[Span]:
    """Spans in seconds as whole frames that hold them, those that touch made one.

    Raises:
        UsageError: if one begins after the film's end.
    """
    rate = Fraction(rate_hz)
    found = []
    for start, stop in spans:
        if start * rate >= total:
            raise UsageError(f"a span from {float(start):g} s on lies behind the film's end at {total / rate_hz:g} s")
        found.append(Span(math.floor(start * rate), min(math.ceil(stop * rate), total)))
    return merge(found)


def merge(spans: Iterable[Span], gap: int = 0) -> list[Span]:
    """Spans in order, those made one that overlap or have at most `gap` frames between them."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].stop + gap:
            merged[-1] = Span(merged[-1].start, max(merged[-1].stop, span.stop))
        else:
            merged.append(span)
    return merged


def changed_spans(changed: NDArray[np.bool_], *, before: int, after: int, gap: int) -> list[Span]:
    """Where a change is heard.

    Args:
        changed: which frames of the curve are not what they were, `[T]`.
        before: how many frames earlier music looks at the curve.
        after: how many frames later it still does.
        gap: spans this near to one another are composed as one.
    """
    edges = np.diff(np.concatenate([[False], changed, [False]]).astype(np.int8))
    total = len(changed)
    spans = zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True)
    return merge([Span(max(0, start - before), min(total, stop + after)) for start, stop in spans], gap)


def overlap(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What spans have in common with others, in order; what lies in two of the others stays in two pieces."""
    others = list(others)
    shared = (Span(max(a.start, b.start), min(a.stop, b.stop)) for a in spans for b in others)
    return sorted(span for span in shared if span.start < span.stop)


def windows_of(span: Span, cue: Span, window: int, prompt: int) -> list[Window]:
    """Windows that compose a span of a cue anew; the first has what of the cue was kept before it as its prompt.

    cue        |=========================================|
    span                    |                 |
    window 0    |--prompt---|===new===========|===...                (as long as a window can be)
    """
    known = min(span.start - cue.start, prompt)
    moved = continuation_windows(span.stop - span.start + known, window, prompt)
    by = span.start - known
    # The first window of a stream has no prompt; this one has what is there. Only the cue's last one may end.
    return [
        Window(w.index, w.start + by, w.stop + by, w.prompt if w.index else known, last=w.stop + by == cue.stop)
        for w in moved
    ]


def windows_over(span: Span, cue: Span, window: int, prompt: int) -> list[Window]:
    """Those windows of a whole cue whose new frames cover a span; the first is composed whole, without a prompt.

    cue      |=========0=========|=====1=====|=====2=====|=====3=====|
    span                            |             |
    window 1             |==========new======|
    window 2                         |prompt-|====new====|
    """
    whole = windows_of(cue, cue, window, prompt)
    chosen = [w for w in whole if w.new_start < span.stop and w.stop > span.start]
    return [dataclasses.replace(w, prompt=0) if w is chosen[0] else w for w in chosen]
