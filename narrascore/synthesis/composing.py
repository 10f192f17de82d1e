"""One window of music: the sentence through cross-attention, the curve through the adapter (paper 3.5 and 3.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.decoding import Sampling, generate
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.windows import Window


@dataclass(frozen=True)
class ComposedWindow:
    """What came of one window.

    Attributes:
        codes: its new frames, `[K, window.frames - window.prompt]`.
        collapses: why each earlier draw was thrown away, in order; empty if the first one was kept.
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
    """Draw the new frames of one window.

    Args:
        musicgen: the frozen backbone.
        adapter: None plays the backbone alone: closed gates.
        sentence: the anchor's.
        curve: of the whole film; the window reads its absolute frames from it.
        window: frames of the film's token stream.
        prompt: the last `window.prompt` codes of the stream so far, `[K, P]`.
        seed: names this unit; the same seed gives the same codes on the same machine.
        sampling: by default the checkpoint's own.
        on_frame: told how many of the window's frames are finished.
    """
    sampling = sampling or musicgen.sampling
    control = None
    if adapter is not None:
        positions = window.frames + max(musicgen.delays)
        control = adapter.control(curve, window.start, positions, musicgen.frame_rate_hz)[None]
    codes = generate(
        musicgen.engine,
        musicgen.delays,
        musicgen.encode_text([sentence]),
        window.frames,
        [noise_of(seed)],
        sampling,
        prompt=None if prompt is None or window.prompt == 0 else prompt[None],
        adapter=adapter,
        control=control,
        on_frame=on_frame,
        held_code=musicgen.codec.held_code,
    )
    return ComposedWindow(codes[0, :, window.prompt :].cpu())


def noise_of(seed: str) -> torch.Generator:
    """The unit's own random numbers: a CPU generator seeded by sha256 of its name."""
    digest = hashlib.sha256(seed.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
