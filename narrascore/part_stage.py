"""The music of a part of a film, tried out before the rest: its own folder, under the whole film's curve and anchor."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import torch

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.compose_stage import piece_of, row_of
from narrascore.files import array_digest, digest
from narrascore.rendering import leave_out, write_midi, write_music
from narrascore.run import Run
from narrascore.spans import frames_of, write_seconds
from narrascore.synthesis.composing import Composing
from narrascore.synthesis.score_codes import cut_out
from narrascore.units import WindowStore
from narrascore.windows import samples_of


def score_part(run: Run, part: tuple[Fraction, Fraction], curve: AffectCurve, anchor: MusicalAnchor) -> Composing[Path]:
    """Write the music of a part of the film, `spans/12m00s-12m40s/music.wav`; returns that folder.

    It is made of the windows of the whole film that cover the part. The first of each cue has no music before it to go
    on from, so it is composed without a prompt: the whole film's music will sound otherwise there.

    Raises:
        UsageError: if the part lies behind the film's end.
    """
    musicgen, duration = run.pipeline.musicgen, run.film.duration_seconds
    total = run.pipeline.frames_of(duration)
    span = frames_of([part], musicgen.frame_rate_hz, total)[0]
    start, stop = part[0], min(part[1], Fraction(duration))
    name = f"spans/{write_seconds(start)}-{write_seconds(stop)}"
    folder, codec, state = run.folder / name, run.pipeline.codec_for(anchor), run.manifest.data["state"]
    music, midi = folder / "music.wav", folder / "music.mid"
    files = [music, midi] if run.pipeline.writes_notes else [music]
    cues, takes = [c for c in run.cues if c.in_seconds < stop and c.out_seconds > start], run.options.takes
    asked = [piece_of(run, anchor), takes, array_digest(curve.values), curve.rate_hz, *map(vars, anchor.local)]
    key = digest([*asked, str(part), codec.describe(), [cue.describe() for cue in cues]])
    if run.manifest.has_stage(name, key, files):
        return folder
    run.shop.set_aside(files)
    with run.stage(name, files):
        store = WindowStore(folder / "windows", run.environment)
        codes, left = yield from run.pipeline.composing_part(
            span, duration, curve, anchor, cues=run.cues, seed=run.options.seed, film_key=run.film_key, store=store,
            progress=lambda done, total: run.tell("compose", done, total), takes=takes,
        )  # fmt: skip
        # Played from the first window's start on, and heard from the part's.
        before = round((start - left / Fraction(musicgen.frame_rate_hz)) * codec.sample_rate_hz)
        samples = before + samples_of(stop - start, codec.sample_rate_hz)
        heard = [cue.earlier(left / Fraction(musicgen.frame_rate_hz)) for cue in cues]
        begun = anchor.seen_from(left / musicgen.frame_rate_hz)
        blocks = run.pipeline.render(codes, begun, Fraction(samples, codec.sample_rate_hz), cues=heard)
        folder.mkdir(parents=True, exist_ok=True)
        write_music(music, run.counted(leave_out(blocks, before), float(stop - start)), codec, stop - start)
        if run.pipeline.writes_notes:
            notes = cut_out(codes.numpy(), span.start - left, span.stop - left)
            begun = anchor.seen_from(span.start / musicgen.frame_rate_hz)
            write_midi(midi, run.pipeline.codec_for(begun), torch.from_numpy(notes))
        chains = run.pipeline.chains_over(span, run.pipeline.cue_frames(run.cues, total))
        told = run.manifest.data.setdefault("spans", {})
        told[name] = {
            "start_seconds": float(start), "stop_seconds": float(stop),
            "windows": [row_of(run, store.of_cue(cue), window) for cue, chain in chains.items() for window in chain],
        }  # fmt: skip
    if set(run.shop.ran) == {name}:
        run.manifest.data["state"] = state  # the whole film's results are as finished as they were
    run.manifest.finish_stage(name, key, files)
    return folder
