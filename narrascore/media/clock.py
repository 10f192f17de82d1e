"""Presentation times that only rise, for streams whose own times do not."""

from __future__ import annotations

from fractions import Fraction

import av.packet
import av.stream

JUMP_SECONDS = 1.0
"""A step back by more is a new start of the clock (joined recordings); by less, a writer's slip."""

REORDER_PACKETS = 16
"""The most pictures that may be decoded before the one shown first, in H.264 and HEVC."""


class PacketClock:
    """Rewrites the times of one stream's packets, in the order of the file, so that decoding times rise.

    A missing decoding time follows its predecessor, a missing presentation time equals the decoding time, and where
    the clock starts again the rest is moved so that it goes on:

    times in the file   0 40 80 120 | 0 40 80
    times given back    0 40 80 120 160 200 240

    Attributes:
        jumps: how often it started again.
        slips: packets without any time, or a little before their predecessor.
    """

    def __init__(self) -> None:
        self.jumps, self.slips = 0, 0
        self._shift = 0
        self._last: int | None = None
        self._step = 1
        self._guessed = False

    def straighten(self, packet: av.packet.Packet[av.stream.Stream]) -> None:
        """Rewrite `pts` and `dts` of the next packet in place; `pts` moves only where the clock starts again."""
        pts, dts, guessed = packet.pts, packet.dts, packet.dts is None
        if dts is None:
            self.slips += pts is None
            dts = self._guess(pts)
        else:
            dts += self._shift
        if self._last is not None and dts <= self._last:
            back_seconds = (self._last - dts) * (packet.time_base or Fraction(1))
            step = self._last + self._step - dts
            if back_seconds > JUMP_SECONDS:
                self.jumps += 1
                self._shift += step
                dts += step
            else:
                self.slips += not self._guessed
                dts = self._last + 1
        if (packet.duration or 0) > 0:
            self._step = packet.duration or 1
        elif self._last is not None:
            self._step = max(1, dts - self._last)
        self._last, self._guessed = dts, guessed
        packet.dts = dts
        packet.pts = dts if pts is None else pts + self._shift

    def _guess(self, pts: int | None) -> int:
        """A decoding time for a packet without one: right after its predecessor, or well before the first picture."""
        if self._last is not None:
            return self._last + self._step
        return 0 if pts is None else pts - REORDER_PACKETS * self._step
