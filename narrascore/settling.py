"""The files that a user may edit, curve, anchor and cues: made where they are missing, kept where they were edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.cues import Cue, check_cues, cut_holes, read_cues, to_csv, whole_film
from narrascore.errors import UsageError
from narrascore.files import digest, fingerprint, write_text
from narrascore.run import Run
from narrascore.sentences import LocalSentence
from narrascore.spans import frames_of
from narrascore.spotting import spot_film


def settle_curve(run: Run) -> AffectCurve:
    """Keep `curve.csv` if it is what is asked for or was edited by hand, else make it; then read it back.

    It is made from what the eye reads, or from a given table: smoothed, then stretched by the gain, then shifted by the
    offset. One that was edited stays as it is, whatever these are, until another table is given or all is made anew.
    """
    path, options = run.folder / "curve.csv", run.options
    given, gain, offset = options.curve_path, options.curve_gain, options.curve_offset
    smoothing, duration = options.curve_smoothing_seconds, float(run.film.duration_seconds)
    # A user may name the very table that they have edited.
    named = given is not None and given.is_file() and path.is_file() and given.samefile(path)

    def make() -> str:
        if given:
            curve = AffectCurve.from_csv(given, clip=options.clip_curve, duration_seconds=duration)
        else:
            curve = run.pipeline.read_affect(run.reading)
        curve = curve.smooth(smoothing).adjust(gain, offset)
        return curve.resample(curve.rate_hz, duration).to_csv()

    asked = digest([run.film_key, (fingerprint(given) or "absent") if given and not named else None])
    made_from, bend = [run.read_key, run.parts["probe"]], [smoothing, gain, *offset]
    edited = _settle(run, path, "file" if given else "eye", asked, made_from, make, bend=bend, named=named)
    if edited and bend != [0, 1, 0, 0]:
        run.film.warn("curve.csv was edited by hand and is taken as it is: smoothing, gain and offset do not bend it")
    return AffectCurve.from_csv(path, clip=options.clip_curve, duration_seconds=duration)


def settle_anchor(run: Run, curve: AffectCurve) -> MusicalAnchor:
    """Keep `anchor.json` likewise. The eye's anchor follows the eye's curve, not one edited by hand.

    Raises:
        UsageError: if the music model understands no word of a sentence, or one is for a stretch behind the film's end.
    """
    path, prompt = run.folder / "anchor.json", run.options.prompt.strip()
    asked, made_curve = digest([run.film_key, prompt]), run.manifest.data["made_from"]["curve.csv"]
    local = _local_sentences(run)

    def make() -> str:
        anchor = MusicalAnchor(prompt=prompt) if prompt else run.pipeline.read_anchor(run.reading, curve)
        return run.pipeline.understand(replace(anchor, local=local)).to_json()

    made_from = [prompt or [made_curve["request"], run.parts["anchor"]], run.parts["music"]]
    _settle(run, path, "user" if prompt else "eye", asked, made_from, make)
    anchor, request = MusicalAnchor.from_json(path), digest([vars(each) for each in local])
    # What is asked of single stretches leaves the film's own sentence as it is, and theirs may be edited likewise.
    if not run.manifest.has_stage("local sentences", request, [path]):
        if anchor.local != local:
            anchor = run.pipeline.understand(replace(anchor, local=local))
            with run.stage("anchor", [path]):
                write_text(path, anchor.to_json())
        run.manifest.finish_stage("local sentences", request, [path])
    return run.pipeline.understand(anchor)


def _local_sentences(run: Run) -> tuple[LocalSentence, ...]:
    """What is asked of single stretches, in film time."""
    asked = [each for each in run.options.at if each.prompt]
    rate_hz = run.pipeline.musicgen.frame_rate_hz
    for each in asked:
        frames_of([(each.start_seconds, each.stop_seconds)], rate_hz, run.pipeline.frames_of(run.film.duration_seconds))
    return tuple(LocalSentence(float(each.start_seconds), float(each.stop_seconds), each.prompt) for each in asked)


def settle_cues(run: Run, curve: AffectCurve) -> tuple[Cue, ...]:
    """Keep `cues.csv` likewise: the user's cues, proposed ones, or one as long as the film; without the holes that are
    asked for. Proposed ones follow the curve that was asked for, not one edited by hand.

    Raises:
        InputError: if the user's cannot be used.
        UsageError: if the holes leave no music.
    """
    path, given, spot = run.folder / "cues.csv", run.options.cues_path, run.options.spot
    duration, made_curve = run.film.duration_seconds, run.manifest.data["made_from"]["curve.csv"]
    holes = [(each.start_seconds, each.stop_seconds) for each in run.options.at if not each.music]
    if late := [start for start, _ in holes if start >= duration]:
        raise UsageError(f"--at {float(late[0]):g}-... music=off lies behind the film's end at {float(duration):g} s")
    about = [[str(start), str(stop)] for start, stop in holes]
    asked = digest([run.film_key, str(duration), fingerprint(given) if given else None, spot, about])

    def make() -> str:
        if given:
            cues = read_cues(given, duration)
        elif spot:
            track = None if run.audio == "replace" else run.options.mix.track
            cues = spot_film(
                run.film, run.reading, curve, track=track, progress=lambda share: run.tell("listen", share, 1.0)
            )
        else:
            cues = whole_film(duration)
        return to_csv(check_cues(cut_holes(cues, holes), duration))

    made_from: list[object] = [run.read_key, made_curve["request"], run.audio, run.options.mix.track] if spot else []
    _settle(run, path, "file" if given else "spotting" if spot else "film", asked, made_from, make)
    return read_cues(path, duration)


def _settle(
    run: Run,
    path: Path,
    source: str,
    asked: str,
    made_from: list[object],
    make: Callable[[], str],
    *,
    bend: list[float] | None = None,
    named: bool = False,
) -> bool:
    """Bring a file that may be edited to what is wanted.

    Args:
        run: the run.
        path: the file.
        source: who would make it anew.
        asked: stands for the user's words; an edited file stays as long as these are the same.
        made_from: stands for all else; a file that was not edited stays as long as this is the same, too.
        make: its text. What it refuses, it refuses before anything is touched.
        bend: what the making bends it by, likewise; an edited file keeps what it was bent by before.
        named: whether the user says that the file is theirs, even if it is as it was written.

    Returns:
        Whether the file is the user's.
    """
    earlier = run.manifest.data["made_from"].get(path.name, {})
    edited = named or run.manifest.was_edited(path) or earlier.get("source") == "edited"

    def request_of(bend: list[float] | None) -> str:
        return digest([asked, made_from, bend])

    same = named or (earlier.get("asked") == asked if edited else earlier.get("request") == request_of(bend))
    if not (same and path.is_file() and run.manifest.was_finished(path)):
        edited, text = False, make()
        run.shop.set_aside([path])
        with run.stage(path.stem, [path]):
            write_text(path, text)
    elif edited:
        source, bend = "edited", earlier.get("bend", bend)
    request = request_of(bend)
    now = {"asked": asked, "request": request, "bend": bend, "source": source}
    if now != earlier or not run.manifest.is_ours(path):
        run.manifest.data["made_from"][path.name] = now
        run.manifest.finish_stage(path.stem, request, [path])
    return edited
