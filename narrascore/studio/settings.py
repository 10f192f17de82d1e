"""What a user can choose about the studio; it loads nothing, so a command line may import it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from narrascore.parts import SystemSettings


@dataclass(frozen=True, kw_only=True)
class StudioSettings(SystemSettings):
    """The settings of `configs/studio.yaml`.

    Attributes:
        folder: where films, what was asked of them and results are kept; a studio started again finds them there.
        host: the address that the page answers at, on this machine.
        port: of the page; None is the first free one from 7860 on.
        max_upload_mib: a larger film is refused.
        keep_hours: an upload that never became a film is deleted after so long, and when the studio ends.
        open_browser: show the page at once.

    Raises:
        ValueError: if a number makes no sense, the address is seen by others, or keyframes would leave this machine.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int | None = None
    max_upload_mib: int = 4096
    keep_hours: float = 6.0
    open_browser: bool = False

    def __post_init__(self) -> None:
        if not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host}: the studio has no passwords, so it answers this machine alone; from another one "
                "use a tunnel, such as ssh -L 7860:127.0.0.1:7860 MACHINE, and open http://127.0.0.1:7860 there"
            )
        if self.anchor.reader == "api":
            raise ValueError(
                "anchor.reader api: the studio sends nothing to other machines; choose cinematic or vlm, or use "
                "narrascore score"
            )
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ValueError(f"port lies in 1..65535: got {self.port}")
        if self.max_upload_mib < 1 or self.keep_hours <= 0:
            raise ValueError(
                f"max_upload_mib and keep_hours are positive: got {self.max_upload_mib} and {self.keep_hours}"
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return address.is_loopback
