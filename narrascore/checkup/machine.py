"""What the machine has: processor, memory, graphics card, and the FFmpeg that opens films."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from narrascore.checkup.check import Check
from narrascore.media.ffmpeg import SAFE, ffmpeg_version, is_safe
from narrascore.synthesis.matrices import SMALL, choose

EMBEDDED_BYTES = 2**30
"""What scoring a film of 720p takes at its peak, rounded up."""
PAPER_BYTES = 10 * 2**30
"""Likewise with VideoLLaMA3-2B in bf16 and MusicGen-Small in fp32."""
MEMORY_INFO, MEMORY_LIMIT = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")


def check_ffmpeg() -> Check:
    """FFmpeg inside PyAV, against the last known hole in it."""
    found, safe = ffmpeg_version(), ".".join(map(str, SAFE))
    told = f"{found} inside PyAV (wanted: {safe} or newer)"
    if is_safe(found):
        return Check("FFmpeg", "ok", told)
    return Check(
        "FFmpeg", "problem", told, "a film can attack an older one (CVE-2026-8461): pip install --upgrade av, its wheel"
    )


def check_processor() -> Check:
    """Cores and threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS")
    told = f"{cores} core(s) for this process, {torch.get_num_threads()} thread(s)"
    if asked:
        return Check("processor", "ok", f"{told}, as OMP_NUM_THREADS={asked} says")
    return Check("processor", "ok", told)


def check_instructions() -> Check:
    """Which instructions the music model is computed with."""
    found = [torch.backends.cpu.get_cpu_capability()]
    if choose("auto", torch.device("cpu"), torch.float32, weights=SMALL) != "bf16":
        told = f"{found[0]}, no bf16: the paper's music is computed in fp32, and slower"
        return Check("instructions", "note", told)
    found += ["bf16", *(["AMX"] if torch.cpu._is_amx_tile_supported() else [])]
    return Check("instructions", "ok", ", ".join(found))


def check_memory() -> Check:
    """What there is, for either system."""
    free = available_bytes()
    if free is None:
        return Check("memory", "note", "this system does not tell how much there is")
    told = f"{free / 2**30:.1f} GiB to be had"
    if free < EMBEDDED_BYTES:
        return Check("memory", "problem", told, f"close other programs: {EMBEDDED_BYTES >> 20} MiB are needed")
    if free < PAPER_BYTES:
        return Check("memory", "ok", f"{told}; the paper's system would want {PAPER_BYTES >> 30} GiB")
    return Check("memory", "ok", told)


def check_gpu() -> Check:
    """CUDA or Apple's MPS; the default system needs neither."""
    if torch.cuda.is_available():
        about = torch.cuda.get_device_properties(0)
        return Check("GPU", "ok", f"{about.name}, {about.total_memory / 2**30:.0f} GiB; --device auto takes it")
    if torch.backends.mps.is_available():
        return Check("GPU", "ok", "Apple MPS; --device mps takes it")
    return Check("GPU", "ok", "none, and none is needed; with one the paper's system is faster")


def available_bytes() -> int | None:
    """Memory that can be had without swapping, within the container's limit; None where the system does not tell."""
    if MEMORY_INFO.is_file():
        lines = dict(line.split(":", 1) for line in MEMORY_INFO.read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
        limit = MEMORY_LIMIT.read_text(encoding="ascii").strip() if MEMORY_LIMIT.is_file() else "max"
        return free if limit == "max" else min(free, int(limit))
    if sys.platform != "win32" and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
