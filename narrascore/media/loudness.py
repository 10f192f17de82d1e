"""Loudness and true peak as broadcasters measure them (ITU-R BS.1770-4), over blocks of any length."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from narrascore.media.samples import Block, channels_of, to_frame

GATING_SECONDS = 0.4
"""The measure's gating block: there is no loudness of anything shorter."""

FLOOR_LUFS = -70.0
"""The measure's absolute gate, which FFmpeg reports where nothing passed it."""


@dataclass(frozen=True)
class Loudness:
    """Integrated loudness and true peak; -inf each for silence."""

    lufs: float
    true_peak_dbtp: float


def measure_loudness(blocks: Iterable[Block], sample_rate_hz: int, layout: str) -> Loudness:
    """Measure a stream of blocks through FFmpeg's ebur128, whose peaks are oversampled to 192 kHz.

    Sound shorter than one gating block is measured as if it went on: it is repeated up to a second.

    Args:
        blocks: `[C, n]` float32.
        sample_rate_hz: of the blocks.
        layout: FFmpeg's name of the channels; surround channels count more, the LFE not at all.
    """
    meter = _Meter(sample_rate_hz, layout)
    head: list[Block] = []
    samples = 0
    for block in blocks:
        samples += block.shape[1]
        head.append(block)
        if samples >= GATING_SECONDS * sample_rate_hz:
            for kept in head:
                meter.push(kept)
            head = []
    if samples and not meter.samples:
        meter.push(np.tile(np.concatenate(head, axis=1), (1, math.ceil(sample_rate_hz / samples))))
    return meter.read()


class _Meter:
    def __init__(self, sample_rate_hz: int, layout: str) -> None:
        self.samples = 0
        self._rate, self._layout = sample_rate_hz, layout
        self._found: dict[str, str] = {}
        self._graph = Graph()
        self._source = self._graph.add_abuffer(
            sample_rate=sample_rate_hz, format="flt", layout=layout, time_base=Fraction(1, sample_rate_hz)
        )
        self._sink = self._graph.add("abuffersink")
        meter = self._graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
        self._graph.link_nodes(self._source, meter, self._sink).configure()

    def push(self, block: Block) -> None:
        if block.shape[1] == 0:
            return
        self._source.push(to_frame(block, self._layout, self._rate, self.samples))
        self.samples += block.shape[1]
        self._pull()

    def read(self) -> Loudness:
        if self.samples == 0:
            return Loudness(-math.inf, -math.inf)
        # The filter reports every 100 ms: silence fills the last stretch, or its peaks would be missed.
        step = math.ceil(self._rate / 10)
        self.push(np.zeros((channels_of(self._layout), 2 * step - self.samples % step), np.float32))
        self._source.push(None)
        self._pull()
        lufs = float(self._found.get("lavfi.r128.I", FLOOR_LUFS))
        peak = float(self._found.get("lavfi.r128.true_peak", 0.0))
        return Loudness(
            lufs=lufs if lufs > FLOOR_LUFS else -math.inf,
            true_peak_dbtp=20 * math.log10(peak) if peak > 0 else -math.inf,
        )

    def _pull(self) -> None:
        while True:
            try:
                self._found = self._sink.pull().metadata or self._found
            except (av.BlockingIOError, av.EOFError):
                return
