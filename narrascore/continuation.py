"""Window after window, each with the last tokens before it as its prompt: the loop of paper 3.6."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.files import array_digest, digest
from narrascore.sentences import Sentences
from narrascore.synthesis.adapter import AffectAdapter, affect_of_frames
from narrascore.synthesis.composing import Composing, compose_in_draws
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.units import WindowStore
from narrascore.windows import Window

ComposeProgress = Callable[[int, int], None]
"""(frames composed, frames in all)."""


def continue_codes(
    musicgen: FrozenMusicGen,
    adapter: AffectAdapter | None,
    codes: Tensor,
    windows: list[Window],
    curve: AffectCurve,
    sentences: Sentences,
    *,
    name: str,
    unit: str,
    store: WindowStore | None = None,
    progress: ComposeProgress | None = None,
    takes: int = 1,
) -> Composing[None]:
    """Compose the new frames of every window, in their order.

    Args:
        musicgen, adapter: what the draws are asked of.
        codes: `[K, T]`; new frames are written into it, prompts read from it.
        windows: frames of these codes.
        curve: of the whole film.
        sentences: the anchor's, of the whole film.
        name: names the noise; window i of the same name hears the same.
        unit: a digest of everything that is the same for all windows.
        store: where finished windows are kept and taken back from, so that a killed run goes on.
        progress: told about the new frames.
        takes: of every window, the best of which is gone on from.
    """
    first, total = windows[0].new_start, windows[-1].stop - windows[0].new_start
    for window in windows:
        prompt = codes[:, window.start : window.new_start].long()
        about = [unit, name, takes, dataclasses.astuple(window), _heard(musicgen, adapter, curve, window)]
        key = digest([*about, array_digest(prompt.numpy()), *_told(musicgen, sentences, window)])
        composed = store.load(window.index, key) if store else None
        if composed is None:
            composed = yield from compose_in_draws(
                musicgen, sentences, curve, window, prompt, f"{name}/{window.index}",
                on_frame=_count(window, first, total, progress), takes=takes,
            )  # fmt: skip
            if store:
                store.save(window.index, key, composed)
        codes[:, window.new_start : window.stop] = composed.codes
        if progress:
            progress(window.stop - first, total)


def _heard(musicgen: FrozenMusicGen, adapter: AffectAdapter | None, curve: AffectCurve, window: Window) -> str:
    """A witness of the part of the curve that steers this window, so that an edit leaves earlier windows valid."""
    if adapter is None:
        return ""
    frames = window.frames + max(musicgen.delays) + 2 * adapter.halo
    return array_digest(affect_of_frames(curve, window.start - adapter.halo, frames, musicgen.frame_rate_hz))


def _told(musicgen: FrozenMusicGen, sentences: Sentences, window: Window) -> list[tuple[str, str]]:
    """A witness of the sentences that this window is told, if there are others than the film's."""
    shares = sentences.shares(window.start, window.frames + max(musicgen.delays), musicgen.frame_rate_hz)
    if list(shares) == [sentences.film]:
        return []
    return [(sentence, array_digest(share)) for sentence, share in shares.items()]


def _count(window: Window, first: int, total: int, progress: ComposeProgress | None) -> Callable[[int], None] | None:
    """A window's own count of frames, prompt included, as a count of the new ones."""
    if progress is None:
        return None
    return lambda frames: progress(max(window.new_start, window.start + frames) - first, total)
