"""Token-level control injection: gate times control, added to the hidden states of the shallow blocks (Eq. 6)."""

from __future__ import annotations

from torch import Tensor

from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.decoder import AddControl


def shallow_blocks(blocks: int, injected_share: float) -> tuple[int, ...]:
    """The first `injected_share` of the backbone's blocks; the paper's 0.75 of 24 is blocks 0 to 17.

    Raises:
        ValueError: if the share is not in (0, 1].
    """
    if not 0 < injected_share <= 1:
        raise ValueError(f"injected_share must be in (0, 1]: got {injected_share}; the paper uses 0.75")
    return tuple(range(max(1, round(blocks * injected_share))))


def inject(adapter: AffectAdapter, control: Tensor, *, training: bool = False) -> AddControl:
    """h' = h + gamma C for the adapter's blocks (Eq. 6), the identity for the others.

    Args:
        adapter: its gates and blocks.
        control: C of the positions in this pass, `[R, S, D]`; a row of zeros is a row without control.
        training: add it even where a gate is zero, so that the gate has a gradient.
    """
    gates = dict(zip(adapter.blocks, adapter.gates, strict=True))
    open_gates = {block: gate for block, gate in gates.items() if training or gate.item() != 0}

    def add_control(hidden: Tensor, block: int) -> Tensor:
        gate = open_gates.get(block)
        return hidden if gate is None else hidden + (gate * control).to(hidden.dtype)

    return add_control
