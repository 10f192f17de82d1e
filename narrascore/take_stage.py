"""The takes that were not kept, for whoever wants to hear what else was drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from narrascore.anchor import MusicalAnchor
from narrascore.compose_stage import edit_folder
from narrascore.composition import Composition
from narrascore.files import digest
from narrascore.media.output import replacing
from narrascore.rendering import leave_out, write_midi, write_music
from narrascore.run import Run
from narrascore.spans import write_seconds
from narrascore.synthesis.score_codes import cut_out
from narrascore.units import WindowStore, cue_folder


def keep_takes(run: Run, composition: Composition, anchor: MusicalAnchor) -> None:
    """Write `takes/`, if it is wanted: `00m18s-00m36s.take2.safetensors` (codes of the window's new part and what was
    found in them), of notes `.mid` too, and with `sound` `.wav`. Takes of spans that were drawn again lie in a folder
    for each span."""
    wanted = run.options.keep_takes
    if wanted is None:
        return
    folder, codec = run.folder / "takes", run.pipeline.codec_for(anchor)
    key = digest([composition.key, composition.windows, composition.edits, wanted, codec.describe()])
    if run.manifest.has_stage("takes", key, [run.folder / name for name in run.manifest.data.get("takes", [])]):
        return
    run.shop.set_aside([folder])
    with run.stage("takes", []):
        files: list[Path] = []
        for place, row in _windows(composition, run.pipeline.musicgen.frame_rate_hz):
            store = WindowStore(run.folder / "windows" / place, run.environment)
            takes = store.takes(row["index"], row["key"])
            name = f"{write_seconds(row['start_seconds'])}-{write_seconds(row['stop_seconds'])}"
            for number, codes in enumerate(() if takes is None else takes):
                if number != row["kept"]:
                    stem = folder / place / f"{name}.take{number + 1}"
                    about = {**row["takes"][number], "start_seconds": row["start_seconds"]}
                    files += _write(run, stem, codes, _new_frames(run, row), about, anchor)
    run.manifest.data["takes"] = [run.manifest.name_of(path) for path in files]
    run.manifest.finish_stage("takes", key, files)


def _windows(composition: Composition, rate_hz: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """(folder under `windows/`, row) of every window that was ever composed for this music."""
    for row in composition.windows:
        frame = round(row["start_seconds"] * rate_hz)
        cue = max((cue.start for cue in composition.cues if cue.start <= frame), default=0)
        yield cue_folder(cue), row
    for edit, done in enumerate(composition.edits):
        for span, spanned in enumerate(done["spans"]):
            yield from ((edit_folder(edit, span), row) for row in spanned["windows"])


def _new_frames(run: Run, row: dict[str, Any]) -> int:
    frames: int = round((row["stop_seconds"] - row["start_seconds"]) * run.pipeline.musicgen.frame_rate_hz)
    return frames


def _write(
    run: Run, stem: Path, codes: Tensor, new: int, about: dict[str, Any], anchor: MusicalAnchor
) -> Iterator[Path]:
    """Files of one take `[K, T]`, whose last `new` frames are its own; what was before them is heard as it ends."""
    codec, rate_hz = run.pipeline.codec_for(anchor), Fraction(run.pipeline.musicgen.frame_rate_hz)
    stem.parent.mkdir(parents=True, exist_ok=True)
    path, prompt = stem.with_name(f"{stem.name}.safetensors"), codes.shape[1] - new
    with replacing(path) as partial:
        partial.write_bytes(save({"codes": codes[:, prompt:].contiguous()}, {"about": json.dumps(about)}))
    yield path
    if run.pipeline.writes_notes:
        notes = torch.from_numpy(cut_out(codes.numpy(), prompt, codes.shape[1]))
        yield write_midi(stem.with_name(f"{stem.name}.mid"), codec, notes)
    if run.options.keep_takes == "sound":
        blocks = run.pipeline.render(codes, anchor, codes.shape[1] / rate_hz)
        before = round(prompt / rate_hz * codec.sample_rate_hz)
        yield write_music(stem.with_name(f"{stem.name}.wav"), leave_out(blocks, before), codec, new / rate_hz)
