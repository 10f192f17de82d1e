"""A soft limiter: nothing gets over the ceiling, and what is under it is not touched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CEILING = 10 ** (-1.4 / 20)
"""For the wave between the samples too, as four points a sample show it; a little under the promised -1 dB."""
_TAPS = 16
_STEP_SAMPLES = 240
"""Gains are found every 5 ms."""
_AHEAD_STEPS = 8
_ATTACK_DB = 2.5
"""Per step: the gain starts falling up to 40 ms before a peak, so that no peak meets a sudden gain."""
_RELEASE_DB = 0.08
"""Per step: 16 dB a second back up."""


def _between_kernels() -> list[NDArray[np.float32]]:
    """Windowed sinc interpolators for a quarter, a half and three quarters of a sample."""
    at = np.arange(_TAPS) - (_TAPS / 2 - 1)
    return [
        (np.sinc(at - share) * np.cos(np.pi * (at - share) / _TAPS) ** 2).astype(np.float32)
        for share in (0.25, 0.5, 0.75)
    ]


_BETWEEN = _between_kernels()


class Limiter:
    """Streams `[2, N]` blocks, N a multiple of 240, out again 40 ms of samples later; `flush` gives the rest.

    Each step of 5 ms asks for the gain that keeps its own peak under the ceiling. The gain at an edge between two steps
    is at most what either asks, what later steps ask plus the attack's slope, and what the last edge had plus the
    release's; between edges it runs straight, so it is never more than a step asks.
    """

    def __init__(self) -> None:
        self._pending = np.zeros((2, 0), np.float32)
        self._before = np.zeros((2, _TAPS - 1), np.float32)
        self._asked_db = np.zeros(0)
        self._last_asked_db = 0.0
        self._edge_db = 0.0

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next block; give what is settled."""
        peaks = self._peaks(block).reshape(-1, _STEP_SAMPLES).max(axis=1, initial=0.0)
        asked = np.minimum(0.0, 20 * np.log10(CEILING / np.maximum(peaks, 1e-9)))
        self._asked_db = np.append(self._asked_db, asked)
        self._pending = np.concatenate([self._pending, block], axis=1)
        return self._settle(len(self._asked_db) - _AHEAD_STEPS)

    def flush(self) -> NDArray[np.float32]:
        """The samples still held back."""
        return self._settle(len(self._asked_db))

    def _peaks(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The wave's height at and between samples `[N]`; between comes 8 samples late, well within a step."""
        with_before = np.concatenate([self._before, block], axis=1)
        self._before = with_before[:, -(_TAPS - 1) :].copy()
        peaks: NDArray[np.float32] = np.abs(block).max(axis=0, initial=0.0)
        # Quiet blocks need no closer look: between samples, music rises little over them.
        if peaks.max(initial=0.0) > CEILING / 2:
            for channel in with_before:
                for kernel in _BETWEEN:
                    peaks = np.maximum(peaks, np.abs(np.convolve(channel, kernel, mode="valid")))
        return peaks

    def _settle(self, steps: int) -> NDArray[np.float32]:
        if steps <= 0:
            return np.zeros((2, 0), np.float32)
        # ahead[i] for edge i + 1: the smallest of what the steps from i + 1 on ask, each plus its distance in attack.
        padded = np.append(self._asked_db, np.zeros(_AHEAD_STEPS + 1))
        ahead = np.min([padded[1 + j : 1 + j + steps] + j * _ATTACK_DB for j in range(_AHEAD_STEPS)], axis=0)
        wanted = np.minimum(ahead, self._asked_db[:steps])
        edges = [min(self._edge_db, float(self._asked_db[0]))]
        for value in wanted.tolist():
            edges.append(min(value, edges[-1] + _RELEASE_DB))
        self._edge_db = edges[-1]
        samples = steps * _STEP_SAMPLES
        out, self._pending = self._pending[:, :samples], self._pending[:, samples:].copy()
        self._asked_db = self._asked_db[steps:]
        if min(edges) >= 0:
            return np.array(out)
        gains = (10 ** (np.array(edges) / 20)).astype(np.float32)
        share = np.arange(_STEP_SAMPLES, dtype=np.float32) / np.float32(_STEP_SAMPLES)
        return np.asarray(out * (gains[:-1, None] + (gains[1:] - gains[:-1])[:, None] * share).reshape(-1))
