"""What the report page tells in tables, and what of it has a place in the film.

Nothing here knows a stage: every list of records in a manifest becomes a table of its own, and those whose records have
`start_seconds` become a lane on the time axis too. Without `stop_seconds` a record holds until the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from narrascore.report import clock

Record = Mapping[str, Any]

OWN_PLACE = (
    "film", "anchor", "warnings", "results", "system", "settings", "parts", "music", "levels", "licences",
    "stage_seconds", "environment", "windows", "edits",
)  # fmt: skip
"""Keys of a manifest that the page shows in a place of their own."""
INNER = (
    "format", "state", "stages", "files", "made_from", "version", "composing", "forced", "threads", "rows", "stems",
    "deliver",
)  # fmt: skip
"""Keys that only runs need, and lists of files, which the page links."""
UNITS = {"lufs": "LUFS", "dbtp": "dBTP", "db": "dB", "lu": "LU", "seconds": "s", "hz": "Hz", "bytes": "bytes"}
MOMENTS = ("start_seconds", "stop_seconds", "join_seconds", "time_seconds")
"""Film times, which are written as a clock shows them."""
MOST_CHARACTERS = 28
"""Of a label on the time axis."""


@dataclass(frozen=True)
class Span:
    """A stretch of the film on a lane.

    Attributes:
        start_seconds, stop_seconds: where.
        label: what is said of it.
        marked: whether it stands out: something was drawn again there.
        join_seconds: where music that was composed anew goes back into what was kept.
    """

    start_seconds: float
    stop_seconds: float
    label: str
    marked: bool = False
    join_seconds: float | None = None


@dataclass(frozen=True)
class Lane:
    """Stretches of the film of one kind."""

    title: str
    spans: Sequence[Span]


def record_lists(data: Record) -> dict[str, list[Record]]:
    """Every list of records in a manifest, by its title: windows and edits, then whatever else there is."""
    found: dict[str, list[Record]] = {
        "Windows": [_window(row) for row in data.get("windows", [])],
        "Edits": [row for number, edit in enumerate(data.get("edits", []), 1) for row in _edit(number, edit)],
        "Directions": list(data.get("settings", {}).get("at", [])),
    }
    for name, value in data.items():
        records = _records(value) if name not in OWN_PLACE + INNER else None
        if records:
            found[_label(name).capitalize()] = records
    return {title: records for title, records in found.items() if records}


def other_values(data: Record) -> dict[str, Any]:
    """What a manifest holds that is neither a list of records nor has a place of its own on the page."""
    return {
        name: value for name, value in data.items() if name not in OWN_PLACE + INNER and value and not _records(value)
    }


def lanes(data: Record) -> list[Lane]:
    """The lists of records whose records are stretches of the film, but for a single one that is the whole film."""
    duration = data["film"]["duration_seconds"]
    found = []
    for title, records in record_lists(data).items():
        if all("start_seconds" in record for record in records):
            starts = [*(record["start_seconds"] for record in records[1:]), duration]
            spans = [_span({"stop_seconds": stop, **record}) for record, stop in zip(records, starts, strict=True)]
            if len(spans) > 1 or spans[0].start_seconds > 0 or spans[0].stop_seconds < duration:
                found.append(Lane(title, spans))
    return found


def record_table(records: Sequence[Record], duration_seconds: float) -> tuple[list[str], list[list[str]]]:
    """The headings of records and their cells; columns that say nothing are left out."""
    names = [
        name
        for name in dict.fromkeys(name for record in records for name in record)
        if any(record.get(name) not in (None, "", [], {}) for record in records)
    ]
    headings = [name.removesuffix("_seconds") if name in MOMENTS else _label(name) for name in names]
    return headings, [[_cell(name, record.get(name), duration_seconds) for name in names] for record in records]


def value_table(values: Record) -> list[tuple[str, str]]:
    """Names and values, inner dictionaries flattened; nothing where there is nothing to say."""
    return [
        (_label(name), text_of(value))
        for name, value in _flat(values)
        if value not in (None, "", [], {}) and not name.endswith("momentary_lufs")
    ]


def text_of(value: Any) -> str:
    """A value as a reader wants it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{_label(name)} {text_of(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}", 1) if isinstance(value, float) else str(value)


def _window(row: Record) -> Record:
    reasons = row.get("collapses", [])
    where = {name: row.get(name) for name in ("start_seconds", "stop_seconds")}
    return {"window": row.get("index", 0) + 1, **where, "tries": 1 + len(reasons), "drawn_again_because": reasons}


def _edit(number: int, edit: Record) -> Iterator[Record]:
    for span in edit.get("spans", []):
        reasons = [reason for row in span.get("windows", []) for reason in row.get("collapses", [])]
        where = {name: span.get(name) for name in ("start_seconds", "stop_seconds", "join_seconds", "join_distance")}
        yield {
            "edit": number, "why": edit.get("why"), "take": edit.get("take"), **where,
            "windows": len(span.get("windows", [])), "drawn_again_because": reasons,
        }  # fmt: skip


def _records(value: Any) -> list[Record] | None:
    """A list of dictionaries, or a dictionary of them, as records; None if it is neither."""
    if isinstance(value, Mapping) and value and all(isinstance(inner, Mapping) for inner in value.values()):
        return [{"name": name, **inner} for name, inner in value.items()]
    if isinstance(value, (list, tuple)) and value and all(isinstance(inner, Mapping) for inner in value):
        return list(value)
    return None


def _span(record: Record) -> Span:
    join = record.get("join_seconds")
    return Span(
        float(record["start_seconds"]), float(record["stop_seconds"]), _what(record),
        bool(record.get("drawn_again_because")), None if join is None else float(join),
    )  # fmt: skip


def _what(record: Record) -> str:
    """A record in a few words: its window's number, or what it has to say besides where it is."""
    if "window" in record:
        return str(record["window"])
    if "edit" in record:
        return f"{record['why']}, take {record['take']}"
    said = []
    for name, value in record.items():
        if name == "music" and value is False:
            said.append("no music")
        elif name not in MOMENTS and isinstance(value, (str, int, float)) and not isinstance(value, bool) and value:
            said.append(str(value) if isinstance(value, str) else f"{_label(name)} {text_of(value)}")
    text = ", ".join(said)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _cell(name: str, value: Any, duration_seconds: float) -> str:
    if name in MOMENTS and isinstance(value, (int, float)):
        return clock(value, duration_seconds, 1)
    records = _records(value)
    if records is not None:
        return str(len(records))
    return "" if value is None else text_of(value)


def _flat(values: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}: ")
        else:
            yield f"{prefix}{name}", value


def _label(name: str) -> str:
    """`music_gain_db` as `music gain (dB)`."""
    stem, _, unit = name.rpartition("_")
    return f"{stem} ({UNITS[unit]})".replace("_", " ") if stem and unit in UNITS else name.replace("_", " ")
