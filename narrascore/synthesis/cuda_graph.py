"""A step recorded on the GPU once and replayed: it is hundreds of calls, and making one takes longer than its work."""

from __future__ import annotations

from collections.abc import Callable

import torch


class Recording:
    """A function of no arguments that works on tensors which stay where they are, as one CUDA graph; run once.

    Args:
        step: has run before, so that its kernels are loaded.
    """

    def __init__(self, step: Callable[[], None]) -> None:
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            step()
        self.replay()  # recording computes nothing

    def replay(self) -> None:
        """Run it again on what the tensors now hold."""
        self._graph.replay()
