"""What a job would do, told without doing any of it: nothing is composed, nothing written, no weights are loaded.

What of an earlier run is still good is told by its manifest and by names. The job itself compares digests, of weights
too, so it may redo more than is told here, and where only the curve was changed it redoes less.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from narrascore.affect import AffectCurve
from narrascore.errors import InputError, ModelUnavailableError
from narrascore.estimate import Work, estimate
from narrascore.files import nearest
from narrascore.hub import ID, find_checkpoint
from narrascore.manifest import LOCK_FILE, Manifest, locked
from narrascore.parts import SystemSettings
from narrascore.placing import Place, find_place
from narrascore.rendering import AudioMode
from narrascore.run import ScoreOptions
from narrascore.spans import Span, frames_of, windows_of, windows_over
from narrascore.synthesis.shape import MusicShape
from narrascore.systems import choose_device, choose_sources
from narrascore.windows import continuation_windows, frames_to_cover
from narrascore.workshop import EDITABLE, Workshop

Status = Literal["new", "unfinished", "changed", "finished"]

ABOUT_THE_RUN = ("force", "redo", "take", "part", "engine_change", "batch", "clip_curve", "output", "only_read")
"""Options that say how to go about it, and leave a finished job as it is."""
AFTER_THE_MUSIC = ("audio", "mix", "deliver", "stems", "keep_takes")
"""Options that change what is made of the music, and not the music."""


@dataclass(frozen=True)
class System:
    """A system that is not loaded.

    Attributes:
        settings: what was asked for.
        shape: of its music model.
        device: that it would run on.
        vlm, vlm_looks: whether a vision model is needed, and whether it reads the curve.
        absent: ids that would be fetched from the hub first.
    """

    settings: SystemSettings
    shape: MusicShape
    device: str
    vlm: bool
    vlm_looks: bool
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What would be done for one film.

    Attributes:
        place: the film and where its results go.
        system: what would score it.
        status: of the earlier results: none, unfinished, finished with something to redo, or finished.
        changes: what is not as the finished job had it.
        windows: of the whole film's music.
        windows_to_compose: at most.
        seconds: about how long it takes; None if nobody knows.
        estimated_from: by what that is estimated.
        disk_bytes: what the results take, at most.
        free_bytes: what there is.
        notes: what else the user should know.
    """

    place: Place
    system: System
    status: Status
    changes: tuple[str, ...]
    windows: int
    windows_to_compose: int
    seconds: float | None
    estimated_from: str
    disk_bytes: int
    free_bytes: int
    notes: tuple[str, ...]

    @property
    def audio(self) -> AudioMode:
        return self.place.audio


def look_at_system(settings: SystemSettings) -> System:
    """What a system is, without loading it or asking the hub.

    Raises:
        UsageError: if there is no such system.
        ModelUnavailableError: if a part is not at hand and must not be fetched, or its licence is refused.
    """
    sources = choose_sources(settings)
    absent = []
    folders: dict[str, Path | None] = {}
    for name in filter(None, (sources.vlm, sources.music)):
        try:
            folders[name] = find_checkpoint(name, offline=True)
        except ModelUnavailableError:
            if settings.offline or not ID.fullmatch(name):
                raise
            folders[name] = None
            absent.append(name)
    shape = MusicShape.of(sources.music, folders[sources.music])
    return System(
        settings, shape, choose_device(settings.device), sources.vlm is not None, sources.vlm_looks, tuple(absent)
    )


def plan_film(film_path: Path, options: ScoreOptions, look: Callable[[], System]) -> Plan:
    """Say what `score_film` would do.

    Args:
        film_path: the film.
        options: what is asked for.
        look: gives the system; called once the film has proved usable, as the job loads it.

    Raises:
        InputError: film, folder, curve or disk cannot be used, or no container holds the picture.
        UsageError: options that make no sense together, or a foreign file in the way.
        ModelUnavailableError: what `look` raises.
    """
    place = find_place(film_path, options)
    manifest = Manifest.load(place.folder)
    _refuse_unusable(place.folder, manifest)
    shop = Workshop(place.film, place.folder, place.scored, manifest or Manifest(place.folder))
    duration = float(place.film.duration_seconds)
    if options.curve_path is not None:
        AffectCurve.from_csv(options.curve_path, clip=options.clip_curve, duration_seconds=duration)
    system = look()
    if place.no_container:
        raise InputError(f"{place.no_container} (the music would be made all the same)")
    status = _status(manifest)
    changes = _changes(shop.manifest, place, options, system) if status == "finished" else ()
    windows, to_compose = _count_windows(place, shop.manifest, options, system.shape, status, changes)
    shop.sound_bytes_per_second, shop.stems = system.shape.sound_bytes_per_second, options.stems
    shop.other_takes = options.takes - 1 if options.keep_takes == "sound" else 0
    redone = shop.results() if to_compose else [place.scored] if place.scored else []
    stages: dict[str, float] = {}
    if status != "finished" or changes or to_compose:
        stages = _stages(place, shop.manifest, options, to_compose / windows)
        status = "changed" if status == "finished" and stages else status
    needed = 0
    if stages:
        shop.check_disk(redone)
        needed = int(shop.needed_bytes(redone))
    work = Work(
        stages, system.shape.name, system.device, system.settings.system, vlm=system.vlm, vlm_looks=system.vlm_looks
    )
    seconds, source = estimate(work, place.folder)
    notes = [*place.film.warnings, *(f"{name} is not on this machine and is fetched first" for name in system.absent)]
    return Plan(
        place, system, status, changes, windows, to_compose, seconds, source, needed, shop.free_bytes(), tuple(notes)
    )


def _refuse_unusable(folder: Path, manifest: Manifest | None) -> None:
    """What `locked` would refuse, without making the folder or its lock."""
    above = nearest(folder)
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: cannot be written (no permission in {above}); choose another place with -o")
    if manifest is not None and (folder / LOCK_FILE).is_file():
        with locked(folder):
            pass


def _changes(manifest: Manifest, place: Place, options: ScoreOptions, system: System) -> tuple[str, ...]:
    """What is not as a finished job had it, in words that begin with its name."""
    data = manifest.data
    asked = json.loads(json.dumps({**options.describe(), "audio": place.audio}))
    asked |= {"system": system.settings.system, "music": system.shape.name}
    had = {**data["settings"], "system": data["system"], "music": data["parts"]["music"]["music"]}
    changed = [
        f"{name}: {had[name]} then, {asked[name]} now"
        for name in asked
        if name in had and name not in ABOUT_THE_RUN and asked[name] != had[name]
    ]
    changed += [f"{name}: edited" for name in EDITABLE if manifest.was_edited(place.folder / name)]
    given, told = options.curve_path, place.folder / "manifest.json"
    if given is not None and given.stat().st_mtime > told.stat().st_mtime:
        changed.append(f"curve_path: {given} is newer than the results")
    return tuple(changed)


def _status(manifest: Manifest | None) -> Status:
    if manifest is None or not manifest.data["film"]:
        return "new"
    return "finished" if manifest.data["state"] == "finished" else "unfinished"


def _count_windows(
    place: Place, manifest: Manifest, options: ScoreOptions, shape: MusicShape, status: Status, changes: tuple[str, ...]
) -> tuple[int, int]:
    """Windows of the whole film, and those that would be composed."""
    total = frames_to_cover(place.film.duration_seconds, shape.frame_rate_hz)
    whole = len(continuation_windows(total, shape.window_frames, shape.prompt_frames))
    if options.only_read:
        return whole, 0
    if options.part is not None:
        (span,) = frames_of([options.part], shape.frame_rate_hz, total)
        return whole, len(windows_over(span, Span(0, total), shape.window_frames, shape.prompt_frames))
    spans = frames_of(options.redo, shape.frame_rate_hz, total)
    if options.force or status == "new" or any(_touches_music(change) for change in changes):
        return whole, whole
    windows = place.folder / "windows"
    if status == "unfinished" and "compose" not in manifest.data["stages"]:
        return whole, max(0, whole - sum(1 for _ in windows.glob("[0-9]*.safetensors")))
    made = {"why": "redo", "take": options.take, "frames": [[span.start, span.stop] for span in spans]}
    if not spans or any({name: edit.get(name) for name in made} == made for edit in manifest.data.get("edits", [])):
        return whole, 0
    return whole, sum(len(windows_of(span, Span(0, total), shape.window_frames, shape.prompt_frames)) for span in spans)


def _touches_music(change: str) -> bool:
    return change.partition(":")[0] not in AFTER_THE_MUSIC


def _stages(place: Place, manifest: Manifest, options: ScoreOptions, share: float) -> dict[str, float]:
    """Stage -> seconds of film that it has to do, at most."""
    duration = float(place.film.duration_seconds)
    done: dict[str, Any] = {} if options.force else manifest.data["stages"]
    stages = {} if "read" in done else {"read": duration}
    if options.only_read:
        return stages
    if share:
        stages["compose"] = share * duration
    if options.part is not None:
        start, stop = options.part
        return {**stages, "render": min(float(stop), duration) - float(start)}
    if share or "render" not in done:
        stages |= {"render": duration, "figure": duration}
    after = {"stems": options.stems, "film": place.scored is not None, "deliver": options.deliver}
    return {**stages, **{stage: duration for stage, wanted in after.items() if wanted}}
