"""The two files that a user may edit, curve and anchor: made where they are missing, kept where they were edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.files import digest, fingerprint, write_text
from narrascore.run import Run
from narrascore.sentences import LocalSentence
from narrascore.spans import frames_of


def settle_curve(run: Run) -> AffectCurve:
    """Keep `curve.csv` if it is what is asked for or was edited by hand, else make it; then read it back."""
    path, given = run.folder / "curve.csv", run.options.curve_path
    gain, offset = run.options.curve_gain, run.options.curve_offset
    asked = digest([run.film_key, fingerprint(given) if given else None, gain, offset])

    duration = float(run.film.duration_seconds)

    def make() -> str:
        if given:
            curve = AffectCurve.from_csv(given, clip=run.options.clip_curve, duration_seconds=duration)
        else:
            curve = run.pipeline.read_affect(run.reading)
        curve = curve.adjust(gain, offset)
        return curve.resample(curve.rate_hz, duration).to_csv()

    _settle(run, path, "file" if given else "eye", asked, [run.read_key, run.parts["probe"]], make)
    return AffectCurve.from_csv(path)


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


def _settle(run: Run, path: Path, source: str, asked: str, made_from: list[object], make: Callable[[], str]) -> None:
    """Bring a file that may be edited to what is wanted.

    Args:
        run: the run.
        path: the file.
        source: who would make it anew.
        asked: stands for the user's words; an edited file stays as long as these are the same.
        made_from: stands for all else; a file that was not edited stays as long as this is the same, too.
        make: its text. What it refuses, it refuses before anything is touched.
    """
    earlier = run.manifest.data["made_from"].get(path.name, {})
    request = digest([asked, made_from])
    edited = run.manifest.was_edited(path) or earlier.get("source") == "edited"
    same = earlier.get("asked") == asked if edited else earlier.get("request") == request
    if not (same and path.is_file() and run.manifest.was_finished(path)):
        text = make()
        run.shop.set_aside([path])
        with run.stage(path.stem, [path]):
            write_text(path, text)
    elif edited:
        source = "edited"
    now = {"asked": asked, "request": request, "source": source}
    if now != earlier or not run.manifest.is_ours(path):
        run.manifest.data["made_from"][path.name] = now
        run.manifest.finish_stage(path.stem, request, [path])
