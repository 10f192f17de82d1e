"""The report page: one HTML file, opened without a network, on which a score is seen, heard and accounted for.

Pictures, style and script stand in the file; film and music are read from the files beside it. What comes from a user
or a model is escaped, and the page's policy lets no script run and nothing load but what was written here.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from narrascore.files import write_text
from narrascore.report import clock
from narrascore.report_page.axis import Picture, draw_axis
from narrascore.report_page.rows import Lane, lanes, other_values, record_lists, record_table, value_table

PAGE_FILE = "report.html"
MOST_OPEN_ROWS = 12
"""A longer table is closed at first."""
MOST_CURVE_ROWS = 120
SOURCES = {"eye": "read off the picture", "file": "given as a file", "edited": "edited by hand"}
SOUNDS = {
    "duck": "under the film\N{RIGHT SINGLE QUOTATION MARK}s sound, giving way to it", "mix": "mixed with the film"
    "\N{RIGHT SINGLE QUOTATION MARK}s sound", "replace": "instead of the film\N{RIGHT SINGLE QUOTATION MARK}s sound",
    "music-only": "by itself, no film written",
}  # fmt: skip


def write_page(folder: Path, data: Mapping[str, Any], picture: Picture) -> None:
    """Write `report.html` beside the results it shows.

    Args:
        folder: the job folder, with `music.wav`.
        data: its manifest.
        picture: what the picture on the page is drawn from.
    """
    film, duration = data["film"], picture.duration_seconds
    scored = data["results"].get("film")
    found, loudness = lanes(data), _loudness_lines(data)
    summary = _summary(picture, found)
    home = files("narrascore.report_page")
    template, style, script = ((home / f"page.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    parts = {
        "POLICY": _policy(style, script),
        "STYLE": style,
        "SCRIPT": script,
        "TITLE": html.escape(f"{film['name']}: NarraScore report"),
        "FILM": html.escape(film["name"]),
        "ANCHOR": html.escape(data["anchor"]),
        "WARNINGS": "".join(f'<p class="warning"><bdi>{html.escape(line)}</bdi></p>' for line in data["warnings"]),
        "PLAYERS": _players(film, scored),
        "FACTS": _facts(data) + _loudness_table(data),
        "AXIS": draw_axis(picture, found, loudness, f"Keyframes, affect curve, windows and spectrogram. {summary}"),
        "DURATION": f"{duration:.6f}",
        "SUMMARY": html.escape(summary),
        "CURVE": _curve_table(picture, loudness),
        "SECTIONS": "\n".join(_sections(folder, data, duration)),
        "DATA": _script_data(picture, found),
    }
    # In one pass: a film's name may look like a place to be filled.
    page = re.sub(r"@([A-Z]+)@", lambda place: parts[place[1]], template)
    write_text(folder / PAGE_FILE, page)


def _policy(style: str, script: str) -> str:
    """This style and this script by their hashes, pictures that stand in the page, media from where the page lies."""
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (style, script)]
    return (
        f"default-src 'none'; style-src {hashes[0]}; script-src {hashes[1]}; img-src data:; media-src 'self' file:; "
        "base-uri 'none'; form-action 'none'"
    )


def _players(film: Mapping[str, Any], scored: str | None) -> str:
    """Players of the film and the music; their paths are relative, so that the folder can be moved with its film."""
    shown = [("audio", "The music alone", "music.wav", "24-bit WAV")]
    if scored:
        shown.insert(0, ("video", "The film with its music", scored, f"picture: {film.get('video_codec')}"))
    return "".join(
        f'<figure class="player"><figcaption>{title}</figcaption>'
        f'<{kind} controls preload="metadata" aria-label="{title}" src="{_link(path)}"></{kind}>'
        f'<p class="cannot" hidden>This browser cannot play it ({html.escape(what)}), or it no longer lies beside this '
        f'page. Open <a href="{_link(path)}"><bdi>{html.escape(PurePath(path).name)}</bdi></a> in a media player.</p>'
        "</figure>"
        for kind, title, path, what in shown
    )


def _facts(data: Mapping[str, Any]) -> str:
    film, settings = data["film"], data["settings"]
    size = f"{film['width']} \N{MULTIPLICATION SIGN} {film['height']}" if film.get("width") else None
    source = data.get("made_from", {}).get("curve.csv", {}).get("source")
    facts = [
        ("length", clock(film["duration_seconds"], film["duration_seconds"], 1)),
        ("picture", size),
        ("system", data["system"]),
        ("curve", SOURCES.get(str(source))),
        ("music", SOUNDS.get(str(settings.get("audio")))),
        ("seed", settings.get("seed")),
    ]
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{html.escape(str(said))}</dd></div>" for name, said in facts if said is not None
    )
    return f"<dl>{rows}</dl>"


def _loudness_table(data: Mapping[str, Any]) -> str:
    """Integrated loudness, range and true peak of the music and of the mix."""
    music, mix = data.get("music", {}), data.get("levels", {})
    rows = [["music alone", *_levels(music, "loudness_lufs", "loudness_range_lu", "true_peak_dbtp")]]
    if mix:
        rows.append(["film with music", *_levels(mix, "mix_lufs", "mix_range_lu", "mix_true_peak_dbtp")])
    return _table(["loudness", "integrated (LUFS)", "range (LU)", "true peak (dBTP)"], rows, "numbers")


def _levels(values: Mapping[str, Any], *names: str) -> list[str]:
    return [_level(values[name]) if name in values else "" for name in names]


def _level(value: float | None) -> str:
    return "silent" if value is None else f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def _loudness_lines(data: Mapping[str, Any]) -> dict[str, list[float | None]]:
    lines = {
        "mix": data.get("levels", {}).get("mix_momentary_lufs"),
        "music": data.get("music", {}).get("momentary_lufs"),
    }
    return {name: line for name, line in lines.items() if line}


def _summary(picture: Picture, found: Sequence[Lane]) -> str:
    """The picture in words."""
    points, duration = picture.points(), picture.duration_seconds
    seconds = np.linspace(0, duration, len(points))
    said = []
    for column, name in ((1, "Arousal"), (0, "Valence")):
        ends = [
            f"{_signed(points[row, column])} at {clock(seconds[row], duration)}"
            for row in (points[:, column].argmin(), points[:, column].argmax())
        ]
        said.append(f"{name} is lowest with {ends[0]} and highest with {ends[1]}.")
    for lane in found:
        again = sum(span.marked for span in lane.spans)
        said.append(f"{lane.title}: {len(lane.spans)}{f', of which {again} had to be drawn again' if again else ''}.")
    return " ".join(said)


def _curve_table(picture: Picture, loudness: Mapping[str, Sequence[float | None]]) -> str:
    duration, points = picture.duration_seconds, picture.points(MOST_CURVE_ROWS)
    seconds = np.linspace(0, duration, len(points))
    rows = []
    for moment, (valence, arousal) in zip(seconds.tolist(), points.tolist(), strict=True):
        heard = [line[min(int(moment / duration * len(line)), len(line) - 1)] for line in loudness.values()]
        rows.append([clock(moment, duration, 1), _signed(valence), _signed(arousal), *map(_level, heard)])
    headings = ["time", "valence", "arousal", *(f"{name} (LUFS)" for name in loudness)]
    return "<p>Every second of the curve stands in <code>curve.csv</code>.</p>" + _table(headings, rows, "numbers")


def _sections(folder: Path, data: Mapping[str, Any], duration_seconds: float) -> Iterator[str]:
    """What else there is to tell, each with a heading to open it by."""
    for title, records in record_lists(data).items():
        headings, rows = record_table(records, duration_seconds)
        yield _section(title, _table(headings, rows), is_open=len(rows) <= MOST_OPEN_ROWS)
    seconds = data["stage_seconds"]
    settings = {name: _leaf(value) for name, value in data["settings"].items() if name not in ("at", "output")}
    cards = {
        "Mix": data.get("levels", {}),
        "Seconds per stage": {**seconds, "together": round(sum(seconds.values()), 3)},
        "Licences": data.get("licences", {}),
    }
    yield f'<div class="cards">{"".join(_values(title, values, is_open=True) for title, values in cards.items())}</div>'
    for title, values in {
        "Settings": settings,
        "Parts": data["parts"],
        "Music": data.get("music", {}),
        "Made with": data.get("environment", {}),
        "More": other_values(data),
    }.items():
        yield _values(title, values, is_open=False)
    links = "".join(f'<li><a href="{_link(name)}"><bdi>{html.escape(name)}</bdi></a></li>' for name in _files(folder))
    yield _section("Files", f'<ul class="files">{links}</ul>', is_open=True)


def _leaf(value: Any) -> Any:
    """The last part of a path, which is all that the page tells of it: it may be handed on."""
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value


def _values(title: str, values: Mapping[str, Any], *, is_open: bool) -> str:
    rows = value_table(values)
    return _section(title, _table([], rows), is_open=is_open) if rows else ""


def _section(title: str, body: str, *, is_open: bool) -> str:
    return f"<details{' open' if is_open else ''}><summary><h2>{html.escape(title)}</h2></summary>{body}</details>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table whose first column names its rows; one with headings scrolls by itself where it is too wide."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in headings)
    body = "".join(
        f'<tr><th scope="row">{html.escape(first)}</th>{"".join(f"<td>{html.escape(text)}</td>" for text in rest)}</tr>'
        for first, *rest in rows
    )
    table = f'<table class="{kind or ("records" if head else "values")}">'
    table += (f"<thead><tr>{head}</tr></thead>" if head else "") + f"<tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="group" aria-label="Table">{table}</div>' if head else table


def _files(folder: Path) -> list[str]:
    """What lies in the job folder for its user."""
    own = [path for path in folder.iterdir() if path.is_file()]
    inner = [path for kind in ("deliver", "stems", "spans") for path in (folder / kind).rglob("*.*") if path.is_file()]
    names = sorted(path.relative_to(folder).as_posix() for path in own) + sorted(
        path.relative_to(folder).as_posix() for path in inner if "windows" not in path.parts
    )
    return [name for name in names if not name.startswith(".") and name != PAGE_FILE]


def _script_data(picture: Picture, found: Sequence[Lane]) -> str:
    points = picture.points()
    data = {
        "duration": round(picture.duration_seconds, 6),
        "curve": {"valence": _rounded(points[:, 0]), "arousal": _rounded(points[:, 1])},
        "lanes": [
            {
                "title": lane.title.lower().removesuffix("s"),
                "spans": [
                    [round(span.start_seconds, 3), round(span.stop_seconds, 3), span.label] for span in lane.spans
                ],
            }
            for lane in found
        ],
    }
    # In a script element "</script" and "<!--" mean something, whatever stands around them.
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(value, 3) for value in values.tolist()]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _link(path: str) -> str:
    return html.escape(quote(path), quote=True)
