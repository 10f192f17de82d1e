"""Memory between the stages of a job."""

from __future__ import annotations

import ctypes
import sys


def return_freed_memory() -> None:
    """Give the system back what the C library keeps of freed memory, or a stage lives on top of what the one before it
    no longer needs. Only glibc can be asked."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
