"""How long a job is going to take: by the rates of earlier jobs, else by a table."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from narrascore.errors import InputError
from narrascore.manifest import FOLDER_SUFFIX, Manifest

STAGES = ("read", "compose", "render", "figure", "film")

TABLE: dict[str, dict[str, float]] = {
    "narrascore-embedded": {"read": 0.035, "compose": 0.19, "render": 0.035, "figure": 0.02, "film": 0.04},
    "facebook/musicgen-small": {"read": 0.035, "compose": 2.4, "render": 0.35, "figure": 0.02, "film": 0.04},
}
"""Music model -> seconds of work for one second of a film of 720p, on two x86 cores with AMX, of which one computes.
MusicGen-Small was measured with random weights in its shape."""
VLM_READS = 6.0
"""Seconds that the paper's eye takes to read the curve off one second of film, there."""
STARTING_SECONDS, VLM_STARTING_SECONDS = 6.0, 60.0
"""Loading, and with the paper's vision model also conceiving the anchor."""
TABLE_NAME = "a table measured on two CPU cores"
MOST_JOBS = 10
"""Of the earlier jobs in a folder, the newest so many are looked at."""


@dataclass(frozen=True)
class Work:
    """What is to be done for one film.

    Attributes:
        seconds: of film that each stage has to do; a stage that is not there has nothing to do.
        music: the music model's name.
        device: that it runs on.
        system: the system's name.
        vlm, vlm_looks: whether a vision model is loaded, and reads the curve.
    """

    seconds: dict[str, float]
    music: str
    device: str
    system: str
    vlm: bool = False
    vlm_looks: bool = False


def estimate(work: Work, folder: Path) -> tuple[float | None, str]:
    """Seconds that a job is going to take, None where nothing is known, and by what they are estimated.

    Args:
        work: what is to be done.
        folder: the job folder; the jobs beside it are looked at, too.
    """
    if not work.seconds:
        return 0.0, "nothing is to be done"
    rates, source = _measured(work, folder)
    if not rates:
        rates, source = _tabled(work), TABLE_NAME
    if not rates:
        return None, f"no measurement of {work.music} on {work.device} is known; an earlier job in the folder is one"
    return starting_seconds(work.vlm) + sum(
        seconds * rates.get(stage, 0.0) for stage, seconds in work.seconds.items()
    ), source


def starting_seconds(vlm: bool) -> float:
    """What is spent once for all films, before the first."""
    return VLM_STARTING_SECONDS if vlm else STARTING_SECONDS


def _measured(work: Work, folder: Path) -> tuple[dict[str, float], str]:
    """The slowest rate of each stage in comparable jobs: one that was resumed looks faster than it was."""
    others = sorted(folder.parent.glob(f"*{FOLDER_SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    found: dict[str, list[float]] = {}
    names = []
    for place in others[:MOST_JOBS]:
        with contextlib.suppress(InputError):
            manifest = Manifest.load(place)
            if manifest is None or not _is_comparable(manifest, work):
                continue
            names.append(place.name)
            for stage in STAGES:
                seconds = manifest.data["stage_seconds"].get(stage)
                if isinstance(seconds, (int, float)):
                    found.setdefault(stage, []).append(seconds / manifest.data["film"]["duration_seconds"])
    told = names[0] if len(names) == 1 else f"{len(names)} earlier jobs in {folder.parent}"
    return {stage: max(rates) for stage, rates in found.items()}, told


def _is_comparable(manifest: Manifest, work: Work) -> bool:
    data = manifest.data
    made_by = (data.get("system"), data.get("parts", {}).get("music", {}).get("music"))
    device = data.get("environment", {}).get("device")
    return (
        data["state"] == "finished"
        and (*made_by, device) == (work.system, work.music, work.device)
        and not data.get("edits")  # the last composing was of a part of the film
    )


def _tabled(work: Work) -> dict[str, float]:
    if work.device != "cpu" or work.music not in TABLE:
        return {}
    rates = TABLE[work.music]
    return {**rates, "read": VLM_READS} if work.vlm_looks else rates
