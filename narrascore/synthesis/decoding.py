"""The decoding loop: tokens of one window under guidance on text and on control, over a cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import MusicgenForCausalLM

from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.decoder import DecoderCache, TextCondition, run_decoder
from narrascore.synthesis.delays import delay_codes, undelay_codes
from narrascore.synthesis.injection import inject, open_gates


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        top_k: draw from this many most likely codes; audiocraft's 250.
        temperature: 0 takes the most likely code.
        text_guidance: s_text; 1 is off.
        control_guidance: s_control; 1 is off, the paper's form. Anything else costs a third row.
        plausibility: codes that the guided row itself, (text, C), finds less likely than this share of its likeliest
            are not drawn; 0 is off, the paper's form. Guidance multiplies ratios of probabilities, and where both are
            tiny the ratio is noise: without this rule strong guidance draws what no row asks for, such as a bar that
            ends early (Li et al. 2023, contrastive decoding, Eq. 2, for language models).
    """

    top_k: int = 250
    temperature: float = 1.0
    text_guidance: float = 3.0
    control_guidance: float = 1.0
    plausibility: float = 0.0

    def __post_init__(self) -> None:
        if self.top_k < 1 or self.temperature < 0 or self.text_guidance < 0 or self.control_guidance < 0:
            raise ValueError(f"top_k must be at least 1, temperature and guidance not negative: got {self}")
        if not 0 <= self.plausibility < 1:
            raise ValueError(f"plausibility must be in [0, 1): got {self.plausibility}")


@dataclass(frozen=True)
class Guidance:
    """Which rows are decoded side by side, and how their logits are combined.

    l = l(none, C) + s_text (l(text, C) - l(none, C)) + (s_control - 1) (l(text, C) - l(text))
    """

    sampling: Sampling
    steered: bool

    @property
    def rows(self) -> list[tuple[bool, bool]]:
        """(with text, with control) of each row; the first is (text, C)."""
        rows = [(True, True)]
        if self.sampling.text_guidance != 1:
            rows.append((False, True))
        if self.steered and self.sampling.control_guidance != 1:
            rows.append((True, False))
        return rows

    def combine(self, logits: Tensor, never: Tensor | None = None) -> Tensor:
        """`[rows * B, K, V]` -> `[B, K, V]`, with -inf where `never` `[K, V]` forbids a code."""
        parts = dict(zip(self.rows, logits.chunk(len(self.rows)), strict=True))
        full = parts[True, True]
        combined = full
        if (False, True) in parts:
            combined = parts[False, True] + self.sampling.text_guidance * (full - parts[False, True])
        if (True, False) in parts:
            combined = combined + (self.sampling.control_guidance - 1) * (full - parts[True, False])
        if never is not None:  # before the likeliest code is looked for: it may be a forbidden one
            full, combined = full.masked_fill(never, float("-inf")), combined.masked_fill(never, float("-inf"))
        if self.sampling.plausibility > 0:
            below = full - full.amax(dim=-1, keepdim=True) < math.log(self.sampling.plausibility)
            combined = combined.masked_fill(below, float("-inf"))
        return combined


@torch.inference_mode()
def generate(
    model: MusicgenForCausalLM,
    delays: tuple[int, ...],
    text: TextCondition,
    frames: int,
    noise: list[torch.Generator],
    sampling: Sampling,
    *,
    prompt: Tensor | None = None,
    adapter: AffectAdapter | None = None,
    control: Tensor | None = None,
    on_frame: Callable[[int], None] | None = None,
    pad_tail: bool = False,
    held_code: int | None = None,
) -> Tensor:
    """Draw the codes of one window.

    Args:
        model: the decoder.
        delays: of its codebooks.
        text: one sentence per item, B rows.
        frames: T, the window's length with its prompt.
        noise: one CPU generator per item; what is drawn depends on nothing else that is random.
        sampling: temperature, top-k and guidance.
        prompt: the window's first frames, `[B, K, P]`, kept token for token.
        adapter, control: gates and C of positions 0 .. T + max(delays) - 1, `[B, T + max(delays), D]`. With every gate
            closed it is the backbone's own music, without a row for control guidance.
        on_frame: told the number of frames finished.
        pad_tail: feed PAD past the last frame as the library does, instead of the sampled tokens that training showed.
        held_code: the code that goes on with what was begun before; it cannot begin a stream, so it is never drawn for
            frame 0.

    Returns:
        `[B, K, T]`, the prompt included.
    """
    batch, codebooks, tail = len(text.mask), len(delays), max(delays)
    bos, device = model.config.bos_token_id, text.states.device
    known = 0 if prompt is None else prompt.shape[-1]
    gates = {} if adapter is None or control is None else open_gates(adapter)
    guidance = Guidance(sampling, steered=bool(gates))
    rows = guidance.rows
    condition = TextCondition.stack([text if worded else text.without_words() for worded, _ in rows])
    if control is not None:
        if control.shape[1] != frames + tail:
            raise ValueError(f"control must cover {frames} + {tail} positions: got {control.shape[1]}")
        control = torch.cat([control if felt else torch.zeros_like(control) for _, felt in rows])

    # delayed[:, k, p] is frame p - delays[k]: predicted at position p, read at position p + 1.
    delayed = torch.full((batch, codebooks, frames + tail), bos, dtype=torch.long, device=device)
    if prompt is not None:
        delayed[..., : known + tail] = delay_codes(prompt.long().to(device), delays, bos)
    position = torch.arange(frames + tail)[None, :] - torch.tensor(delays)[:, None]
    drawn = ((position >= known) & (position < (frames if pad_tail else frames + tail))).to(device)

    cache = DecoderCache(model, len(rows) * batch, frames + tail)
    reading = torch.cat([delayed.new_full((batch, codebooks, 1), bos), delayed], dim=-1)
    for step in range(known, frames + tail):
        start = cache.length
        add_control = inject(gates, control[:, start : step + 1]) if gates and control is not None else None
        inputs = reading[..., start : step + 1].repeat(len(rows), 1, 1)
        logits = run_decoder(model, inputs, condition, add_control=add_control, cache=cache)[:, :, -1]
        never = None
        if held_code is not None and step <= tail:
            never = torch.zeros(logits.shape[1:], dtype=torch.bool, device=device)
            never[position[:, step] == 0, held_code] = True
        token = sample(guidance.combine(logits.float(), never), sampling, noise)
        reading[..., step + 1] = torch.where(drawn[:, step], token, reading[..., step + 1])
        if on_frame is not None and step >= tail:
            on_frame(step - tail + 1)
    return undelay_codes(reading[..., 1:], delays, frames)


def sample(logits: Tensor, sampling: Sampling, noise: list[torch.Generator]) -> Tensor:
    """Draw one code per codebook: argmax(p / Exp(1)) over the top k.

    Args:
        logits: `[B, K, V]`.
        noise: one CPU generator per item.

    Returns:
        `[B, K]`.
    """
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits / sampling.temperature
    if sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    waiting = torch.stack([torch.empty(logits.shape[1:]).exponential_(generator=g) for g in noise])
    return (logits.softmax(dim=-1) / waiting.to(logits.device)).argmax(dim=-1)
