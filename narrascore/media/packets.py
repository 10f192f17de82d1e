"""One stream's packets, in the order of the file, as far as the file goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av

from narrascore.media.clock import PacketClock
from narrascore.media.watchdog import beat


def read_packets(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets on a clock that only rises, up to where the file ends or breaks off.

    Empty ones are left out: in the middle they say that nothing changed, which a decoder would take for the end.
    """
    clock, packets = PacketClock(), container.demux(stream)
    while True:
        beat()
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size or packet.dts is not None:
            clock.straighten(packet)
        if packet.size:
            yield packet
