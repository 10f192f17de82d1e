"""The stages after composing: sound, notes, stems, the figure, the scored film, and the report on all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.composition import Composition
from narrascore.files import array_digest, digest, write_text
from narrascore.markers import find_markers, to_csv, to_srt
from narrascore.page import write_page
from narrascore.pipeline import anchor_warnings
from narrascore.rendering import (
    measure_music,
    write_deliverables,
    write_midi,
    write_music,
    write_scored_film,
    write_stems,
)
from narrascore.report import draw_figure
from narrascore.run import Run


def render(run: Run, composition: Composition, anchor: MusicalAnchor) -> str:
    """Render `music.wav` and, from notes, `music.mid`; returns their key."""
    codec, duration = run.pipeline.codec_for(anchor), run.film.duration_seconds
    key = digest([composition.key, str(duration), codec.describe()])
    music, midi = run.folder / "music.wav", run.folder / "music.mid"
    files = [music, midi] if run.pipeline.writes_notes else [music]
    if run.manifest.has_stage("render", key, files):
        return key
    run.shop.set_aside(run.shop.results())
    with run.stage("render", files):
        blocks = run.pipeline.render(composition.codes, anchor, duration, composition.patches)
        write_music(music, run.counted(blocks, float(duration)), codec, duration)
        if run.pipeline.writes_notes:
            write_midi(midi, codec, composition.codes)
        run.manifest.data["music"] = {**measure_music(music, codec), "codec": codec.describe()}
    run.manifest.finish_stage("render", key, files)
    return key


def split_into_stems(run: Run, render_key: str, composition: Composition, anchor: MusicalAnchor) -> None:
    """Write `stems/`, if they are wanted."""
    if not run.options.stems:
        return
    folder, key = run.folder / "stems", digest([render_key, "stems"])
    if run.manifest.has_stage("stems", key, [folder / name for name in run.manifest.data.get("stems", ["-"])]):
        return
    run.shop.set_aside([folder])
    with run.stage("stems", []):
        files = write_stems(folder, run.pipeline.codec_for(anchor), composition.codes, run.film.duration_seconds)
    run.manifest.data["stems"] = [path.name for path in files]
    run.manifest.finish_stage("stems", key, files)


def draw(run: Run, render_key: str, composition: Composition, curve: AffectCurve, anchor: MusicalAnchor) -> None:
    """Draw `figure.png`."""
    path, gain = run.folder / "figure.png", abs(run.options.curve_gain)
    key = digest([render_key, run.read_key, array_digest(curve.values), curve.rate_hz, gain])
    if run.manifest.has_stage("figure", key, [path]):
        return
    spread = None
    if run.manifest.data["made_from"]["curve.csv"]["source"] == "eye":
        spread = run.pipeline.read_spread(run.reading)
    borders = [row["start_seconds"] for row in composition.windows[1:]]
    keyframes = run.reading.keyframes
    with run.stage("figure", [path]):
        draw_figure(
            path, run.folder / "music.wav", curve, keyframes, title=anchor.sentence,
            spread=None if spread is None else spread * gain,
            duration_seconds=float(run.film.duration_seconds), border_seconds=borders,
        )  # fmt: skip
    run.manifest.finish_stage("figure", key, [path])


def write_film(run: Run, render_key: str) -> None:
    """Write the scored film, if there is to be one."""
    scored = run.shop.scored
    if scored is None:
        return
    key = digest([render_key, run.mix_key])
    if run.manifest.has_stage("film", key, [scored]):
        return
    run.shop.set_aside([scored, run.folder / "report.html", run.folder / "deliver"])
    with run.stage("film", [scored]):
        run.manifest.data["levels"] = run.mix.levels
        write_scored_film(run.mix, scored, overwrite=True, progress=lambda share: run.tell("film", share, 1.0))
    run.manifest.finish_stage("film", key, [scored])


def deliver(run: Run, render_key: str, curve: AffectCurve) -> None:
    """Write `deliver/`, if it is wanted: music and mix as WAV, the curve's turns and hits as markers."""
    if not run.options.deliver:
        return
    folder = run.folder / "deliver"
    key = digest([render_key, run.mix_key, array_digest(curve.values), curve.rate_hz])
    if run.manifest.has_stage("deliver", key, [folder / name for name in run.manifest.data.get("deliver", ["-"])]):
        return
    run.shop.set_aside([folder])
    with run.stage("deliver", []):
        files, markers = write_deliverables(run.mix, folder), find_markers(curve)
        for name, text in (("markers.csv", to_csv(markers)), ("markers.srt", to_srt(markers))):
            write_text(folder / name, text)
            files.append(folder / name)
    run.manifest.data["deliver"] = [path.name for path in files]
    run.manifest.finish_stage("deliver", key, files)


def finish(run: Run, composition: Composition, anchor: MusicalAnchor) -> None:
    """The manifest in full, and the report made from it."""
    data, scored = run.manifest.data, run.shop.scored
    warnings = [*run.pipeline.warnings, *run.film.warnings, *anchor_warnings(anchor), *_collapses(composition)]
    data.update(
        state="finished",
        system=run.pipeline.system,
        parts=run.parts,
        settings={**run.options.describe(), "audio": run.audio},
        licences=dict(_licences({"parts": run.parts, "music": data["music"]})),
        anchor=anchor.sentence,
        sentences=_turns(run, anchor),
        warnings=list(dict.fromkeys(warnings)),
        results={"film": None if scored is None else run.manifest.name_of(scored)},
    )
    if scored is None:
        data.pop("levels", None)
    data.pop("forced", None)
    run.manifest.close_version()
    write_page(run.folder, data)
    run.manifest.save()


def _turns(run: Run, anchor: MusicalAnchor) -> list[dict[str, Any]]:
    """Which sentence holds from when on; one, unless the anchor has local ones."""
    turns = anchor.sentences(float(run.film.duration_seconds)).turns()
    return [{"start_seconds": start, "sentence": sentence} for start, sentence in turns]


def _collapses(composition: Composition) -> list[str]:
    """One line on the windows that had to be drawn again; the manifest says which and why."""
    rows = [
        *composition.windows,
        *(row for edit in composition.edits for span in edit["spans"] for row in span["windows"]),
    ]
    count = sum(1 for row in rows if row["collapses"])
    return [f"{count} window(s) of the music collapsed and were drawn again; see manifest.json"] if count else []


def _licences(values: dict[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """Every licence that the parts state, by where it stands: music model, sound font, ..."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _licences(value, name)
        elif name == "licence":
            yield place, str(value)
