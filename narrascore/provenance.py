"""Provenance: a file beside the results that says which of them a machine made, how, and of what.

`provenance.json` is what of the manifest may be passed on with the music: no times, no places on this machine, so that
the same score is the same bytes. Kinds of origin are named in the IPTC's vocabulary of digital source types
(https://cv.iptc.org/newscodes/digitalsourcetype/), which C2PA, schema.org and search engines use, too:

    trainedAlgorithmicMedia               made by a trained model: the music, its notes and its stems
    compositeWithTrainedAlgorithmicMedia  a recording with such parts added: the scored film, and its mix
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from narrascore import __version__
from narrascore.files import write_text

PROVENANCE_FILE = "provenance.json"
FORMAT = 1
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MADE_BY_MODEL = VOCABULARY + "trainedAlgorithmicMedia"
RECORDED_AND_MADE = VOCABULARY + "compositeWithTrainedAlgorithmicMedia"
LIBRARIES = ("av", "soundfile", "mido")
"""What writes films, WAVs and MIDI; what composes stands in the manifest."""
PLACES = ("output", "curve_path", "separation")
"""Settings that name places on this machine; what was found there has its hash here."""
TAG = f"Music made by a machine, NarraScore {__version__}: {MADE_BY_MODEL}"
"""One line for the files themselves, which may be passed on without the others."""


def write_provenance(folder: Path, data: dict[str, Any]) -> Path:
    """Write `provenance.json`.

    Args:
        folder: a job folder whose results are there.
        data: its manifest's, of a finished job.
    """
    path = folder / PROVENANCE_FILE
    write_text(path, json.dumps(provenance_of(folder, data), indent=2, ensure_ascii=False) + "\n")
    return path


def provenance_of(folder: Path, data: dict[str, Any]) -> dict[str, Any]:
    """What `provenance.json` says, as JSON holds it; arguments as for `write_provenance`."""
    made_from = {name: about["source"] for name, about in data["made_from"].items()}
    environment = data["environment"]
    return {
        "format": FORMAT,
        "statement": "The music in these files was made by a machine: a music model composed it for the film.",
        "digital_source_type": MADE_BY_MODEL,
        "made_by": {"name": "NarraScore", "version": __version__},
        "film": {**data["film"]["identity"], "duration_seconds": data["film"]["duration_seconds"]},
        "outputs": [_output(folder, name, kind) for name, kind in _outputs(folder, data)],
        "anchor": {"sentence": data["anchor"], "source": made_from["anchor.json"]},
        "curve": {"sha256": _sha256(folder / "curve.csv"), "source": made_from["curve.csv"]},
        "seed": data["settings"]["seed"],
        "system": data["system"],
        "models": _without_places(data["parts"]),
        "separation": data.get("separation"),
        "licences": data["licences"],
        "settings": {name: value for name, value in data["settings"].items() if name not in PLACES},
        "edits": [{name: edit[name] for name in ("why", "take", "frames")} for edit in data.get("edits", ())],
        "environment": {
            **environment, "versions": {**environment["versions"], **{name: _version(name) for name in LIBRARIES}}
        },
    }  # fmt: skip


def _outputs(folder: Path, data: dict[str, Any]) -> list[tuple[str, str]]:
    """Every result that sounds, seen from the job folder, and what kind of thing it is."""
    made = ["music.wav", "music.mid", *(f"stems/{name}" for name in data.get("stems", ()))]
    delivered = [f"deliver/{name}" for name in data.get("deliver", ()) if name.endswith(".wav")]
    mixed = [name for name in (*delivered, data["results"]["film"]) if name and name != "deliver/music.wav"]
    made += [name for name in delivered if name not in mixed]
    there = [(name, MADE_BY_MODEL) for name in made] + [(name, RECORDED_AND_MADE) for name in mixed]
    return [(name, kind) for name, kind in there if (folder / name).is_file()]


def _output(folder: Path, name: str, kind: str) -> dict[str, Any]:
    path = folder / name
    return {
        "file": name, "size_bytes": path.stat().st_size, "sha256": _sha256(path), "digital_source_type": kind
    }  # fmt: skip


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without_places(value: Any) -> Any:
    """JSON in which an absolute path has become its last name: weights of one's own go by their folder's."""
    if isinstance(value, dict):
        return {name: _without_places(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_places(each) for each in value]
    if isinstance(value, str) and any(kind(value).is_absolute() for kind in (PurePosixPath, PureWindowsPath)):
        return PureWindowsPath(value).name
    return value


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
