"""Markers that a user or an editing program wrote as a table, read back as wishes for the curve."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Literal

from narrascore.errors import InputError, UsageError
from narrascore.markers import Marker
from narrascore.spans import parse_seconds
from narrascore.spreadsheet import Numbers, read_table

TIMES = ("time_seconds", "time", "timecode", "start", "in", "record_in")
TEXTS = ("name", "marker_name", "label", "comment", "comments", "description", "notes")
MAX_MARKERS = 10_000
STANDARD_RATE = 5e-4
"""A film's rate so near to a whole number, or to 1000/1001 of one, is that rate: its last pictures blur the average."""
_TIMECODE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;])(\d{1,3})", re.ASCII)
_KIND = re.compile(r"\b(section|hit)\b", re.IGNORECASE)
_VALUE = r"\b{}\s*[:=]?\s*([+-]?\d*[.,]?\d+)"


def read_markers(path: Path, *, rate_hz: float, duration_seconds: float) -> tuple[Marker, ...]:
    """Read markers that say valence or arousal, in time order; those that say neither are left out.

    - The time stands in a column `time_seconds`, `time`, `timecode`, `start`, `in` or `record_in`: seconds, MM:SS,
      HH:MM:SS, or HH:MM:SS:FF, which counts the film's frames (HH:MM:SS;FF drops the numbers that TV drops).
    - Kind, valence and arousal have columns of these names. Where they have none, or are empty, the marker's name or
      comment may say them, as the labels of `deliver/markers.srt` do: `section: valence +0.20, arousal=0.9`. A marker
      of no kind is a hit.

    Args:
        path: the table, as a spreadsheet or an editing program wrote it.
        rate_hz: pictures a second of the film; 0 if it has none.
        duration_seconds: of the film.

    Raises:
        InputError: with the number of the line that cannot be used.
    """
    what = f"markers {path.name}"
    table, numbers = read_table(path, what), Numbers()
    line, header = next(table, (1, []))
    columns = [cell.lower().replace(" ", "_") for cell in header]
    clock = next((name for name in TIMES if name in columns), None)
    if clock is None:
        raise InputError(f"{what}, line {line}: no column {', '.join(TIMES[:-1])} or {TIMES[-1]} tells the time")
    markers = []
    for line, cells in table:
        where, row = f"{what}, line {line}", dict(zip(columns, cells, strict=False))
        text = " ".join(row.get(name, "") for name in TEXTS)
        valence = _value("valence", row, text, numbers, where)
        arousal = _value("arousal", row, text, numbers, where)
        if valence is None and arousal is None:
            continue
        seconds = _seconds(row.get(clock, ""), rate_hz, numbers, where)
        if not 0 <= seconds < duration_seconds:
            raise InputError(
                f"{where}: {row[clock]} lies outside the film, which lasts {duration_seconds:g} s; times count from "
                "its first picture, where a timeline often begins at 01:00:00:00"
            )
        markers.append(Marker(seconds, _kind(row.get("kind", ""), text, where), valence, arousal))
    if not markers:
        raise InputError(
            f"{what}: no marker says valence or arousal; write them into columns of these names, or into the markers' "
            "own names, as in 'hit: arousal 0.9'"
        )
    if len(markers) > MAX_MARKERS:
        raise InputError(
            f"{what}: {len(markers)} markers, where {MAX_MARKERS} are the most; --curve takes a whole curve"
        )
    return tuple(sorted(markers, key=lambda marker: (marker.seconds, marker.kind != "section")))


def _value(name: str, row: dict[str, str], text: str, numbers: Numbers, where: str) -> float | None:
    cell = row.get(name, "")
    if not cell:
        said = re.search(_VALUE.format(name), text, re.IGNORECASE | re.ASCII)
        if said is None:
            return None
        cell, numbers = said[1], Numbers()  # a label's decimals are its own affair
    value = numbers.read(cell, where)
    if not -1 <= value <= 1:
        raise InputError(f"{where}: {name} lies in [-1, 1], got {cell}")
    return value


def _kind(cell: str, text: str, where: str) -> Literal["section", "hit"]:
    named = _KIND.search(text)
    said = cell.lower() or (named[0].lower() if named else "hit")
    if said not in ("section", "hit"):
        raise InputError(f"{where}: a marker is a section or a hit, got {cell!r}")
    return "section" if said == "section" else "hit"


def _seconds(cell: str, rate_hz: float, numbers: Numbers, where: str) -> float:
    if ":" not in cell:
        return numbers.read(cell, where)
    frames = _TIMECODE.fullmatch(cell)
    try:
        return float(_of_timecode(frames, rate_hz)) if frames else float(parse_seconds(cell.replace(",", ".")))
    except UsageError as error:
        raise InputError(f"{where}: {error}") from error


def _of_timecode(found: re.Match[str], rate_hz: float) -> Fraction:
    """Seconds of a timecode, which counts pictures, 24 to its second where 23.976 are shown in one."""
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    counted = round(rate_hz)
    if counted == 0 or frames >= counted or minutes > 59 or seconds > 59:
        raise UsageError(f"{found[0]!r} is no time: write HH:MM:SS:FF with the film's {rate_hz:.5g} frames a second")
    minutes += 60 * hours
    total = (minutes * 60 + seconds) * counted + frames
    if found[4] == ";":  # two numbers a minute are left out at 29.97 pictures a second, but in every tenth minute
        total -= counted // 15 * (minutes - minutes // 10)
    exact = min((Fraction(counted), Fraction(counted * 1000, 1001)), key=lambda rate: abs(rate - rate_hz))
    return total / (exact if abs(float(exact) / rate_hz - 1) < STANDARD_RATE else Fraction(rate_hz))
