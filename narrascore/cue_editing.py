"""Kept music under other cues: what of it stays, and what has to be composed.

kept cues   |=======A=======|        |=====B=====|
cues        |===================C===================|  |==D==|
stays       |=======|                |=====|
composed             |~~~~~~~~~~~~~~~|      |~~~~~~|~  |~~~~~|      (A and B had closed: their ends are made anew)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from narrascore.composition import Composition
from narrascore.spans import Span, merge, overlap
from narrascore.synthesis.codec import Codec
from narrascore.synthesis.joining import Patch
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_codes import cut_out


def keep_in(composition: Composition, cues: Sequence[Span], codec: Codec) -> Composition:
    """The music under other cues: what of it lies in them, and silence where something has to be composed."""
    pieces = overlap(composition.cues, cues)
    codes = codec.silence(composition.codes.shape[1])
    for piece in pieces:
        codes[:, piece.start : piece.stop] = _cut_out(composition.codes, piece, codec)
    patches = tuple(
        Patch(shared.start, shared.stop, patch.left, patch.codes)
        for patch in composition.patches
        for shared in overlap([Span(patch.start, patch.stop)], pieces)
    )
    return replace(composition, codes=codes, patches=patches, cues=tuple(cues))


def missing_spans(kept: Sequence[Span], cues: Sequence[Span], closing: int, gap: int) -> list[Span]:
    """Spans of the cues that have to be composed.

    Args:
        kept: cues of the music that there is.
        cues: those that are wanted.
        closing: frames before a cue's end in which its music prepares for it.
        gap: spans of one cue this near to one another are composed as one.
    """
    missing = []
    for cue in cues:
        wanted, begins = [], cue.start  # begins: where the music that is looked at has to be gone on from
        for old in sorted(kept):
            if old.stop <= cue.start or old.start >= cue.stop:
                continue
            if old.start > begins:
                wanted.append(Span(begins, old.start))
            if old.stop == cue.stop:
                break
            begins = max(cue.start, min(old.stop, cue.stop) - closing)
        else:
            wanted.append(Span(begins, cue.stop))
        missing += merge(wanted, gap)
    return missing


def _cut_out(codes: Tensor, piece: Span, codec: Codec) -> Tensor:
    """Its codes; of notes, those that are held when it begins begin with it."""
    if not isinstance(codec, ScoreCodec):
        return codes[:, piece.start : piece.stop]
    return torch.from_numpy(cut_out(codes.numpy(), piece.start, piece.stop))
