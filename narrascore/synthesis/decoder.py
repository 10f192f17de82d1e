"""One forward pass of MusicGen's decoder over a whole window, on the library's own weights: embeddings, blocks, heads.

It is what training differentiates, and ours and not the library's because the adapter adds its control between the
blocks (Eq. 6). Music is played by `engine`, position after position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import MusicgenForCausalLM

AddControl = Callable[[Tensor, int], Tensor]
"""(hidden states `[R, S, D]` after block l, l) -> steered hidden states."""


@dataclass(frozen=True)
class TextCondition:
    """Sentences as the decoder's cross-attention reads them.

    Attributes:
        states: `[R, W, D]`, zero where there is no word, so that a row without a sentence attends to nothing.
        mask: `[R, W]` boolean, true where there is a word.
    """

    states: Tensor
    mask: Tensor

    def without_words(self) -> TextCondition:
        """The same shape with no sentence in any row."""
        return TextCondition(torch.zeros_like(self.states), torch.zeros_like(self.mask))

    def drop(self, rows: Tensor) -> TextCondition:
        """The same with the sentences of `rows` `[R]` (boolean) taken away."""
        keep = ~rows
        return TextCondition(self.states * keep[:, None, None].to(self.states), self.mask & keep[:, None])

    @staticmethod
    def stack(parts: list[TextCondition]) -> TextCondition:
        """Rows one after the other."""
        return TextCondition(torch.cat([p.states for p in parts]), torch.cat([p.mask for p in parts]))


Module = Any
"""A module of the library's, whose parts its annotations do not name."""


def run_decoder(
    model: MusicgenForCausalLM,
    inputs: Tensor,
    text: TextCondition,
    *,
    add_control: AddControl | None = None,
    checkpointing: bool = False,
) -> Tensor:
    """Predict the next codes of every position.

    Args:
        model: the library's decoder with its heads.
        inputs: delayed codes of a whole window, `[R, K, S]`, ids 0..V (V is BOS and PAD).
        text: sentences of the R rows.
        add_control: called after each block.
        checkpointing: recompute blocks in the backward pass to save memory.

    Returns:
        Logits `[R, K, S, V]`.
    """
    decoder = model.model.decoder
    hidden = sum_embeddings(decoder, inputs) + positions(decoder, inputs.shape[-1])
    allowed = text.mask[:, None, None, :]
    for index, layer in enumerate(decoder.layers):
        if checkpointing and torch.is_grad_enabled():
            hidden = checkpoint(_block, layer, hidden, text.states, allowed, use_reentrant=False)
        else:
            hidden = _block(layer, hidden, text.states, allowed)
        if add_control is not None:
            hidden = add_control(hidden, index)
    hidden = decoder.layer_norm(hidden)
    return torch.stack([head(hidden) for head in model.lm_heads], dim=1)


def sum_embeddings(decoder: Module, inputs: Tensor) -> Tensor:
    """Each position's codes as one vector: `[R, K, S]` ids -> `[R, S, D]`."""
    parts = [table(inputs[:, k]) for k, table in enumerate(decoder.embed_tokens)]
    return torch.stack(parts).sum(dim=0)


def positions(decoder: Module, count: int) -> Tensor:
    """Sinusoidal positions 0..count-1, `[count, D]`."""
    table = decoder.embed_positions
    if count > table.weights.shape[0]:
        table.make_weights(count, table.embedding_dim)
    weights: Tensor = table.weights[:count]
    return weights.to(decoder.layer_norm.weight.dtype)


def _block(layer: Module, hidden: Tensor, text: Tensor, allowed: Tensor) -> Tensor:
    hidden = hidden + _self_attention(layer.self_attn, layer.self_attn_layer_norm(hidden))
    hidden = hidden + _text_attention(layer.encoder_attn, layer.encoder_attn_layer_norm(hidden), text, allowed)
    inner = layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden)))
    result: Tensor = hidden + layer.fc2(inner)
    return result


def _self_attention(attention: Module, hidden: Tensor) -> Tensor:
    query, key, value = (_heads(attention, part(hidden)) for part in _projections(attention))
    return _merge(attention, F.scaled_dot_product_attention(query, key, value, is_causal=True))


def _text_attention(attention: Module, hidden: Tensor, text: Tensor, allowed: Tensor) -> Tensor:
    query = _heads(attention, attention.q_proj(hidden))
    key, value = _heads(attention, attention.k_proj(text)), _heads(attention, attention.v_proj(text))
    # A row without words has zero states, hence zero values: whatever the weights, it adds exactly nothing.
    allowed = allowed | ~allowed.any(dim=-1, keepdim=True)
    return _merge(attention, F.scaled_dot_product_attention(query, key, value, attn_mask=allowed))


def _projections(attention: Module) -> tuple[Module, Module, Module]:
    return attention.q_proj, attention.k_proj, attention.v_proj


def _heads(attention: Module, states: Tensor) -> Tensor:
    rows, count, _ = states.shape
    return states.view(rows, count, int(attention.num_heads), int(attention.head_dim)).transpose(1, 2)


def _merge(attention: Module, heads: Tensor) -> Tensor:
    rows, _, count, _ = heads.shape
    result: Tensor = attention.out_proj(heads.transpose(1, 2).reshape(rows, count, -1))
    return result
