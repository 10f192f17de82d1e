"""A limiter that sees peaks coming: nothing gets over the ceiling, and what is under it is not touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

MARGIN_DB = 0.4
"""The wave between the samples is seen at four points a sample; a ceiling this far under a promise keeps it."""

_TAPS = 16
_STEP_SAMPLES = 240
"""Gains are found every 5 ms (at 48 kHz)."""
_AHEAD_STEPS = 8
_ATTACK_DB = 2.5
"""Per step: the gain starts falling up to 40 ms before a peak, so that no peak meets a sudden gain."""
_RELEASE_DB = 0.08
"""Per step: 16 dB a second back up."""

Block = NDArray[np.float32]


def limited(blocks: Iterable[Block], channels: int, ceiling_db: float) -> Iterator[Block]:
    """Blocks `[C, n]` under a ceiling, as many samples in all; the blocks are of other lengths, some of none.

    Args:
        blocks: the sound.
        channels: C.
        ceiling_db: dBFS, for the wave between the samples too; `MARGIN_DB` under what a true-peak meter may show.
    """
    limiter = Limiter(channels, ceiling_db)
    for block in blocks:
        yield limiter.push(block)
    yield limiter.flush()


class Limiter:
    """Streams `[C, n]` blocks out again up to 45 ms of samples later; `flush` gives the rest.

    Each step of 240 samples asks for the gain that keeps its own peak under the ceiling. The gain at an edge between
    two steps is at most what either asks, what later steps ask plus the attack's slope, and what the last edge had plus
    the release's; between edges it runs straight, so it is never more than a step asks. All channels get the same gain.

    Args:
        channels: C.
        ceiling_db: as for `limited`.
    """

    def __init__(self, channels: int, ceiling_db: float) -> None:
        self.ceiling = 10 ** (ceiling_db / 20)
        self._pending = np.zeros((channels, 0), np.float32)  # whole steps, their gains not settled
        self._loose = np.zeros((channels, 0), np.float32)  # less than a step
        self._before = np.zeros((channels, _TAPS - 1), np.float32)
        self._asked_db = np.zeros(0)
        self._edge_db = 0.0

    def push(self, block: Block) -> Block:
        """Take the next block; give what is settled."""
        joined = np.concatenate([self._loose, block], axis=1)
        cut = joined.shape[1] - joined.shape[1] % _STEP_SAMPLES
        self._take(joined[:, :cut])
        self._loose = joined[:, cut:]
        return self._settle(len(self._asked_db) - _AHEAD_STEPS)

    def flush(self) -> Block:
        """The samples still held back."""
        loose = self._loose.shape[1]
        if loose:
            self._take(np.pad(self._loose, ((0, 0), (0, _STEP_SAMPLES - loose))))
            self._loose = self._loose[:, :0]
        rest = self._settle(len(self._asked_db))
        return rest[:, : rest.shape[1] - (_STEP_SAMPLES - loose)] if loose else rest

    def _take(self, steps: Block) -> None:
        peaks = self._peaks(steps).reshape(-1, _STEP_SAMPLES).max(axis=1, initial=0.0)
        asked = np.minimum(0.0, 20 * np.log10(self.ceiling / np.maximum(peaks, 1e-9)))
        self._asked_db = np.append(self._asked_db, asked)
        self._pending = np.concatenate([self._pending, steps], axis=1)

    def _peaks(self, block: Block) -> Block:
        """The wave's height at and between samples `[n]`; between comes 8 samples late, well within a step."""
        with_before = np.concatenate([self._before, block], axis=1)
        self._before = with_before[:, -(_TAPS - 1) :].copy()
        peaks: Block = np.abs(block).max(axis=0, initial=0.0)
        # Quiet blocks need no closer look: between samples, sound rises little over them.
        if peaks.max(initial=0.0) > self.ceiling / 2:
            for channel in with_before:
                for kernel in _BETWEEN:
                    peaks = np.maximum(peaks, np.abs(np.convolve(channel, kernel, mode="valid")))
        return peaks

    def _settle(self, steps: int) -> Block:
        if steps <= 0:
            return self._pending[:, :0]
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


def _between_kernels() -> list[Block]:
    """Windowed sinc interpolators for a quarter, a half and three quarters of a sample."""
    at = np.arange(_TAPS) - (_TAPS / 2 - 1)
    return [
        (np.sinc(at - share) * np.cos(np.pi * (at - share) / _TAPS) ** 2).astype(np.float32)
        for share in (0.25, 0.5, 0.75)
    ]


_BETWEEN = _between_kernels()
