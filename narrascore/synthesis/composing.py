"""One window of music: the sentence through cross-attention, the curve through the adapter (paper 3.5 and 3.6).

Whoever composes asks for draws and waits: compose_in_draws --Draw--> draw_windows --codes--> compose_in_draws. So the
windows of several films, and several takes of each, can be drawn in one batch, and a window that collapsed is drawn
again beside other films' next.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.sentences import Sentences
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.decoding import Sampling, generate
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.takes import Take, best_of, judge
from narrascore.synthesis.wording import Wording
from narrascore.windows import Window

MOST_REDRAWS = 3
"""A window that still collapses after so many other seeds is asked for something that the model cannot play on."""
WORDS = 64
"""In a batch a sentence is padded to a multiple of so many tokens: mostly to the same one, whatever its neighbours."""

T = TypeVar("T")
Asked = TypeVar("Asked")
Given = TypeVar("Given")


@dataclass(frozen=True)
class ComposedWindow:
    """What came of one window.

    Attributes:
        codes: its new frames, `[K, window.frames - window.prompt]`.
        collapses: why each draw was thrown away after which others had to be drawn, in order; empty if that was not so.
            Where all draws collapsed, the last line says which one was kept nevertheless.
        takes: every draw with its prompt and what was found in it, if there were several to choose from.
        kept: which of them is kept, from 0.
    """

    codes: Tensor
    collapses: tuple[str, ...] = ()
    takes: tuple[Take, ...] = ()
    kept: int = 0


@dataclass(frozen=True, eq=False)
class Draw:
    """Draws of one window, as they are asked for.

    Attributes:
        text: the sentences that count in this window, one row.
        curve: of the whole film; the window reads its absolute frames from it.
        window: frames of the film's token stream.
        prompt: the last `window.prompt` codes of the stream so far, `[K, P]`.
        seeds: each names the noise of one draw.
        on_frame: told how many of the window's frames are finished.
    """

    text: Wording
    curve: AffectCurve
    window: Window
    prompt: Tensor | None
    seeds: tuple[str, ...]
    on_frame: Callable[[int], None] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """What is the same in one batch: takes, frames of prompt, and tokens of text once it is padded."""
        return len(self.seeds), self.window.prompt, math.ceil(self.text.tokens / WORDS) * WORDS


Composing = Generator[Draw, Tensor, T]
"""Asks for draws, is sent the codes of each, `[takes, K, window.frames]`, and returns what came of them."""


def compose_window(
    musicgen: FrozenMusicGen,
    adapter: AffectAdapter | None,
    sentence: str | Sentences,
    curve: AffectCurve,
    window: Window,
    prompt: Tensor | None,
    seed: str,
    sampling: Sampling | None = None,
    on_frame: Callable[[int], None] | None = None,
    takes: int = 1,
) -> ComposedWindow:
    """Draw the new frames of one window by itself.

    Args:
        musicgen: the frozen backbone.
        adapter: None plays the backbone alone: closed gates.
        sentence, curve, window, prompt, seed, on_frame, takes: as for `compose_in_draws`.
        sampling: by default the checkpoint's own.
    """
    sampling = sampling or musicgen.sampling
    draws = compose_in_draws(musicgen, sentence, curve, window, prompt, seed, sampling, on_frame, takes)
    return drive(draws, lambda draw: draw_windows(musicgen, adapter, [draw], sampling=sampling)[0])


def compose_in_draws(
    musicgen: FrozenMusicGen,
    sentence: str | Sentences,
    curve: AffectCurve,
    window: Window,
    prompt: Tensor | None,
    seed: str,
    sampling: Sampling | None = None,
    on_frame: Callable[[int], None] | None = None,
    takes: int = 1,
) -> Composing[ComposedWindow]:
    """Ask for the new frames of one window, again from the next seeds where all of them collapse (see `collapse`).

    Args:
        musicgen: reads the sentence and judges the codes.
        sentence: the anchor's, or all of the film's in their turns.
        curve, window, prompt: as for `Draw`.
        seed: names this unit; the same seed gives the same codes on the same machine. Draw n after the first is named
            by "<seed>/n".
        sampling: by default the checkpoint's own.
        on_frame: told how many of the window's frames are finished; a window drawn again starts anew.
        takes: drawn at once, of which the best is kept (see `takes`).
    """
    sentences = sentence if isinstance(sentence, Sentences) else Sentences(sentence)
    text, drawn, thrown = word_window(musicgen, sentences, window), list[Take](), 0
    if (sampling or musicgen.sampling).temperature > 0:
        rounds = 1 + MOST_REDRAWS
    else:
        rounds = takes = 1  # every draw would be the same
    for first in range(0, rounds * takes, takes):
        seeds = tuple(f"{seed}/{draw}" if draw else seed for draw in range(first, first + takes))
        codes = yield Draw(text, curve, window, prompt, seeds, on_frame)
        drawn += [judge(musicgen.codec, take, window, curve if takes > 1 else None) for take in codes]
        if any(take.collapse is None for take in drawn):
            break
        thrown = len(drawn)
    return _choose(drawn, thrown, window, several=takes > 1)


def word_window(musicgen: FrozenMusicGen, sentences: Sentences, window: Window) -> Wording:
    """Read the sentences that count somewhere in a window, its prompt included, as one row."""
    shares = sentences.shares(window.start, window.frames + max(musicgen.delays), musicgen.frame_rate_hz)
    # One by one: beside a longer one a sentence would be padded, which is heard in its last bits.
    told = tuple(musicgen.encode_text([sentence]) for sentence in shares)
    return Wording(told, torch.tensor(np.stack(list(shares.values())))[:, None] if len(told) > 1 else None)


def draw_windows(
    musicgen: FrozenMusicGen,
    adapter: AffectAdapter | None,
    draws: Sequence[Draw],
    rows: int = 1,
    sampling: Sampling | None = None,
) -> list[Tensor]:
    """Draw windows of different films side by side: the weights are read once for all of them.

    The last bits depend on the shape of what is computed, not on what the other rows hold. So with more than one row
    the shape is always the same: rows that nobody asked for repeat the first, windows are drawn at full length and cut.

    Args:
        musicgen, adapter: what composes.
        draws: of one shape, `rows` of them at most.
        rows: windows of the batch; with several takes it has so many times as many rows.
        sampling: by default the checkpoint's own.

    Returns:
        Codes `[takes, K, window.frames]` of each draw, the prompt included.
    """
    first, takes = draws[0], len(draws[0].seeds)
    filled = [draw for draw in (*draws, *[first] * (rows - len(draws))) for _ in range(takes)]
    frames = first.window.frames if rows == 1 else musicgen.window_frames
    prompts = [draw.prompt for draw in filled if draw.prompt is not None and draw.window.prompt]
    positions, control = frames + max(musicgen.delays), None
    if adapter is not None:
        rate_hz = musicgen.frame_rate_hz
        control = torch.stack([adapter.control(d.curve, d.window.start, positions, rate_hz) for d in filled])

    def tell(done: int) -> None:
        for draw in draws:
            if draw.on_frame is not None and done <= draw.window.frames:
                draw.on_frame(done)

    codes = generate(
        musicgen.engine,
        musicgen.delays,
        first.text
        if len(filled) == 1
        else Wording.stack([draw.text.padded(draw.shape[2], positions) for draw in filled]),
        frames,
        [noise_of(draw.seeds[row % takes]) for row, draw in enumerate(filled)],
        sampling or musicgen.sampling,
        prompt=torch.stack(prompts) if prompts else None,
        adapter=adapter,
        control=control,
        on_frame=tell,
        held_code=musicgen.codec.held_code,
    ).cpu()
    return [codes[row * takes : (row + 1) * takes, :, : draw.window.frames] for row, draw in enumerate(draws)]


def drive(steps: Generator[Asked, Given, T], answer: Callable[[Asked], Given]) -> T:
    """Answer everything that is asked, one by one; what goes wrong meanwhile is raised where it was asked."""
    try:
        asked = next(steps)
        while True:
            try:
                given = answer(asked)
            except BaseException as error:
                asked = steps.throw(error)
            else:
                asked = steps.send(given)
    except StopIteration as end:
        result: T = end.value
        return result


def _choose(drawn: list[Take], thrown: int, window: Window, *, several: bool) -> ComposedWindow:
    """The best draw, and what is to be said of the others.

    Args:
        drawn: all draws.
        thrown: how many of them collapsed together, before others were drawn or none was left to try.
        window: that they are of.
        several: whether more than one was drawn at once.
    """
    kept = best_of(drawn)
    said = [str(take.collapse) for number, take in enumerate(drawn[:thrown]) if number != kept]
    if (collapse := drawn[kept].collapse) is not None:
        said.append(f"all {len(drawn)} draws collapsed; number {kept + 1} is kept: {collapse}")
    return ComposedWindow(drawn[kept].codes[:, window.prompt :], tuple(said), tuple(drawn) if several else (), kept)


def noise_of(seed: str) -> torch.Generator:
    """The unit's own random numbers: a CPU generator seeded by sha256 of its name."""
    digest = hashlib.sha256(seed.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
