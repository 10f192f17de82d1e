"""The report page: one HTML file that opens without the network and says what a score was made from."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any
from urllib.parse import quote

from narrascore.files import write_text

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
img, video { max-width: 100%; } audio { width: 100%; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; vertical-align: top; }
th { font-weight: 600; } blockquote { border-left: 4px solid #c8481d; margin: 1rem 0; padding: .2rem 1rem; }
.warning { background: #fff4e5; border-left: 4px solid #e69b00; padding: .3rem 1rem; }
@media (prefers-color-scheme: dark) { body { background: #1b1b1b; color: #ddd; } .warning { background: #3a2f1c; } }
"""


def write_page(folder: Path, data: dict[str, Any]) -> None:
    """Write `report.html` beside the results it shows.

    Args:
        folder: the job folder, with `figure.png`.
        data: its manifest; everything in it is escaped.
    """
    film, music = data["film"], data.get("music", {})
    title = f"NarraScore: {film['name']}"
    figure = base64.b64encode((folder / "figure.png").read_bytes()).decode()
    turns = {f"from {turn['start_seconds']:g} s": turn["sentence"] for turn in data.get("sentences", [])}
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<blockquote>{html.escape(data['anchor'])}</blockquote>",
        *_table("Sentences", turns if len(turns) > 1 else {}),
        *(f'<p class="warning">{html.escape(line)}</p>' for line in data["warnings"]),
        f'<img alt="Keyframes, affect curve and spectrogram of the music on one time axis" '
        f'src="data:image/png;base64,{figure}">',
        *_players(folder, data["results"].get("film")),
        *_table("Film", {name: value for name, value in film.items() if name not in ("identity", "path")}),
        *_table("Settings", {"system": data["system"], **data["settings"]}),
        *_table("Parts", data["parts"]),
        *_table("Music", music),
        *_table("Mix", data.get("levels", {})),
        *_table("Licences", data.get("licences", {})),
        *_table("Seconds per stage", data["stage_seconds"]),
        *_table("Made with", data.get("environment", {})),
    ]
    body = "\n".join(parts)
    write_text(
        folder / "report.html",
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body>\n</html>\n",
    )


def _players(folder: Path, film: str | None) -> list[str]:
    """Players and links, all relative, so that the folder can be moved with its film."""
    parts = []
    if film:
        parts.append(f'<h2>The scored film</h2><video controls preload="metadata" src="{_link(film)}"></video>')
    parts.append(f'<h2>The music alone</h2><audio controls preload="metadata" src="{_link("music.wav")}"></audio>')
    names = [name for name in ("music.wav", "music.mid", "curve.csv", "anchor.json", "manifest.json")]
    stems = sorted(
        path.relative_to(folder).as_posix() for kind in ("deliver", "stems") for path in folder.glob(f"{kind}/*")
    )
    present = [name for name in names if (folder / name).is_file()] + stems
    links = ", ".join(f'<a href="{_link(name)}">{html.escape(name)}</a>' for name in present)
    return [*parts, f"<p>Files: {links}</p>"]


def _link(name: str) -> str:
    return html.escape(quote(name), quote=True)


def _table(title: str, values: dict[str, Any]) -> list[str]:
    """A heading and a table, nested dictionaries flattened by dots; nothing where there is nothing to say."""
    rows = "\n".join(
        f"<tr><th>{html.escape(name.replace('_', ' '))}</th><td>{html.escape(_text(value))}</td></tr>"
        for name, value in _flat(values)
        if value not in (None, "", [], {})
    )
    return [f"<h2>{html.escape(title)}</h2>", f"<table>{rows}</table>"] if rows else []


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}: ")
        else:
            rows.append((f"{prefix}{name}", value))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
