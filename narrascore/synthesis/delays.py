"""MusicGen's delay pattern: which frame of which codebook is read and predicted at each forward position.

With delays (0, 1, 2, ...) position p predicts codebook k of frame p - delay[k], and reads what was predicted before it:

    position p        0       1       2       3
    reads codebook 0  BOS     c0[0]   c0[1]   c0[2]
    predicts cb 0     c0[0]   c0[1]   c0[2]   c0[3]
    reads codebook 1  BOS     BOS     c1[0]   c1[1]
    predicts cb 1     -       c1[0]   c1[1]   c1[2]

The shift by one and the delay cancel for codebook 0, so what is added at position p steers frame p.
"""

from __future__ import annotations

import torch
from torch import Tensor


def musicgen_delays(codebooks: int, audio_channels: int) -> tuple[int, ...]:
    """MusicGen's delays: 0, 1, 2, ... in mono, each twice in stereo (its codebooks alternate left and right)."""
    if audio_channels == 2:
        return tuple(k // 2 for k in range(codebooks))
    return tuple(range(codebooks))


def delay_codes(codes: Tensor, delays: tuple[int, ...], fill: int) -> Tensor:
    """Shift each codebook right by its delay.

    Args:
        codes: `[B, K, T]`.
        delays: frames by which codebook k is late, K of them.
        fill: the id where there is no frame, BOS (= PAD).

    Returns:
        `[B, K, T + max(delays)]`: entry (k, p) is frame p - delays[k].
    """
    batch, codebooks, frames = codes.shape
    delayed = codes.new_full((batch, codebooks, frames + max(delays)), fill)
    for k, delay in enumerate(delays):
        delayed[:, k, delay : delay + frames] = codes[:, k]
    return delayed


def undelay_codes(delayed: Tensor, delays: tuple[int, ...], frames: int) -> Tensor:
    """The inverse of `delay_codes`: `[B, K, >= frames + max(delays)]` -> `[B, K, frames]`."""
    return torch.stack([delayed[:, k, delay : delay + frames] for k, delay in enumerate(delays)], dim=1)


def teacher_forcing(codes: Tensor, delays: tuple[int, ...], bos: int) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and their mask for training on whole windows.

    Args:
        codes: `[B, K, T]`.

    Returns:
        inputs `[B, K, T]`, targets `[B, K, T]` and mask `[K, T]`, false where a position predicts no frame.
    """
    frames = codes.shape[-1]
    targets = delay_codes(codes, delays, bos)[..., :frames]
    inputs = torch.cat([torch.full_like(targets[..., :1], bos), targets[..., :-1]], dim=-1)
    position = torch.arange(frames, device=codes.device)
    mask = position[None, :] >= torch.tensor(delays, device=codes.device)[:, None]
    return inputs, targets, mask
