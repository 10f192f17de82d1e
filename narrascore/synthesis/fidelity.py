"""How far the codes that an engine expects next are from the exact one's, on real music and under guidance."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.decoder import TextCondition
from narrascore.synthesis.decoding import Guidance
from narrascore.synthesis.delays import teacher_forcing
from narrascore.synthesis.engine import Engine
from narrascore.synthesis.injection import open_gates
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.passage import Passage


@dataclass(frozen=True)
class Divergence:
    """Of one engine from the exact one, over all codes of a window.

    Attributes:
        plain: mean KL(exact || engine) of the row with sentence and curve, in nats a code.
        guided: the same after guidance, at the temperature of sampling: what is drawn from.
        agreement: share of codes whose likeliest value under guidance is the same.
    """

    plain: float
    guided: float
    agreement: float


@torch.inference_mode()
def divergence(
    musicgen: FrozenMusicGen,
    engine: Engine,
    exact: Engine,
    codes: Tensor,
    sentence: str,
    adapter: AffectAdapter | None = None,
    control: Tensor | None = None,
) -> Divergence:
    """Read a window of music under both engines and compare what they expect next.

    Args:
        musicgen: whose decoder both engines hold; its guidance and temperature count, its plausibility rule does not.
        codes: the window, `[1, K, T]`.
        sentence: the window's own.
        adapter, control: gates and C of its T frames, `[1, T, D]`.
    """
    # The plausibility rule gives codes no probability at all, and of those no divergence can be had.
    guidance = Guidance(dataclasses.replace(musicgen.sampling, plausibility=0.0), steered=adapter is not None)
    inputs, _, known = teacher_forcing(codes, musicgen.delays, musicgen.bos)
    text = musicgen.encode_text([sentence])
    condition = TextCondition.stack([text if worded else text.without_words() for worded, _ in guidance.rows])
    gates = {} if adapter is None else open_gates(adapter)
    if control is not None:
        control = torch.cat([control if felt else torch.zeros_like(control) for _, felt in guidance.rows])
    told = []
    for each in (exact, engine):
        passage = Passage(each, condition, codes.shape[-1], gates=gates, control=control)
        logits = passage.predict(passage.read_all(inputs)).float()  # [R, T, K, V]
        guided = guidance.combine(logits) / (musicgen.sampling.temperature or 1.0)
        told.append([kind[0].transpose(0, 1)[known].log_softmax(dim=-1) for kind in (logits, guided)])
    (plain, guided), (own_plain, own_guided) = told
    return Divergence(_mean_kl(plain, own_plain), _mean_kl(guided, own_guided), _agreement(guided, own_guided))


def _mean_kl(expected: Tensor, got: Tensor) -> float:
    return float((expected.exp() * (expected - got)).sum(dim=-1).mean())


def _agreement(expected: Tensor, got: Tensor) -> float:
    return float((expected.argmax(dim=-1) == got.argmax(dim=-1)).float().mean())
