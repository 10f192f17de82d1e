"""A passage of music being decoded: the cache of what was read, and one step after another.

A step reads every weight and the whole cache once, so it is as fast as the memory is read. It is few calls on static
shapes: they depend on `Passage.at`, a tensor, and never on a number that changes from step to step, so a GPU can record
one step and replay it. On a CPU the cache grows by stretches, so that only what is filled is read.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from narrascore.synthesis.decoder import TextCondition
from narrascore.synthesis.engine import Engine
from narrascore.synthesis.wording import Wording

STRETCH = 64
"""Positions by which the cache grows: oneDNN makes a new kernel for every new shape, and copies what is not packed."""


class Passage:
    """A passage being decoded in R rows: what was read so far, and where it stands.

    Args:
        engine: its weights.
        text: sentences of the R rows, for all positions or in turns.
        positions: P, the most there will be.
        gates: block -> gamma, the open ones.
        control: C of every position, `[R, P, D]`.
        static: hold and read room for all positions from the first, as a recorded step must.

    Attributes:
        at: the positions read next, `[S]`; one, after the first reading.
    """

    def __init__(
        self,
        engine: Engine,
        text: TextCondition | Wording,
        positions: int,
        *,
        gates: Mapping[int, Tensor] | None = None,
        control: Tensor | None = None,
        static: bool = False,
    ) -> None:
        wording = text if isinstance(text, Wording) else Wording((text,))
        self.engine, self.rows = engine, wording.rows
        heads, device = engine.heads, engine.device
        empty = torch.zeros((self.rows * heads, 0, engine.width // heads), dtype=engine.cache_dtype, device=device)
        # On a CPU in fp32, two products with keys that lie across take half as long as torch's own attention, and in 16
        # bits twice as long.
        self.keys_across = engine.cache_dtype == torch.float32
        self.keys = [empty.mT if self.keys_across else empty for _ in engine.blocks]
        """Of each block, `[R * H, room, D / H]`, or `[R * H, D / H, room]` if they lie across."""
        self.values = [empty for _ in engine.blocks]
        """Of each block, `[R * H, room, D / H]`."""
        self.unread = torch.zeros(1, 1, 0, dtype=engine.cache_dtype, device=device)
        """Added to the scores, `[1, 1, room]`: nothing where the cache is filled, minus infinity where it is not."""
        self._grow(positions if static else 1)
        self.positions = engine.positions(positions)
        self.gates = {block: float(gate) for block, gate in (gates or {}).items()}
        self.control = None if control is None or not self.gates else control.to(engine.dtype)
        self.text = [
            [self._read_text(sentence, *parts) for sentence in wording.sentences] for parts in engine.text_projections
        ]
        self.shares = None if wording.shares is None else wording.shares.to(device, engine.cache_dtype)
        """How much each sentence counts, `[n, R, P]`."""
        self.at = torch.zeros(1, dtype=torch.long, device=device)

    def read(self, codes: Tensor) -> Tensor:
        """Read the first codes of the passage at once, `[B, K, S]`; R is B times the rows of guidance.

        Returns:
            What it predicts at the last of them, `[R, K, V]`.
        """
        return self._last(self.read_all(codes))

    def read_all(self, codes: Tensor) -> Tensor:
        """The same as `read`, with the hidden states of all S positions: `[R, S, D]`."""
        count = codes.shape[-1]
        at = torch.arange(count, device=self.engine.device)
        self._grow(count)
        unread = self.unread.repeat(1, count, 1)
        unread[..., :count] = torch.full_like(unread[..., :count], float("-inf")).triu(1)
        hidden = self._through_blocks(codes, at, unread)
        self.unread[..., :count] = 0
        self.at.fill_(count)
        return hidden

    def step(self, codes: Tensor, position: int) -> Tensor:
        """Read one position's codes, `[B, K, 1]`.

        Args:
            position: the number that `at` holds; the cache must have room for it.

        Returns:
            What it predicts, `[R, K, V]`.
        """
        self._grow(position + 1)
        self.unread.index_fill_(2, self.at, 0.0)
        hidden = self._through_blocks(codes, self.at, self.unread)
        self.at += 1
        return self._last(hidden)

    def fill_with_noise(self, count: int) -> None:
        """Stand where `count` positions were read, without reading any: for measuring what a step costs there."""
        self._grow(count)
        for keys, values in zip(self.keys, self.values, strict=True):
            (keys.mT if self.keys_across else keys)[:, :count].normal_()
            values[:, :count].normal_()
        self.unread[..., :count] = 0
        self.at.fill_(count)

    def predict(self, hidden: Tensor) -> Tensor:
        """Hidden states `[R, S, D]` -> logits `[R, S, K, V]`."""
        engine = self.engine
        flat = engine.logits(F.layer_norm(hidden, *engine.last_norm).flatten(0, 1))
        return flat.view(*hidden.shape[:2], engine.codebooks, engine.codes)

    def _last(self, hidden: Tensor) -> Tensor:
        return self.predict(hidden[:, -1:])[:, 0]

    def _grow(self, stop: int) -> None:
        """Make room for positions up to `stop`, in whole stretches."""
        more = -(-stop // STRETCH) * STRETCH - self.unread.shape[-1]
        if more > 0:
            self.keys = [F.pad(keys, (0, more) if self.keys_across else (0, 0, 0, more)) for keys in self.keys]
            self.values = [F.pad(values, (0, 0, 0, more)) for values in self.values]
            self.unread = F.pad(self.unread, (0, more), value=float("-inf"))

    def _through_blocks(self, codes: Tensor, at: Tensor, unread: Tensor) -> Tensor:
        engine, rows, count = self.engine, self.rows, codes.shape[-1]
        embedded = F.embedding(codes + engine.first_row, engine.table).sum(dim=1) + self.positions.index_select(0, at)
        # Every row of guidance reads the same codes.
        hidden = embedded.repeat(rows // len(codes), 1, 1).flatten(0, 1)
        control = None if self.control is None else self.control.index_select(1, at).flatten(0, 1)
        shares = None
        if self.shares is not None:
            shares = self.shares.index_select(2, at).repeat_interleave(engine.heads, dim=1)[..., None]
        for index, block in enumerate(engine.blocks):
            states = block.query_key_value(F.layer_norm(hidden, *block.norm))
            hidden.add_(block.out(self._attend(index, states, at, unread, count)))
            states = block.text_query(F.layer_norm(hidden, *block.text_norm))
            hidden.add_(block.text_out(self._attend_text(index, states, count, shares)))
            states = block.inner(F.layer_norm(hidden, *block.inner_norm))
            hidden.add_(block.outer(engine.activation(states)))
            gate = self.gates.get(index)
            if gate is not None and control is not None:
                hidden.add_(control, alpha=gate)
        return hidden.view(rows, count, -1)

    def _attend(self, index: int, states: Tensor, at: Tensor, unread: Tensor, count: int) -> Tensor:
        """Queries, keys and values `[R * S, 3 D]` -> what is attended to, `[R * S, D]`."""
        query, key, value = self._by_head(states.to(self.unread.dtype), count, 3)
        keys, values = self.keys[index], self.values[index]
        values.index_copy_(1, at, value)
        (keys.mT if self.keys_across else keys).index_copy_(1, at, key)
        return self._by_row(self._weigh(query, keys, values, unread), count)

    def _attend_text(self, index: int, states: Tensor, count: int, shares: Tensor | None) -> Tensor:
        """The same of text queries `[R * S, D]`; shares `[n, R * H, S, 1]` of what each sentence gives."""
        query = self._by_head(states.to(self.unread.dtype), count, 1)[0]
        told = [self._weigh(query, *sentence) for sentence in self.text[index]]
        attended = told[0]
        if shares is not None:
            attended = attended * shares[0]
            for other, share in zip(told[1:], shares[1:], strict=True):
                attended.addcmul_(other, share)
        return self._by_row(attended, count)

    def _weigh(self, query: Tensor, keys: Tensor, values: Tensor, hidden: Tensor) -> Tensor:
        """Values weighed by their keys' likeness to the query, `[R * H, S, D / H]`; `hidden` is added to the scores."""
        if self.keys_across:
            return torch.bmm(torch.baddbmm(hidden, query, keys).softmax(dim=-1), values)
        parts = query[None], keys[None], values[None]
        return F.scaled_dot_product_attention(*parts, attn_mask=hidden[None], scale=1.0)[0]

    def _by_head(self, states: Tensor, count: int, parts: int) -> Tensor:
        """`[R * S, H * parts * D / H]` -> `[parts, R * H, S, D / H]`; of one position, a view."""
        heads = self.engine.heads
        if count == 1:
            return states.view(self.rows * heads, parts, 1, -1).transpose(0, 1)
        split = states.view(self.rows, count, heads, parts, -1).permute(3, 0, 2, 1, 4)
        return split.reshape(parts, self.rows * heads, count, -1)

    def _by_row(self, attended: Tensor, count: int) -> Tensor:
        """`[R * H, S, D / H]` -> `[R * S, D]`."""
        if count == 1:
            return attended.view(self.rows, -1)
        return attended.view(self.rows, self.engine.heads, count, -1).transpose(1, 2).reshape(self.rows * count, -1)

    def _read_text(
        self, text: TextCondition, key: torch.nn.Linear, value: torch.nn.Linear
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A sentence's keys and values, which lie as a block's, once for the whole passage, and what is added to
        scores, `[R * H, 1, W]`: minus infinity where there is no word."""
        states, heads, dtype = text.states.to(key.weight), self.engine.heads, self.engine.cache_dtype
        split = [part(states).unflatten(-1, (heads, -1)).transpose(1, 2).flatten(0, 1) for part in (key, value)]
        keys, values = (part.to(dtype) for part in split)
        # A row without words has zero states, hence zero values: whatever the weights, it adds exactly nothing.
        worded = (text.mask | ~text.mask.any(dim=-1, keepdim=True)).to(states.device)
        unworded = torch.zeros(worded.shape, dtype=dtype, device=states.device).masked_fill(~worded, float("-inf"))
        keys = (keys.mT if self.keys_across else keys).contiguous()
        return keys, values.contiguous(), unworded.repeat_interleave(heads, 0)[:, None, :]
