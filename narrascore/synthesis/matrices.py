"""How the decoder's matrices are held, so that a step, which reads each of them once, reads fewer bytes.

A step multiplies every matrix with a handful of rows, so its time is the time to read them: 4 bytes a weight as they
are, 2 in bf16, 1 in int8.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from narrascore.errors import UsageError

EngineName = Literal["auto", "exact", "bf16", "int8"]
"""`exact` computes in the decoder's own dtype; the others hold its matrices in fewer bits; `auto` is `choose`d."""
Matrix = Callable[[Tensor], Tensor]
"""`[M, D_in]` -> `[M, D_out]`."""
SMALL = 50_000_000
"""Weights under which a step is calls more than reading, and a second thread only waits for the first."""
STEP_ROWS = 4
"""Rows of a usual step, for which oneDNN chooses a layout; other counts are computed too."""
MIDDLE, LARGE = 500_000, 2_000_000
"""Weights of a matrix that comes from memory at every step, and of one that takes longer to read than its states take
to be made int8. Smaller ones than both stay in the cache, and calls count."""
STEPS = 127
"""What int8 holds of either sign."""
FEW_ROWS = 6
"""With more rows than these a small matrix of int8 is multiplied in bf16: its kernel takes row by row."""


def choose(name: str, device: torch.device, dtype: torch.dtype, weights: int) -> EngineName:
    """What `auto` means for a decoder of so many weights on a device, and any other name as it is.

    On a CPU a small decoder is played from int8: a step is a third faster than an exact one, and the next code of the
    embedded model is what it was (benchmarks/decode.py). A large one is played from bf16: it is as fast as int8 beside
    other films and nearly so alone, and how far int8 is from exact there nobody has measured.

    Raises:
        UsageError: if there is no such engine there.
    """
    if name not in get_args(EngineName):
        raise UsageError(f"engine {name!r}: choose one of {', '.join(get_args(EngineName))}")
    if name == "int8" and device.type != "cpu":
        raise UsageError(f"engine int8 on {device.type}: it is for the CPU; choose auto, exact or bf16")
    if name != "auto":
        return name  # type: ignore[return-value]
    if device.type == "cuda":
        return "bf16" if dtype == torch.float32 and torch.cuda.is_bf16_supported() else "exact"
    if device.type != "cpu" or dtype == torch.float16 or not _computes_bf16():
        return "exact"
    return "int8" if weights < SMALL else "bf16"


def hold(weight: Tensor, name: EngineName) -> Matrix:
    """A matrix `[D_out, D_in]` without a bias, held as an engine wants it.

    Returns:
        The product with it, in bf16 but for `exact` and for large int8, whatever the dtype of what it is given.
    """
    weight = weight.detach()
    if name == "exact":
        if weight.device.type != "cpu":
            return lambda states: F.linear(states, weight)
        if weight.numel() >= MIDDLE:
            return _packed(weight)
        across = weight.T.contiguous()
        return lambda states: states @ across
    if name == "int8":
        return _int8(weight)
    half = weight.bfloat16()
    product = _packed(half) if half.device.type == "cpu" else lambda states: F.linear(states, half)
    return lambda states: product(states.bfloat16())


def _packed(weight: Tensor) -> Matrix:
    """In oneDNN's own layout, which even in fp32 is read twice as fast as rows of a plain matrix."""
    if not _packs(weight.dtype):
        return lambda states: F.linear(states, weight)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), STEP_ROWS)
    multiply = torch.ops.mkldnn._linear_pointwise.default
    return lambda states: multiply(states, packed, None, "none", [], "")


def _int8(weight: Tensor) -> Matrix:
    """Rounded to int8 with a scale for each output."""
    scale = weight.float().abs().amax(dim=1).clamp(min=1e-12) / STEPS
    rounded = (weight.float() / scale[:, None]).round().to(torch.int8)
    if weight.numel() >= MIDDLE and _multiplies_int8():
        return _in_two_parts(rounded, scale) if weight.numel() >= LARGE else hold(weight, "bf16")
    half_scale = scale.bfloat16()
    multiply = torch.ops.aten._weight_int8pack_mm.default
    of_many = cache(lambda: hold(rounded, "bf16"))  # bf16 holds every int8; a second copy only where it is needed

    def product(states: Tensor) -> Tensor:
        states = states.bfloat16()
        if len(states) > FEW_ROWS:
            return of_many()(states) * half_scale
        result: Tensor = multiply(states, rounded, half_scale)
        return result

    return product


def _in_two_parts(weight: Tensor, scale: Tensor) -> Matrix:
    """By the processor's own products of int8, which read a large matrix as fast as the memory gives it.

    States go in as two int8 parts, one below the other: what int8 holds of them, and what that leaves, 254 times finer.
    Both are multiplied exactly, so states count to 15 bits, where bf16 holds 8. The parts are made in as few calls as
    can be: on so little data calls are what costs.
    """
    packed = torch.ops.onednn.qlinear_prepack(weight, None)
    no_shift = torch.zeros(len(weight), dtype=torch.int32)
    multiply = torch.ops.onednn.qlinear_pointwise.default

    def product(states: Tensor) -> Tensor:
        states = states.float()
        step = torch.linalg.vector_norm(states, torch.inf, dim=1, keepdim=True).clamp_(min=1e-30).div_(STEPS)
        scaled = states / step
        coarse = scaled.round()
        parts = torch.cat([coarse, scaled.sub_(coarse).mul_(2 * STEPS)]).to(torch.int8)
        both: Tensor = multiply(parts, 1.0, 0, packed, scale, no_shift, None, 1.0, 0, torch.float32, "none", [], "")
        first, second = both.chunk(2)
        return first.add_(second, alpha=0.5 / STEPS).mul_(step)

    return product


def _packs(dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies this dtype here; elsewhere than on x86 torch's own product serves."""
    if platform.machine() not in ("x86_64", "AMD64") or not torch._C._has_mkldnn:
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _multiplies_int8() -> bool:
    """Whether the processor has products of int8 that add up in 32 bits (VNNI or AMX); without, they could saturate."""
    return platform.machine() in ("x86_64", "AMD64") and torch._C._has_mkldnn and torch.cpu._is_vnni_supported()


def _computes_bf16() -> bool:
    """Whether the processor multiplies bf16 itself (AVX512_BF16 or AMX); without, bf16 is slower than fp32."""
    return _packs(torch.bfloat16) and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
