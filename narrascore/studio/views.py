"""What the page shows of a film: pieces of HTML, everything in them escaped, and what its two scripts are given."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from narrascore.cues import gaps_between
from narrascore.studio.curve_points import choose_points
from narrascore.studio.films import StudioFilm, Take, clock, spoken_spans
from narrascore.studio.strip import keyframes_of
from narrascore.studio.worker import STAGES, Step

FILE_ROUTE = "/gradio_api/file="
PLAYED = (".mp4", ".m4v", ".mov", ".webm")
KINDS = {
    ".wav": "Music, WAV", ".mid": "Notes, MIDI", "curve.csv": "Curve, CSV", "anchor.json": "Sentence, JSON",
    "report.html": "Report", "figure.png": "Figure, PNG", "manifest.json": "Manifest, JSON",
    "cues.csv": "Cues, CSV",
}  # fmt: skip


def shelf(films: Sequence[StudioFilm], chosen: str, running: str) -> str:
    """The films as buttons, each with a cross to delete it; nothing where there are none."""
    cards = []
    for film in films:
        name, current = html.escape(film.name), ' aria-current="true"' if film.id == chosen else ""
        state = "scoring \N{HORIZONTAL ELLIPSIS}" if film.id == running else clock(film.duration_seconds)
        pictures = keyframes_of(film)
        source = _link(film.folder / "keyframes" / pictures[len(pictures) // 2][1]) if pictures else ""
        picture = f'<img src="{source}" alt="">' if source else '<span class="ns-blank"></span>'
        cards.append(
            f'<li><button type="button" class="ns-card" data-film="{film.id}"{current}>{picture}'
            f'<span class="ns-card-name">{name}</span><span class="ns-quiet">{state}</span></button>'
            f'<button type="button" class="ns-remove" data-remove="{film.id}" data-name="{name}" '
            f'aria-label="Delete {name} and its music">\N{MULTIPLICATION SIGN}</button></li>'
        )
    return f'<ul class="ns-shelf">{"".join(cards)}</ul>' if cards else ""


def notice(line: str) -> str:
    """A line that something was refused; empty for none."""
    return f'<p class="ns-notice" role="alert">{html.escape(line)}</p>' if line else ""


def status(film: StudioFilm, place: int | None, step: Step) -> str:
    """Where a film's job stands: its stages and the time left, or what came of it."""
    title = f'<h2 class="ns-title">{html.escape(film.name)}</h2>'
    if place is None:
        return title + _outcome(film)
    if place > 0:
        before = "one film is" if place == 1 else f"{place} films are"
        return f'{title}<p class="ns-line" role="status">Waiting: {before} before it.</p>'
    stages = list(STAGES)
    at = stages.index(step.stage) if step.stage in stages else -1
    bars = "".join(
        f"<li{' aria-current=step' if index == at else ''}><span>{STAGES[stage]}</span>"
        f'<progress max="100" value="{_share(index, at, step.share)}" aria-label="{STAGES[stage]}"></progress></li>'
        for index, stage in enumerate(stages)
    )
    doing = STAGES.get(step.stage, "Getting ready")
    share = f" {round(100 * step.share)} %" if at >= 0 else ""
    left = "" if step.left_seconds is None else f", about {_spoken(step.left_seconds)} left of this step"
    return f'{title}<p class="ns-line" role="status">{doing}{share}{left}</p><ol class="ns-stages">{bars}</ol>'


def downloads(film: StudioFilm) -> str:
    """Links to everything there is: the newest take open, the earlier ones folded away."""
    takes = film.takes()
    if not takes:
        return ""
    parts = ['<h3 class="ns-heading">Download</h3>', _files(film, takes[0])]
    for take in takes[1:]:
        told = f" <span class=ns-quiet>{html.escape(take.told)}</span>" if take.told else ""
        parts.append(f"<details><summary>Take {take.number}{told}</summary>{_files(film, take)}</details>")
    return "".join(parts)


def desk(film: StudioFilm) -> dict[str, Any]:
    """What `curve.js` draws: the curve with its points, the keyframes, where the music is new, and where is none."""
    curve = film.curve
    return {
        "film": film.id,
        "seconds": film.duration_seconds,
        "rate": 1.0 if curve is None else curve.rate_hz,
        "values": [] if curve is None else [[round(float(v), 4) for v in row] for row in curve.values],
        "points": [] if curve is None else choose_points(curve),
        "keyframes": [
            {"seconds": seconds, "source": _link(film.folder / "keyframes" / name)}
            for seconds, name in keyframes_of(film)
        ],
        # Where all of the music is new, no stretch stands out.
        "recomposed": [span for span in film.data.get("recomposed", []) if span != [0.0, film.duration_seconds]],
        "silent": [[float(start), float(stop)] for start, stop in _gaps(film)],
        "edited": False,
    }


def player(film: StudioFilm) -> dict[str, Any]:
    """What `player.js` plays: the picture, and every take with and without the film's sound."""
    takes = film.takes()
    # What browsers play as it is; of anything else the scored film's container is more likely to be one of theirs.
    shown = film.path if film.path.suffix.lower() in PLAYED or not takes or takes[0].film is None else takes[0].film
    return {
        "film": film.id,
        "picture": _link(shown) if film.data["has_picture"] else "",
        "width": film.data["width"],
        "height": film.data["height"],
        "takes": [
            {
                "label": f"Take {take.number}" + (f" ({take.told})" if take.told else ""),
                "music": _link(take.music),
                "film": _link(take.film) if take.film is not None else "",
            }
            for take in takes
        ],
    }


def _outcome(film: StudioFilm) -> str:
    manifest = film.manifest()
    if film.data["error"]:
        return f'<p class="ns-notice" role="alert">{html.escape(film.data["error"])}</p>'
    if manifest.get("state") != "finished":
        told = "Not finished: Score goes on where it stopped." if manifest else "Not scored yet."
        return f'<p class="ns-line" role="status">{told}</p>'
    lines = [f'<p class="ns-line" role="status">{html.escape(film.data["note"])}</p>']
    warnings = [f"<li>{html.escape(line)}</li>" for line in manifest.get("warnings", [])]
    if warnings:
        count = f"{len(warnings)} remark{'s' if len(warnings) > 1 else ''}"
        lines.append(f'<details class="ns-remarks"><summary>{count}</summary><ul>{"".join(warnings)}</ul></details>')
    return "".join(lines)


def _files(film: StudioFilm, take: Take) -> str:
    place, rows = f"/studio/{film.id}/{take.number}", []
    for name, path in names_in(film, take).items():
        kind = "Scored film" if path == take.film else KINDS.get(name, KINDS.get(path.suffix, name))
        told = f"{kind}: {path.stem}" if "/" in name else kind
        # A report is read in the browser, everything else is saved.
        link = f'href="{_link(path)}" target="_blank" rel="noopener"'
        if path.suffix != ".html":
            link = f'href="{place}/{quote(name)}" download'
        size = f'<span class="ns-quiet">{_size(path.stat().st_size)}</span>'
        rows.append(f"<li><a {link}>{html.escape(told)}</a> {size}</li>")
    rows.append(f'<li><a href="{place}.zip" download>Everything, ZIP</a></li>')
    return f'<ul class="ns-files">{"".join(rows)}</ul>'


def names_in(film: StudioFilm, take: Take) -> dict[str, Path]:
    """The files of a take by the names under which they are asked for, and stand in its ZIP."""
    return {
        path.name if path == take.film else path.relative_to(take.folder).as_posix(): path
        for path in film.results(take)
    }


def saved_as(film: StudioFilm, path: Path) -> str:
    """`music.wav` of Holiday.mp4 is saved as `Holiday.music.wav`, not beside ten others of its name."""
    stem = Path(film.name).stem
    return path.name if path.name.startswith(f"{stem}.") else f"{stem}.{path.name}"


def _link(path: Path) -> str:
    """An address of a file, as HTML can hold it; another content is another address, so no browser shows an old one."""
    return f"{FILE_ROUTE}{quote(str(path))}?v={path.stat().st_mtime_ns}"


def _share(index: int, at: int, share: float) -> int:
    if index < at:
        return 100
    return round(100 * share) if index == at else 0


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"


def _size(count: int) -> str:
    if count < 2**20:
        return f"{max(1, round(count / 1024))} KiB"
    return f"{count / 2**20:.1f} MiB"


def spoken_cues(film: StudioFilm) -> str:
    """Where a film's music is, in words."""
    if not film.cues:
        return ""
    if not _gaps(film):
        return "everywhere"
    return spoken_spans((float(cue.in_seconds), float(cue.out_seconds)) for cue in film.cues)


def _gaps(film: StudioFilm) -> list[tuple[float, float]]:
    """Where it has none, in seconds; nowhere before it is scored."""
    return [(float(a), float(b)) for a, b in gaps_between(film.cues, film.duration_seconds)] if film.cues else []


def sentence_of(film: StudioFilm) -> tuple[str, list[str]]:
    """The sentence that the music follows, and the words of it that the music model does not know."""
    try:
        anchor = json.loads((film.job / "anchor.json").read_text(encoding="utf-8"))
        return str(anchor.get("sentence", "")), [str(word) for word in anchor.get("not_understood", [])]
    except (OSError, ValueError, AttributeError):
        return "", []
