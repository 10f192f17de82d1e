"""The exact rate of a film's pictures, where they stand evenly: 24000/1001 and not 23.976."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

HIGHEST_HZ = 240
"""A stated rate above this is the clock's, not the pictures'."""

NEAR = Fraction(1, 100_000)
"""Files write 24000/1001 as 23.976, or as what whole milliseconds make of it; 24 lies a hundred times as far off."""


class FrameGrid:
    """Follows the presentation times of a stream and keeps the rates on whose grid all of them stand.

    A container states rates but is not bound to them: a telephone's film of a variable rate claims 30. So each stated
    rate is tried on the times themselves, which a container's clock may have rounded by one tick:

        grid of 25 Hz     |     |     |     |     |      in ms     0  40  80 120 160
        even              x     x     x     x     x      in MKV    0  40  80 120 160
        even, one held    x     x           x     x
        variable          x   x     x        x    x

    Args:
        stated: rates in Hz, the likeliest first; None and nonsense are passed over.
        tick_seconds: the clock's step.
    """

    def __init__(self, stated: Iterable[Fraction | None], tick_seconds: Fraction) -> None:
        rates = [rate for rate in stated if rate is not None and 0 < rate <= HIGHEST_HZ]
        self._rates = dict.fromkeys(each for rate in rates for each in (_standard(rate), rate))
        self._tick = tick_seconds
        self._first: int | None = None

    def see(self, ticks: int) -> None:
        """Take the next picture's time; the order does not matter."""
        if self._first is None:
            self._first = ticks
        self._rates = {rate: None for rate in self._rates if self._is_on_grid(ticks - self._first, rate)}

    def rate(self, stop_ticks: int) -> Fraction | None:
        """The rate in Hz, once every picture was seen and the last one's end is known; None if it is variable."""
        last = stop_ticks - (self._first or 0)
        # The end is a time and a duration, each of them rounded.
        return next((rate for rate in self._rates if self._is_on_grid(last, rate, rounded=2)), None)

    def _is_on_grid(self, ticks: int, rate: Fraction, rounded: int = 1) -> bool:
        per_tick = self._tick * rate  # a tick in frames
        off = ticks * per_tick.numerator % per_tick.denominator
        allowed = min(rounded * per_tick.numerator, per_tick.denominator // 4)
        return min(off, per_tick.denominator - off) <= allowed


def _standard(rate: Fraction) -> Fraction:
    """The whole or NTSC rate that is meant, if the one stated is next to it."""
    for standard in (Fraction(round(rate)), Fraction(1000, 1001) * round(rate * Fraction(1001, 1000))):
        if abs(standard - rate) <= NEAR * rate:
            return standard
    return rate
