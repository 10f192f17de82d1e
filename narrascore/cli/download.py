"""`narrascore download`: the weights of a system, fetched before they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from narrascore.cli.records import CheckpointRecord, records
from narrascore.cli.words import Parser
from narrascore.errors import UsageError

USAGE = "WHAT [WHAT ...] [--to DIR]"
DESCRIPTION = """\
Fetch checkpoints from the hub before they are needed: `paper` is the whole of the paper's system, anything else an id
such as facebook/musicgen-small. Sizes and licences are printed first. A download that was stopped goes on when the
same command is given again; what is there is not fetched twice. The embedded system needs none of this."""


def run(words: Sequence[str]) -> int:
    """Say what is going to be fetched, fetch it, and say how to use it."""
    line = _parser().take_apart(words)
    if not line.names or line.overrides:
        raise UsageError("say what to fetch: paper, or ids such as facebook/musicgen-small")
    from narrascore.hub import SETS, download, gib, look_up

    to = Path(str(line.flags["to"])) if "to" in line.flags else None
    names = list(dict.fromkeys(name for what in line.names for name in SETS.get(what, (what,))))
    places = {name: None if to is None else to / name.rpartition("/")[2] for name in names}
    with records(line.json) as emit:
        parcels = [look_up(name, to=places[name]) for name in names]
        for parcel in parcels:
            print(f"{parcel.name} at {parcel.revision[:12]}: {gib(parcel.size_bytes)}, licence {parcel.licence}")
        print(f"to fetch: {gib(sum(parcel.missing_bytes for parcel in parcels))}", flush=True)
        for parcel in parcels:
            folder = download(parcel, places[parcel.name]).absolute()
            print(folder)
            told: CheckpointRecord = {
                "command": "download", "name": parcel.name, "revision": parcel.revision, "licence": parcel.licence,
                "size_bytes": parcel.size_bytes, "fetched_bytes": parcel.missing_bytes, "folder": str(folder),
            }  # fmt: skip
            emit(told)
        if to is not None and "paper" in line.names:
            eye, music = (places[name] for name in SETS["paper"])
            print(f"narrascore score FILM --system paper --eye {eye} --music {music} uses them")
    return 0


def _parser() -> Parser:
    parser = Parser("download", DESCRIPTION, USAGE, json=True)
    parser.add_argument("--to", metavar="DIR", help="a folder of your own instead of the hub's cache")
    return parser
