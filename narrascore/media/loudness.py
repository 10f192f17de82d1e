"""Loudness, its range and true peak as broadcasters measure them (ITU-R BS.1770-4), over blocks of any length."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from narrascore.media.samples import Block, channels_of, to_frame

GATING_SECONDS = 0.4
"""The measure's gating block: there is no loudness of anything shorter."""

FLOOR_LUFS = -70.0
"""The measure's absolute gate, which FFmpeg reports where nothing passed it."""


MOMENTARY_HZ = 10
"""How often FFmpeg reports."""

MOMENTARY_STEPS = 4
"""How many reports the momentary loudness looks back on."""

MOST_POINTS = 240
"""Of a line that shows loudness over a whole film."""


@dataclass(frozen=True, eq=False)
class Loudness:
    """How loud sound is; -inf for silence.

    Attributes:
        lufs: integrated.
        true_peak_dbtp: the highest peak, between samples too; NaN where it was not looked for.
        range_lu: from its soft to its loud passages (EBU Tech 3342); 0 where it is too short to have both.
        momentary_lufs: `[n]`, at every tenth of a second, of the 400 ms before it; up to there, of the first 400 ms.
    """

    lufs: float
    true_peak_dbtp: float
    range_lu: float
    momentary_lufs: NDArray[np.float64]

    def turned(self, by_db: float) -> Loudness:
        """The same sound after a gain."""
        return Loudness(self.lufs + by_db, self.true_peak_dbtp + by_db, self.range_lu, self.momentary_lufs + by_db)

    def over_time(self, most: int = MOST_POINTS) -> list[float | None]:
        """Loudness of at most so many even stretches, first to last; None for silence."""
        stretches = np.array_split(10 ** (self.momentary_lufs / 10), min(most, len(self.momentary_lufs)) or 1)
        return [rounded(10 * math.log10(power.mean()), 1) if power.any() else None for power in stretches]


def rounded(decibels: float, digits: int = 2) -> float | None:
    """For a manifest: JSON has no infinity, so silence is None."""
    return round(decibels, digits) if math.isfinite(decibels) else None


def measure_loudness(blocks: Iterable[Block], sample_rate_hz: int, layout: str, *, peaks: bool = True) -> Loudness:
    """Measure a stream of blocks through FFmpeg's ebur128, whose peaks are oversampled to 192 kHz.

    Sound shorter than one gating block is measured as if it went on: it is repeated up to a second.

    Args:
        blocks: `[C, n]` float32.
        sample_rate_hz: of the blocks.
        layout: FFmpeg's name of the channels; surround channels count more, the LFE not at all.
        peaks: look for the true peak too, which takes more than three times as long; without, it is NaN.
    """
    meter = _Meter(sample_rate_hz, layout, peaks)
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
    def __init__(self, sample_rate_hz: int, layout: str, peaks: bool) -> None:
        self.samples, self._peaks = 0, peaks
        self._rate, self._layout = sample_rate_hz, layout
        self._found: dict[str, str] = {}
        self._momentary: list[float] = []
        self._graph = Graph()
        self._source = self._graph.add_abuffer(
            sample_rate=sample_rate_hz, format="flt", layout=layout, time_base=Fraction(1, sample_rate_hz)
        )
        self._sink = self._graph.add("abuffersink")
        meter = self._graph.add("ebur128", f"peak={'true' if peaks else 'none'}:metadata=1:framelog=quiet")
        self._graph.link_nodes(self._source, meter, self._sink).configure()

    def push(self, block: Block) -> None:
        if block.shape[1] == 0:
            return
        self._source.push(to_frame(block, self._layout, self._rate, self.samples))
        self.samples += block.shape[1]
        self._pull()

    def read(self) -> Loudness:
        if self.samples == 0:
            return Loudness(-math.inf, -math.inf, 0.0, np.zeros(0))
        # The filter reports every 100 ms: silence fills the last stretch, or its peaks would be missed.
        step = math.ceil(self._rate / MOMENTARY_HZ)
        reports = math.ceil(self.samples / step)
        self.push(np.zeros((channels_of(self._layout), 2 * step - self.samples % step), np.float32))
        self._source.push(None)
        self._pull()
        lufs = float(self._found.get("lavfi.r128.I", FLOOR_LUFS))
        peak = float(self._found.get("lavfi.r128.true_peak", 0.0))
        momentary = np.array(self._momentary[:reports])
        momentary[momentary <= FLOOR_LUFS] = -np.inf
        momentary[: MOMENTARY_STEPS - 1] = momentary[MOMENTARY_STEPS - 1]  # there is none before 400 ms have passed
        return Loudness(
            lufs=lufs if lufs > FLOOR_LUFS else -math.inf,
            true_peak_dbtp=(20 * math.log10(peak) if peak > 0 else -math.inf) if self._peaks else math.nan,
            range_lu=float(self._found.get("lavfi.r128.LRA", 0.0)),
            momentary_lufs=momentary,
        )

    def _pull(self) -> None:
        while True:
            try:
                told = self._sink.pull().metadata
            except (av.BlockingIOError, av.EOFError):
                return
            if told:
                self._found = told
                self._momentary.append(float(told["lavfi.r128.M"]))
