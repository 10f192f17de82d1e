"""Token-level control injection: gate times control, added to the hidden states of the shallow blocks (Eq. 6)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from narrascore.errors import UsageError
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.decoder import AddControl


def injected_blocks(blocks: int, injected_share: float, listed: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """The blocks after which the control is added: those listed, else the first `injected_share` of them all.

    Raises:
        UsageError: if the backbone has no such blocks.
    """
    if listed is None:
        return shallow_blocks(blocks, injected_share)
    if not listed or len(set(listed)) < len(listed) or not all(0 <= block < blocks for block in listed):
        raise UsageError(f"blocks={list(listed)}: name different blocks from 0 to {blocks - 1} of this music model")
    return tuple(sorted(listed))


def shallow_blocks(blocks: int, injected_share: float) -> tuple[int, ...]:
    """The first `injected_share` of the backbone's blocks; the paper's 0.75 of 24 is blocks 0 to 17.

    Raises:
        ValueError: if the share is not in (0, 1].
    """
    if not 0 < injected_share <= 1:
        raise ValueError(f"injected_share must be in (0, 1]: got {injected_share}; the paper uses 0.75")
    return tuple(range(max(1, round(blocks * injected_share))))


def all_gates(adapter: AffectAdapter) -> dict[int, Tensor]:
    """Block -> its gate. Training adds the control where a gate is zero too, so that the gate has a gradient."""
    return dict(zip(adapter.blocks, adapter.gates, strict=True))


def open_gates(adapter: AffectAdapter) -> dict[int, Tensor]:
    """The gates that are not exactly zero: a closed one adds nothing, bit for bit.

    Looking at a gate waits for the device, so this is asked once for a generation, not at every step.
    """
    values = adapter.gates.tolist()
    return {block: gate for (block, gate), value in zip(all_gates(adapter).items(), values, strict=True) if value != 0}


def inject(gates: Mapping[int, Tensor], control: Tensor) -> AddControl:
    """h' = h + gamma C for the blocks that have a gate (Eq. 6), the identity for the others.

    Args:
        gates: block -> gamma, by `open_gates`, or by `all_gates` in training.
        control: C of the positions in this pass, `[R, S, D]`; a row of zeros is a row without control.
    """

    def add_control(hidden: Tensor, block: int) -> Tensor:
        gate = gates.get(block)
        return hidden if gate is None else hidden + (gate * control).to(hidden.dtype)

    return add_control
