"""The stages after composing: sound, notes, stems, the figure, the scored film, what is handed over, and the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.composition import Composition
from narrascore.cues import gaps_between, whole_film
from narrascore.files import array_digest, digest, write_text
from narrascore.markers import find_markers, to_csv, to_srt
from narrascore.pipeline import anchor_warnings
from narrascore.provenance import write_provenance
from narrascore.reading_stage import FOLLOWED, PICTURE, spread_of
from narrascore.rendering import (
    measure_music,
    write_deliverables,
    write_midi,
    write_music,
    write_scored_film,
    write_stems,
)
from narrascore.report import draw_figure
from narrascore.report_page.axis import Picture
from narrascore.report_page.page import write_page
from narrascore.run import Run
from narrascore.stems import write_sound_stems


def render(run: Run, composition: Composition, anchor: MusicalAnchor) -> str:
    """Render `music.wav` and, from notes, `music.mid`; returns their key."""
    codec, duration = run.pipeline.codec_for(anchor), run.film.duration_seconds
    cues = [] if run.cues == whole_film(duration) else [[cue.describe() for cue in run.cues]]
    key = digest([composition.key, str(duration), codec.describe(), *cues])
    music, midi = run.folder / "music.wav", run.folder / "music.mid"
    files = [music, midi] if run.pipeline.writes_notes else [music]
    if run.manifest.has_stage("render", key, files):
        return key
    run.shop.set_aside(run.shop.results())
    with run.stage("render", files):
        blocks = run.pipeline.render(composition.codes, anchor, duration, composition.patches, run.cues)
        write_music(music, run.counted(blocks, float(duration)), codec, duration)
        if run.pipeline.writes_notes:
            write_midi(midi, codec, composition.codes)
        run.manifest.data["music"] = {**measure_music(music, codec), "codec": codec.describe()}
    run.manifest.finish_stage("render", key, files)
    return key


def split_into_stems(run: Run, render_key: str, composition: Composition, anchor: MusicalAnchor) -> None:
    """Write `stems/`, if they are wanted: of notes by voice group, of sound by source."""
    if not run.options.stems:
        return
    folder = run.folder / "stems"
    key = digest([render_key, "stems", *([] if run.pipeline.writes_notes else [run.options.separation])])
    if run.manifest.has_stage("stems", key, [folder / name for name in run.manifest.data.get("stems", ["-"])]):
        return
    run.shop.set_aside([folder])
    with run.stage("stems", []):
        if run.separator is None:
            codec, duration = run.pipeline.codec_for(anchor), run.film.duration_seconds
            files = write_stems(folder, codec, composition.codes, duration, run.cues)
        else:
            files = write_sound_stems(folder, run.folder / "music.wav", run.separator)
            run.manifest.data["separation"] = {**run.separator.describe(), "licence": run.separator.licence}
    run.manifest.data["stems"] = [path.name for path in files]
    run.manifest.finish_stage("stems", key, files)


def draw(
    run: Run,
    render_key: str,
    composition: Composition,
    curve: AffectCurve,
    followed: AffectCurve,
    anchor: MusicalAnchor,
) -> None:
    """Draw `figure.png`, which shows the curve that the music follows, and takes the place of `curve.png`."""
    path, gain = run.folder / "figure.png", abs(run.options.curve_gain)
    key = digest([render_key, run.read_key, array_digest(followed.values), followed.rate_hz, gain])
    if run.manifest.has_stage("figure", key, [path]):
        return
    borders = [row["start_seconds"] for row in composition.windows[1:]]
    with run.stage("figure", [path]):
        shown = _picture(run, curve, followed)
        draw_figure(
            path, shown.spectrogram, followed, shown.keyframes, title=anchor.sentence, spread=shown.spread,
            duration_seconds=shown.duration_seconds, border_seconds=borders,
            gap_seconds=gaps_between(run.cues, run.film.duration_seconds),
        )  # fmt: skip
    (run.folder / PICTURE).unlink(missing_ok=True)
    run.manifest.finish_stage("figure", key, [path])


def write_film(run: Run, render_key: str) -> None:
    """Write the scored film, if there is to be one."""
    scored = run.shop.scored
    if scored is None:
        return
    key = digest([render_key, run.mix_key])
    if run.manifest.has_stage("film", key, [scored]):
        return
    told = ("deliver", "project.otio", "report.html", "provenance.json")
    run.shop.set_aside([scored, *(run.folder / name for name in told)])
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


def lay_out(run: Run, curve: AffectCurve, anchor: MusicalAnchor) -> None:
    """Write `project.otio` over what is delivered, if the library for it is installed."""
    if not run.options.deliver:
        return
    try:
        from narrascore.timeline import Project, Sound, url_of, write_project
    except ModuleNotFoundError:
        run.film.warn(
            "no project.otio for an editing program; pip install 'narrascore[timeline]' brings what writes it"
        )
        return
    path, data = run.folder / "project.otio", run.manifest.data
    stems = [run.folder / "stems" / name for name in data["stems"]] if run.options.stems else []
    made_from = [data["stages"]["deliver"], *([data["stages"]["stems"]] if stems else [])]
    key = digest([*made_from, url_of(run.film.path, run.folder), anchor.sentence])
    if run.manifest.has_stage("project", key, [path]):
        return
    run.shop.set_aside([path])
    with run.stage("project", [path]):
        in_mix = run.audio in ("duck", "mix")
        project = Project(
            run.film,
            [
                Sound("Music", run.folder / "deliver" / "music.wav"),
                *(Sound(f"Music: {stem.stem}", stem, heard=False) for stem in stems),
            ],
            find_markers(curve),
            heard_tracks=[run.options.mix.track] if in_mix else [],
            film_gain_db=data["levels"]["film_gain_db"] if in_mix else 0.0,
            about={"anchor": anchor.sentence, "provenance": "provenance.json"},
        )
        write_project(path, project)
    run.manifest.finish_stage("project", key, [path])


def finish(
    run: Run, composition: Composition, curve: AffectCurve, followed: AffectCurve, anchor: MusicalAnchor
) -> None:
    """The manifest in full, and what is made from it: the provenance and the report."""
    data, scored = run.manifest.data, run.shop.scored
    warnings = [*run.pipeline.warnings, *run.film.warnings, *anchor_warnings(anchor), *_collapses(composition)]
    data.update(
        state="finished",
        system=run.pipeline.system,
        parts=run.parts,
        settings={**run.options.describe(), "audio": run.audio},
        licences=dict(
            _licences({"parts": run.parts, **{name: data.get(name, {}) for name in ("music", "separation")}})
        ),
        anchor=anchor.sentence,
        curve=_describe_curve(run),
        cues=[cue.describe() for cue in run.cues],
        sentences=_turns(run, anchor),
        warnings=list(dict.fromkeys(warnings)),
        results={"film": None if scored is None else run.manifest.name_of(scored)},
    )
    if scored is None:
        data.pop("levels", None)
    data.pop("forced", None)
    run.manifest.close_version()
    write_provenance(run.folder, data)
    write_page(run.folder, data, _picture(run, curve, followed))
    run.manifest.save()


def _picture(run: Run, curve: AffectCurve, followed: AffectCurve) -> Picture:
    """What there is to be seen of the score; an eye that reads the curve may say how unsure it is."""
    return Picture(
        float(run.film.duration_seconds), followed, run.reading.keyframes, run.spectrogram,
        spread_of(run, curve, followed),
    )  # fmt: skip


def _describe_curve(run: Run) -> dict[str, Any]:
    """What the music follows: the table, where that came from, and the markers that bend it."""
    bent = (run.folder / FOLLOWED).is_file()
    return {
        "table": FOLLOWED if bent else "curve.csv",
        "source": run.manifest.data["made_from"]["curve.csv"]["source"],
        "markers": [vars(marker) for marker in run.markers],
    }


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
