"""The decoding loop: tokens of one window under guidance on text and on control, over a cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor

from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.cuda_graph import Recording
from narrascore.synthesis.decoder import TextCondition
from narrascore.synthesis.delays import delay_codes, undelay_codes
from narrascore.synthesis.engine import Engine
from narrascore.synthesis.injection import open_gates
from narrascore.synthesis.passage import Passage
from narrascore.synthesis.wording import Wording

NOISE_STEPS = 32
"""Steps whose noise is drawn in one call; a unit's codes depend on it as they do on the seed."""
WARM_UP = 3
"""Steps that a GPU takes before it records one."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        top_k: draw from this many most likely codes; audiocraft's 250.
        temperature: 0 takes the most likely code.
        text_guidance: s_text; 1 is off.
        control_guidance: s_control, for all codebooks or one for each; 1 is off, the paper's form. Anything else costs
            a third row. Codebooks bear different strengths: much of it on notes fills rests, on harmony it does not.
        plausibility: codes that the guided row itself, (text, C), finds less likely than this share of its likeliest
            are not drawn; 0 is off, the paper's form. Guidance multiplies ratios of probabilities, and where both are
            tiny the ratio is noise: without this rule strong guidance draws what no row asks for, such as a bar that
            ends early (Li et al. 2023, contrastive decoding, Eq. 2, for language models).
    """

    top_k: int = 250
    temperature: float = 1.0
    text_guidance: float = 3.0
    control_guidance: float | tuple[float, ...] = 1.0
    plausibility: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.control_guidance, (int, float)):
            object.__setattr__(self, "control_guidance", tuple(map(float, self.control_guidance)))
        if self.top_k < 1 or min(self.temperature, self.text_guidance, *self.control_strengths) < 0:
            raise ValueError(f"top_k must be at least 1, temperature and guidance not negative: got {self}")
        if not 0 <= self.plausibility < 1:
            raise ValueError(f"plausibility must be in [0, 1): got {self.plausibility}")

    @property
    def control_strengths(self) -> tuple[float, ...]:
        """s_control of all codebooks, or of each."""
        return self.control_guidance if isinstance(self.control_guidance, tuple) else (self.control_guidance,)


@dataclass(frozen=True)
class Guidance:
    """Which rows are decoded side by side, and how their logits are combined.

    l = l(none, C) + s_text (l(text, C) - l(none, C)) + (s_control - 1) (l(text, C) - l(text))

    with an s_control for each codebook, if there are several.
    """

    sampling: Sampling
    steered: bool

    @property
    def rows(self) -> list[tuple[bool, bool]]:
        """(with text, with control) of each row; the first is (text, C)."""
        rows = [(True, True)]
        if self.sampling.text_guidance != 1:
            rows.append((False, True))
        if self.steered and any(strength != 1 for strength in self.sampling.control_strengths):
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
            more = _column(self.sampling.control_strengths, logits.device) - 1
            combined = combined + more * (full - parts[True, False])
        if never is not None:  # before the likeliest code is looked for: it may be a forbidden one
            full, combined = full.masked_fill(never, float("-inf")), combined.masked_fill(never, float("-inf"))
        if self.sampling.plausibility > 0:
            below = full - full.amax(dim=-1, keepdim=True) < math.log(self.sampling.plausibility)
            combined = combined.masked_fill(below, float("-inf"))
        return combined


@cache
def _column(values: tuple[float, ...], device: torch.device) -> Tensor:
    """`[n, 1]`, made once: a GPU's recording of a step must not copy it from the host."""
    return torch.tensor(values, device=device)[:, None]


@torch.inference_mode()
def generate(
    engine: Engine,
    delays: tuple[int, ...],
    text: TextCondition | Wording,
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
        engine: the decoder, prepared.
        delays: of its codebooks.
        text: one sentence per item, B rows, or several in turns at positions 0 .. T + max(delays) - 1.
        frames: T, the window's length with its prompt.
        noise: one CPU generator per item; what is drawn depends on nothing else that is random.
        sampling: temperature, top-k and guidance.
        prompt: the window's first frames, `[B, K, P]`, kept token for token.
        adapter, control: gates and C of positions 0 .. T + max(delays) - 1, `[B, T + max(delays), D]`. With every gate
            closed it is the backbone's own music, without a row for control guidance.
        on_frame: told the number of frames finished; on a GPU it may run ahead of them.
        pad_tail: feed PAD past the last frame as the library does, instead of the sampled tokens that training showed.
        held_code: the code that goes on with what was begun before; it cannot begin a stream, so it is never drawn for
            frame 0.

    Returns:
        `[B, K, T]`, the prompt included.
    """
    tail, on_gpu = max(delays), engine.device.type == "cuda"
    known = 0 if prompt is None else prompt.shape[-1]
    gates = {} if adapter is None or control is None else open_gates(adapter)
    guidance = Guidance(sampling, steered=bool(gates))
    wording = text if isinstance(text, Wording) else Wording((text,))
    wording = Wording.stack([wording if worded else wording.without_words() for worded, _ in guidance.rows])
    if control is not None:
        if control.shape[1] != frames + tail:
            raise ValueError(f"control must cover {frames} + {tail} positions: got {control.shape[1]}")
        control = torch.cat([control if felt else torch.zeros_like(control) for _, felt in guidance.rows])
    with engine.own_threads():
        passage = Passage(engine, wording, frames + tail, gates=gates, control=control, static=on_gpu)
        drawing = Drawing(passage, guidance, noise, delays, frames, prompt, held_code)
        if pad_tail:
            drawing.pad_tail()
        recording = None
        for position in range(known, frames + tail):
            drawing.take_noise()
            if recording is not None:
                recording.replay()
            elif position == known:
                drawing.begin()
            elif not on_gpu or position <= max(tail, known + WARM_UP):
                drawing.go_on(position)
            else:
                recording = Recording(partial(drawing.go_on, position))
            if on_frame is not None and position >= tail:
                on_frame(position - tail + 1)
    return undelay_codes(drawing.reading[..., 1:], delays, frames)


class Drawing:
    """The codes of a passage while they are drawn, in tensors that stay where they are, so that a step can be recorded.

    Attributes:
        reading: what each position reads, `[B, K, P + 1]`: BOS first, then delayed codes, where column p + 1 holds what
            position p predicts.
        free: which of them are drawn, `[K, P + 1]`; the others are the prompt's, or padding.
        waiting: the next draw's noise, `[B, K, V]`.
    """

    def __init__(
        self,
        passage: Passage,
        guidance: Guidance,
        noise: list[torch.Generator],
        delays: tuple[int, ...],
        frames: int,
        prompt: Tensor | None,
        held_code: int | None,
    ) -> None:
        engine, positions = passage.engine, frames + max(delays)
        self._passage, self._guidance = passage, guidance
        self._delays, self._frames, self._held_code = delays, frames, held_code
        self._known = 0 if prompt is None else prompt.shape[-1]
        shape = (len(noise), len(delays), positions + 1)
        self.reading = torch.full(shape, engine.bos, dtype=torch.long, device=engine.device)
        if prompt is not None:
            delayed = delay_codes(prompt.long().to(engine.device), delays, engine.bos)
            self.reading[..., 1 : delayed.shape[-1] + 1] = delayed
        # Column p + 1 of codebook k is frame p - delays[k].
        self._frame = torch.arange(-1, positions)[None, :] - torch.tensor(delays)[:, None]
        self.free = (self._frame >= self._known).to(engine.device)
        self.waiting = torch.zeros(len(noise), len(delays), engine.codes, device=engine.device)
        self._noise = log_waiting_times(noise, len(delays), engine.codes, engine.device)

    def pad_tail(self) -> None:
        """Leave what lies past the last frame as padding."""
        self.free &= (self._frame < self._frames).to(self.free.device)

    def take_noise(self) -> None:
        """The next draw's; apart from the draw, which may be recorded."""
        if self._guidance.sampling.temperature > 0:
            self.waiting.copy_(next(self._noise))

    def begin(self) -> None:
        """Read the prompt and draw what it predicts next."""
        logits = self._passage.read(self.reading[..., : self._known + 1])
        self._draw(logits, self._known)

    def go_on(self, position: int) -> None:
        """Read what was drawn last and draw what it predicts, at a position that the passage has come to."""
        codes = self.reading.index_select(2, self._passage.at)
        self._draw(self._passage.step(codes, position), position)

    def _draw(self, logits: Tensor, position: int) -> None:
        never = None
        if self._held_code is not None and position <= max(self._delays):
            never = torch.zeros(logits.shape[1:], dtype=torch.bool, device=logits.device)
            never[[k for k, delay in enumerate(self._delays) if delay == position], self._held_code] = True
        combined = self._guidance.combine(logits.float(), never)
        code = sample(combined, self._guidance.sampling, self.waiting)[..., None]
        column = self._passage.at  # the passage stands at the next position, whose column this is
        kept = self.reading.index_select(2, column)
        free = self.free.index_select(1, column)
        self.reading.index_copy_(2, column, torch.where(free, code, kept))


def sample(logits: Tensor, sampling: Sampling, waiting: Tensor) -> Tensor:
    """Draw one code per codebook: argmax(p / Exp(1)) over the top k, in logarithms.

    Args:
        logits: `[B, K, V]`.
        waiting: log of Exp(1), `[B, K, V]`.

    Returns:
        `[B, K]`.
    """
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    if sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    return (logits / sampling.temperature - waiting).argmax(dim=-1)


def log_waiting_times(
    noise: list[torch.Generator], codebooks: int, codes: int, device: torch.device | None = None
) -> Iterator[Tensor]:
    """Noise for step after step, log of Exp(1), `[B, K, V]`: each item's from its own CPU generator."""
    while True:
        drawn = [torch.empty(NOISE_STEPS, codebooks, codes).exponential_(generator=unit) for unit in noise]
        block = torch.stack(drawn, dim=1).log_()
        if device is not None and device.type == "cuda":  # from pinned memory nobody waits for the copy
            block = block.pin_memory().to(device, non_blocking=True)
        yield from block
