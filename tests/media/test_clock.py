"""Times that only rise."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import av
from hypothesis import given
from hypothesis import strategies as st

from narrascore.media.clock import PacketClock

Stamp = tuple[int | None, int | None, int]


def straightened(stamps: Sequence[Stamp]) -> tuple[PacketClock, list[tuple[int, int]]]:
    """Packets of (pts, dts, duration) in hundredths of a second, after the clock."""
    clock, result = PacketClock(), list[tuple[int, int]]()
    for pts, dts, duration in stamps:
        packet = av.Packet(b"x")
        packet.time_base = Fraction(1, 100)
        packet.pts, packet.dts, packet.duration = pts, dts, duration
        clock.straighten(packet)
        assert packet.pts is not None and packet.dts is not None
        result.append((packet.pts, packet.dts))
    return clock, result


def test_times_that_rise_are_left_alone() -> None:
    stamps = [(8, 0, 4), (16, 4, 4), (12, 8, 4), (20, 12, 4)]
    clock, times = straightened(stamps)
    assert times == [(pts, dts) for pts, dts, _ in stamps]
    assert clock.jumps == 0


def test_a_clock_that_starts_again_goes_on() -> None:
    clock, times = straightened([(0, 0, 100), (100, 100, 100), (200, 200, 100), (0, 0, 100), (100, 100, 100)])
    assert times == [(0, 0), (100, 100), (200, 200), (300, 300), (400, 400)]
    assert clock.jumps == 1


def test_missing_times_follow_their_predecessors() -> None:
    assert straightened([(0, 0, 4), (None, None, 4), (None, None, 4)])[1] == [(0, 0), (4, 4), (8, 8)]


def test_slips_are_counted_and_reordering_is_none() -> None:
    assert straightened([(0, 0, 4), (None, None, 4), (8, 8, 4), (12, 7, 4)])[0].slips == 2
    # Matroska gives the first pictures of a reordered stream no decoding time: what stands in for it is no slip.
    assert straightened([(0, None, 4), (16, None, 4), (8, 0, 4), (4, 4, 4)])[0].slips == 0


stamp = st.tuples(
    st.one_of(st.none(), st.integers(-500, 5000)), st.one_of(st.none(), st.integers(-500, 5000)), st.integers(0, 50)
)


@given(st.lists(stamp, min_size=1, max_size=30))
def test_decoding_times_rise_whatever_the_file_says(stamps: list[Stamp]) -> None:
    _, times = straightened(stamps)
    decoding = [dts for _, dts in times]
    assert all(before < after for before, after in pairwise(decoding))
