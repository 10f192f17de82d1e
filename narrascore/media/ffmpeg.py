"""The FFmpeg inside PyAV, which meets what strangers made."""

from __future__ import annotations

import re

import av

SAFE = (8, 1, 2)
"""The first version that closes CVE-2026-8461."""


def ffmpeg_version() -> str:
    """Such as `8.1.2`."""
    return str(av.ffmpeg_version_info)


def is_safe(version: str) -> bool:
    """Whether a version is new enough; one without a number, as builds off a branch have, is taken not to be."""
    numbers = re.match(r"n?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return numbers is not None and tuple(int(number or 0) for number in numbers.groups()) >= SAFE
