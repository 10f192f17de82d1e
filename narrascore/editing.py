"""Composing a part of a film's music anew: where what is asked for was changed, or the user wants another draw.

kept      ==============================================
span                  |  changed   |
new                   |============|======|               composed on beyond the span
result    ============|============|==|=================
                    start         stop join               the most similar place behind the span
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.composition import Composition
from narrascore.continuation import ComposeProgress
from narrascore.pipeline import Pipeline
from narrascore.spans import Span, changed_spans
from narrascore.synthesis.adapter import affect_of_frames
from narrascore.synthesis.codec import Codec
from narrascore.synthesis.composing import Composing
from narrascore.synthesis.joining import COMPARED_SECONDS, Patch, cut_patch, find_join, splice_notes
from narrascore.units import WindowStore
from narrascore.windows import Window

HEARD_CHANGE = 2e-4
"""Valence and arousal that are no further apart are the same: tables round to half of 1e-4."""


@dataclass(frozen=True)
class Edit:
    """What is to be composed anew, in frames.

    Attributes:
        why: `curve`, `sentences` or `cues`, or several, where these were changed, `redo` where the user asked for it.
        spans: in order, each in one cue, none touching another of the same cue.
        take: which draw; another take is other music.
        takes: how many are drawn at once of each window, for the best to be kept.
    """

    why: str
    spans: tuple[Span, ...]
    take: int = 1
    takes: int = 1

    def was_made(self, composition: Composition) -> bool:
        """Whether a composition holds this very edit."""
        frames = [[span.start, span.stop] for span in self.spans]
        asked = {"why": self.why, "take": self.take, "takes": self.takes, "frames": frames}
        return any({name: edit[name] for name in asked} == asked for edit in composition.edits)


def heard_changes(pipeline: Pipeline, kept: AffectCurve, curve: AffectCurve, total: int) -> tuple[Span, ...]:
    """Spans of a film's `total` frames whose music hears that the curve is another one."""
    adapter, musicgen = pipeline.adapter, pipeline.musicgen
    if adapter is None:
        return ()
    # Codebook k of a frame is drawn `delays[k]` positions later, and hears the curve of that position.
    before = adapter.halo + max(musicgen.delays)
    old, new = (affect_of_frames(each, 0, total + before, musicgen.frame_rate_hz) for each in (kept, curve))
    changed = np.any(np.abs(old - new) > HEARD_CHANGE, axis=1)
    spans = changed_spans(changed, before=before, after=adapter.halo, gap=search_frames(pipeline))
    return tuple(Span(span.start, min(span.stop, total)) for span in spans if span.start < total)


def told_changes(pipeline: Pipeline, kept: MusicalAnchor, anchor: MusicalAnchor, total: int) -> tuple[Span, ...]:
    """Spans of a film's `total` frames whose music is told another sentence by one anchor than by the other."""
    musicgen = pipeline.musicgen
    before = max(musicgen.delays)  # as for the curve
    old, new = (pipeline.sentences(each, total) for each in (kept, anchor))
    changed = old.heard_otherwise(new, total + before, musicgen.frame_rate_hz)
    spans = changed_spans(changed, before=before, after=0, gap=search_frames(pipeline))
    return tuple(Span(span.start, min(span.stop, total)) for span in spans if span.start < total)


def search_frames(pipeline: Pipeline) -> int:
    """How far behind a span the way back is looked for: half of what a window adds; 9 s with windows of 30 s."""
    return (pipeline.musicgen.window_frames - pipeline.musicgen.prompt_frames) // 2


def make_edit(
    pipeline: Pipeline,
    composition: Composition,
    edit: Edit,
    curve: AffectCurve,
    anchor: MusicalAnchor,
    *,
    name: str,
    store_of: Callable[[int], WindowStore],
    row_of: Callable[[WindowStore, Window], dict[str, Any]],
    progress: ComposeProgress | None = None,
) -> Composing[Composition]:
    """Compose the spans of an edit and join each back into what is kept.

    Args:
        pipeline: what composes.
        composition: the kept music.
        edit: what of it is composed anew.
        curve: that the music then follows.
        anchor: what music is asked for.
        name: the seed and film, which name the noise.
        store_of: where the windows of span i are kept.
        row_of: what there is to tell about a window.
        progress: told about each span's frames.
    """
    codec, rate_hz = pipeline.codec_for(anchor), pipeline.musicgen.frame_rate_hz
    compared = round(COMPARED_SECONDS * rate_hz)
    rows = []
    for index, span in enumerate(edit.spans):
        cue = next(cue for cue in composition.cues if cue.start <= span.start < cue.stop)
        composed = Span(span.start, min(cue.stop, span.stop + search_frames(pipeline) + compared))
        kept, store = composition.current, store_of(index)
        new = yield from pipeline.recomposing(
            kept, composed, curve, anchor, name=f"{name}/{edit.why} {edit.take} at {span.start}", cue=cue,
            store=store, progress=progress, takes=edit.takes,
        )  # fmt: skip
        following = edit.spans[index + 1].start if index + 1 < len(edit.spans) else cue.stop
        last = min(composed.stop - compared, following)
        # So near to the cue's end that there is nothing to compare, the new music goes on to it.
        stop, distance = find_join(codec, kept, new, span.stop, last) if last >= span.stop else (composed.stop, 0.0)
        composition = _put_in(composition, codec, new, Span(span.start, stop), notes=pipeline.writes_notes)
        rows.append({
            "start_seconds": span.start / rate_hz,
            "stop_seconds": span.stop / rate_hz,
            "join_seconds": stop / rate_hz,
            "join_distance": distance,
            "windows": [row_of(store, window) for window in pipeline.windows_of(composed, cue)],
        })  # fmt: skip
    done = {
        "why": edit.why, "take": edit.take, "takes": edit.takes, "frames": [[s.start, s.stop] for s in edit.spans],
        "spans": rows,
    }  # fmt: skip
    return replace(composition, curve=curve, local=anchor.local, edits=(*composition.edits, done))


def _put_in(composition: Composition, codec: Codec, new: Tensor, span: Span, *, notes: bool) -> Composition:
    if notes:
        return replace(composition, codes=splice_notes(composition.codes, new, span.start, span.stop))
    patch = cut_patch(codec, new, span.start, span.stop)
    seen = [earlier for earlier in composition.patches if not _covers(patch, earlier)]
    return replace(composition, patches=(*seen, patch))


def _covers(patch: Patch, earlier: Patch) -> bool:
    return patch.start <= earlier.start and earlier.stop <= patch.stop
