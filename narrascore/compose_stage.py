"""The composing stage of a job: the music of the whole film, of which only what is not there yet is composed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.composition import COMPOSITION_FILE, Composition
from narrascore.editing import Edit, heard_changes, make_edit
from narrascore.errors import UsageError
from narrascore.files import array_digest, digest, write_text
from narrascore.run import Run
from narrascore.spans import Span, frames_of
from narrascore.synthesis.composing import Composing
from narrascore.units import WindowStore, differences
from narrascore.windows import Window
from narrascore.workshop import EDITABLE


def compose_film(run: Run, curve: AffectCurve, anchor: MusicalAnchor) -> Composing[Composition]:
    """Bring `windows/` to what is asked for.

    The kept music of the same piece is gone on from: where the curve was changed or the user wants another draw, those
    spans alone are composed anew. Another sentence, seed or model is another piece. So is another number of takes, but
    not where spans are drawn again: they may be chosen from more takes than the rest was.

    Raises:
        UsageError: if windows of an earlier run would go on in another environment, or a span lies behind the film.
    """
    path, total = run.folder / "windows" / COMPOSITION_FILE, run.pipeline.frames_of(run.film.duration_seconds)
    piece = piece_of(run, anchor)
    kept = Composition.load(path)
    changes: tuple[Span, ...] = ()
    if kept is not None and kept.piece == piece:
        changes = heard_changes(run.pipeline, kept.curve, curve, total)
    takes = run.options.takes
    others = kept is not None and kept.takes != takes and not run.options.redo
    if kept is not None and (kept.piece != piece or others or changes == (Span(0, total),)):
        kept, changes = None, ()
    asked = [Edit("curve", changes, takes=takes)] if changes else []
    if run.options.redo:
        spans = frames_of(run.options.redo, run.pipeline.musicgen.frame_rate_hz, total)
        redo = Edit("redo", tuple(spans), run.options.take, takes)
        asked += [redo] if kept is None or not redo.was_made(kept) else []
    if kept is None or asked:
        work = digest([piece, takes, array_digest(curve.values), curve.rate_hz])
        accepted = _note_environment(run, work)
        run.shop.set_aside(run.shop.results(), with_windows=True)
        with run.stage("compose", [path]):
            if kept is None:
                kept = yield from _compose_whole(run, piece, curve, anchor, accepted)
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
    """A digest of all that the music comes from, but for the curve."""
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


def _compose_whole(
    run: Run, piece: str, curve: AffectCurve, anchor: MusicalAnchor, accepted: list[dict[str, Any]]
) -> Composing[Composition]:
    store = WindowStore(run.folder / "windows", run.environment, accepted)
    codes = yield from run.pipeline.composing(
        run.film.duration_seconds, curve, anchor, seed=run.options.seed, film_key=run.film_key, store=store,
        progress=lambda done, total: run.tell("compose", done, total), takes=run.options.takes,
    )  # fmt: skip
    rows = tuple(row_of(run, store, window) for window in run.pipeline.windows(codes.shape[1]))
    return Composition(piece, curve, codes, rows, takes=run.options.takes)


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
