"""The composing stage of a job: the music of the whole film, of which only what is not there yet is composed."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.composition import COMPOSITION_FILE, Composition
from narrascore.cue_editing import keep_in, missing_spans
from narrascore.editing import Edit, heard_changes, make_edit, search_frames, told_changes
from narrascore.errors import UsageError
from narrascore.files import array_digest, digest, write_text
from narrascore.run import Run
from narrascore.spans import Span, frames_of, merge, overlap
from narrascore.synthesis.composing import Composing
from narrascore.units import WindowStore, differences
from narrascore.windows import Window
from narrascore.workshop import EDITABLE


def compose_film(run: Run, curve: AffectCurve, anchor: MusicalAnchor) -> Composing[Composition]:
    """Bring `windows/` to what is asked for.

    The kept music of the same piece is gone on from: where curve, cues or a local sentence were changed or the user
    wants another draw, those spans alone are composed anew. Another sentence for the film, seed or model is another
    piece. So is another number of takes, but not where spans are drawn again: they may be chosen from more takes than
    the rest was.

    Raises:
        UsageError: if windows of an earlier run would go on in another environment, or a span lies behind the film or
            where there is no music.
    """
    path, total = run.folder / "windows" / COMPOSITION_FILE, run.pipeline.frames_of(run.film.duration_seconds)
    piece, cues = piece_of(run, anchor), run.pipeline.cue_frames(run.cues, total)
    kept, asked, takes = Composition.load(path), list[Edit](), run.options.takes
    if kept is not None:
        change = _change(run, kept, curve, anchor, cues)
        others = kept.takes != takes and not run.options.redo
        if kept.piece != piece or others or change.spans == cues:
            kept = None
        elif change.spans:
            asked = [change]
    if run.options.redo:
        spans = overlap(frames_of(run.options.redo, run.pipeline.musicgen.frame_rate_hz, total), cues)
        if not spans:
            raise UsageError("--redo names spans without music: cues.csv says where there is any")
        redo = Edit("redo", tuple(spans), run.options.take, takes)
        asked += [redo] if kept is None or not redo.was_made(kept) else []
    is_cut = kept is not None and kept.cues != cues
    if kept is None or asked or is_cut:
        told = [vars(each) for each in anchor.local]
        borders = [[cue.start, cue.stop] for cue in cues]
        work = digest([piece, takes, array_digest(curve.values), curve.rate_hz, borders, told])
        accepted = _note_environment(run, work)
        run.shop.set_aside(run.shop.results(), with_windows=True)
        with run.stage("compose", [path]):
            if kept is None:
                kept = yield from _compose_whole(run, piece, curve, anchor, accepted)
                _keep(run, path, kept)
            elif is_cut:
                kept = replace(keep_in(kept, cues, run.pipeline.codec_for(anchor)), curve=curve, local=anchor.local)
                if not asked:  # else it is kept with what is composed: until then the old cues say what is missing
                    _keep(run, path, kept)
            for edit in asked:
                kept = yield from _edit(run, kept, edit, curve, anchor, accepted)
                _keep(run, path, kept)
    if not run.manifest.has_stage("compose", kept.key, [path]):
        run.manifest.data.update(windows=list(kept.windows), edits=list(kept.edits))
        run.manifest.data.pop("composing", None)
        run.manifest.finish_stage("compose", kept.key, [path])
    return kept


def piece_of(run: Run, anchor: MusicalAnchor) -> str:
    """A digest of all that the music comes from, but for the curve and local sentences."""
    return digest([
        run.film_key, str(run.film.duration_seconds), anchor.sentence, run.options.seed, run.parts["music"],
        run.parts["adapter"],
    ])  # fmt: skip


def edit_folder(edit: int, span: int) -> str:
    """Where the windows of a span of an edit lie under `windows/`, both counted from 0."""
    return f"edit-{edit + 1}-{span + 1}"


def row_of(run: Run, store: WindowStore, window: Window) -> dict[str, Any]:
    """What the manifest says of a window: its new frames, in seconds, its key, and why it was drawn again."""
    rate_hz = run.pipeline.musicgen.frame_rate_hz
    where = {"start_seconds": window.new_start / rate_hz, "stop_seconds": window.stop / rate_hz}
    return {"index": window.index, **where, **store.row(window.index)}


def _change(run: Run, kept: Composition, curve: AffectCurve, anchor: MusicalAnchor, cues: tuple[Span, ...]) -> Edit:
    """What of the kept music has to be composed anew, so that it follows curve and sentences in these cues."""
    pipeline, total = run.pipeline, kept.codes.shape[1]
    gap, closing = search_frames(pipeline), pipeline.musicgen.window_frames - pipeline.musicgen.prompt_frames
    both = overlap(kept.cues, cues)
    changes = {
        "curve": overlap(heard_changes(pipeline, kept.curve, curve, total), both),
        "sentences": overlap(told_changes(pipeline, replace(anchor, local=kept.local), anchor, total), both),
        "cues": missing_spans(kept.cues, cues, closing, gap),
    }
    changed = merge(chain.from_iterable(changes.values()))
    spans = (merge(overlap(changed, [cue]), gap) for cue in cues)
    why = " and ".join(name for name, found in changes.items() if found)
    return Edit(why, tuple(chain.from_iterable(spans)), takes=run.options.takes)


def _compose_whole(
    run: Run, piece: str, curve: AffectCurve, anchor: MusicalAnchor, accepted: list[dict[str, Any]]
) -> Composing[Composition]:
    store = WindowStore(run.folder / "windows", run.environment, accepted)
    codes = yield from run.pipeline.composing(
        run.film.duration_seconds, curve, anchor, cues=run.cues, seed=run.options.seed, film_key=run.film_key,
        store=store, progress=lambda done, total: run.tell("compose", done, total), takes=run.options.takes,
    )  # fmt: skip
    cues = run.pipeline.cue_frames(run.cues, codes.shape[1])
    rows = (row_of(run, store.of_cue(cue.start), w) for cue in cues for w in run.pipeline.windows_of(cue, cue))
    return Composition(piece, curve, codes, tuple(rows), cues=cues, local=anchor.local, takes=run.options.takes)


def _edit(
    run: Run,
    kept: Composition,
    edit: Edit,
    curve: AffectCurve,
    anchor: MusicalAnchor,
    accepted: list[dict[str, Any]],
) -> Composing[Composition]:
    folder, made_in = run.folder / "windows", run.environment

    def store_of(span: int) -> WindowStore:
        return WindowStore(folder / edit_folder(len(kept.edits), span), made_in, accepted)

    return make_edit(
        run.pipeline, kept, edit, curve, anchor, name=f"{run.options.seed}/{run.film_key}", store_of=store_of,
        row_of=lambda store, window: row_of(run, store, window),
        progress=lambda done, total: run.tell("compose", done, total),
    )  # fmt: skip


def _keep(run: Run, path: Path, composition: Composition) -> None:
    """Save the codes, with copies of what they were composed from for whoever looks into `versions/N/` later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in EDITABLE:
        write_text(path.parent / name, (run.folder / name).read_text(encoding="utf-8"))
    composition.save(path)


def _note_environment(run: Run, work: str) -> list[dict[str, Any]]:
    """Remember what composes; returns the earlier environments whose windows are good enough.

    Raises:
        UsageError: if a composition that was left unfinished would go on in another environment.
    """
    now, data = run.environment, run.manifest.data
    if data.get("composing") != work:
        data.update(composing=work, environment=now, engine_changes=[])
    elif differences(data["environment"], now):
        begun = any((run.folder / "windows").rglob("[0-9]*.safetensors"))
        if begun and not run.options.engine_change:
            raise UsageError(
                f"{run.film.path.name}: its first windows were composed otherwise "
                f"({'; '.join(differences(data['environment'], now))}), so the rest would not be what it was; "
                "--engine-change goes on from them all the same, --force starts anew"
            )
        if begun:
            before = data["environment"]
            change = {"environment": digest(before), "before": before, "differences": differences(before, now)}
            data["engine_changes"].append(change)
        data["environment"] = now
    return [change["before"] for change in data["engine_changes"]]
