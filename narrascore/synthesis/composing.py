"""One window of music: the sentence through cross-attention, the curve through the adapter (paper 3.5 and 3.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.collapse import Collapse, find_collapse
from narrascore.synthesis.decoding import Sampling, generate
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.windows import Window

MOST_REDRAWS = 3
"""A window that still collapses after so many other seeds is asked for something that the model cannot play on."""


@dataclass(frozen=True)
class ComposedWindow:
    """What came of one window.

    Attributes:
        codes: its new frames, `[K, window.frames - window.prompt]`.
        collapses: why each other draw was thrown away, in order; empty if the first one was kept. Where all draws
            collapsed, the last line says which one was kept nevertheless.
    """

    codes: Tensor
    collapses: tuple[str, ...] = ()


def compose_window(
    musicgen: FrozenMusicGen,
    adapter: AffectAdapter | None,
    sentence: str,
    curve: AffectCurve,
    window: Window,
    prompt: Tensor | None,
    seed: str,
    sampling: Sampling | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> ComposedWindow:
    """Draw the new frames of one window, again from the next seed where they collapse (see `collapse`).

    Args:
        musicgen: the frozen backbone.
        adapter: None plays the backbone alone: closed gates.
        sentence: the anchor's.
        curve: of the whole film; the window reads its absolute frames from it.
        window: frames of the film's token stream.
        prompt: the last `window.prompt` codes of the stream so far, `[K, P]`.
        seed: names this unit; the same seed gives the same codes on the same machine. Draw n after the first is named
            by "<seed>/n".
        sampling: by default the checkpoint's own.
        on_frame: told how many of the window's frames are finished; a window drawn again starts anew.
    """
    sampling = sampling or musicgen.sampling
    control = None
    if adapter is not None:
        positions = window.frames + max(musicgen.delays)
        control = adapter.control(curve, window.start, positions, musicgen.frame_rate_hz)[None]
    draws: list[tuple[Tensor, Collapse | None]] = []
    for draw in range(1 + (MOST_REDRAWS if sampling.temperature > 0 else 0)):
        codes = generate(
            musicgen.engine,
            musicgen.delays,
            musicgen.encode_text([sentence]),
            window.frames,
            [noise_of(f"{seed}/{draw}" if draw else seed)],
            sampling,
            prompt=None if prompt is None or window.prompt == 0 else prompt[None],
            adapter=adapter,
            control=control,
            on_frame=on_frame,
            held_code=musicgen.codec.held_code,
        )[0].cpu()
        collapse = find_collapse(musicgen.codec, codes, window.prompt, film_goes_on=not window.last)
        draws.append((codes[:, window.prompt :], collapse))
        if collapse is None:
            break
    return _choose(draws)


def _choose(draws: list[tuple[Tensor, Collapse | None]]) -> ComposedWindow:
    """The draw that did not collapse, else the one that collapsed least, and what is to be said of it."""
    kept = min(range(len(draws)), key=lambda draw: 0.0 if (found := draws[draw][1]) is None else found.seconds)
    codes, collapse = draws[kept]
    said = [str(found) for draw, (_, found) in enumerate(draws) if draw != kept]
    if collapse is not None:
        said.append(f"all {len(draws)} draws collapsed; number {kept + 1} is kept: {collapse}")
    return ComposedWindow(codes, tuple(said))


def noise_of(seed: str) -> torch.Generator:
    """The unit's own random numbers: a CPU generator seeded by sha256 of its name."""
    digest = hashlib.sha256(seed.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
