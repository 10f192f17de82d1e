"""The decoder prepared for playing: its weights held once, as a step wants them.

A packed matrix is a copy: beside the decoder that training differentiates, the engine takes its size again (exact),
half of it (bf16) or a quarter (int8).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import MusicgenForCausalLM

from narrascore.synthesis.decoder import positions
from narrascore.synthesis.matrices import SMALL, EngineName, Matrix, choose, hold

Norm = tuple[tuple[int], Tensor, Tensor, float]
"""What `F.layer_norm` takes beside the states."""


class Block(NamedTuple):
    """One of the decoder's blocks."""

    norm: Norm
    query_key_value: Matrix
    out: Matrix
    text_norm: Norm
    text_query: Matrix
    text_out: Matrix
    inner_norm: Norm
    inner: Matrix
    outer: Matrix


class Engine:
    """A frozen decoder's weights, prepared once.

    Attributes:
        name: `exact`, `bf16` or `int8`.
        dtype: of the hidden states between the blocks, and of the logits.
        cache_dtype: of keys and values.
        made_for: (name, device, dtype) of the decoder; another needs another engine.
        threads: that a step is computed with on a CPU; None leaves it to torch.
    """

    def __init__(self, model: MusicgenForCausalLM, name: str = "auto") -> None:
        config, decoder = model.config, model.model.decoder
        weight = model.lm_heads[0].weight
        self.device = weight.device
        size = weights_of(model)
        self.name: EngineName = choose(name, weight.device, weight.dtype, size)
        self.made_for = (self.name, weight.device, weight.dtype)
        on_cpu = weight.device.type == "cpu"
        self.cache_dtype = weight.dtype if self.name == "exact" else torch.bfloat16
        # Sums over all blocks stay in fp32 where that costs nothing.
        self.dtype = weight.dtype if self.name == "exact" else torch.float32 if on_cpu else torch.bfloat16
        self.bos, self.codes = int(config.bos_token_id), int(config.vocab_size)
        self.codebooks, self.width = int(config.num_codebooks), int(config.hidden_size)
        self.heads = int(config.num_attention_heads)
        self.activation = decoder.layers[0].activation_fn
        self.blocks = [self._block(layer) for layer in decoder.layers]
        self.text_projections = [(layer.encoder_attn.k_proj, layer.encoder_attn.v_proj) for layer in decoder.layers]
        self.last_norm = self._norm(decoder.layer_norm)
        # Guidance multiplies the differences of the rows' logits, and rounding with them: the heads stay exact.
        self.logits = hold(torch.cat([head.weight for head in model.lm_heads]).to(self.dtype), "exact")
        tables = [table.weight.detach() for table in decoder.embed_tokens]
        self.table = torch.cat(tables).to(self.dtype)
        self.first_row = torch.arange(self.codebooks, device=self.device)[:, None] * len(tables[0])
        self._decoder = decoder
        self.threads = 1 if on_cpu and size < SMALL else None

    def positions(self, count: int) -> Tensor:
        """The first `count` positions' vectors, `[count, D]`."""
        return positions(self._decoder, count).to(self.dtype)

    @contextlib.contextmanager
    def own_threads(self) -> Iterator[None]:
        """Compute with as many threads as the decoder's size pays for."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _block(self, layer: Any) -> Block:
        attention, text, width = layer.self_attn, layer.encoder_attn, self.width // self.heads
        scale = width**-0.5
        # Rows of the fused matrix go head by head, [H, 3, D / H]: a step's queries, keys and values are then views.
        parts = [attention.q_proj.weight * scale, attention.k_proj.weight, attention.v_proj.weight]
        fused = torch.stack([part.detach().view(self.heads, width, -1) for part in parts], dim=1).flatten(0, 2)
        return Block(
            self._norm(layer.self_attn_layer_norm),
            hold(fused, self.name),
            hold(attention.out_proj.weight, self.name),
            self._norm(layer.encoder_attn_layer_norm),
            hold(text.q_proj.weight * scale, self.name),
            hold(text.out_proj.weight, self.name),
            self._norm(layer.final_layer_norm),
            hold(layer.fc1.weight, self.name),
            hold(layer.fc2.weight, self.name),
        )

    def _norm(self, norm: torch.nn.LayerNorm) -> Norm:
        return (self.width,), norm.weight.detach().to(self.dtype), norm.bias.detach().to(self.dtype), norm.eps


def weights_of(model: MusicgenForCausalLM) -> int:
    """How many there are."""
    return sum(int(parameter.numel()) for parameter in model.parameters())
