"""From a picture to what the vision tower takes: a fixed budget of pixels, whatever the film's size or length.

The library's own video processor divides one budget by the clip's frames, so that a frame's tokens would change with
the window; here every frame of a film has the same.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

PATCH_PIXELS, MERGE = 14, 2
TOKEN_PIXELS = PATCH_PIXELS * MERGE
"""A visual token is a square of this side: 2 x 2 patches merged, as the backbone's videos are."""

FRAME_PIXELS = 420 * 224
"""120 visual tokens at most: half a minute at 1 Hz is a quarter of the 16 k tokens that the backbone was trained on."""


def frame_size(width: int, height: int, frame_pixels: int = FRAME_PIXELS) -> tuple[int, int]:
    """(height, width) in pixels for pictures of this shape: multiples of 28 within the budget, the aspect ratio kept.

    The library's own rule for a picture above its budget, applied to every picture, so that a small copy of a film has
    as many tokens as a large one: 16:9 becomes 392 x 224, 2.39:1 becomes 448 x 196, 4:3 becomes 336 x 252.
    """
    tokens = frame_pixels // TOKEN_PIXELS**2
    if tokens < 1:
        raise ValueError(f"frame_pixels must hold one token of {TOKEN_PIXELS} x {TOKEN_PIXELS} px: got {frame_pixels}")
    shrink = math.sqrt(width * height / frame_pixels)
    rows, columns = (max(1, math.floor(side / shrink / TOKEN_PIXELS)) for side in (height, width))
    rows = min(rows, max(1, tokens // columns))  # a strip of a picture, beyond 100:1, is squeezed
    columns = min(columns, tokens // rows)
    return rows * TOKEN_PIXELS, columns * TOKEN_PIXELS


def tokens_of(size: tuple[int, int]) -> int:
    """M, the visual tokens of a frame of (height, width) pixels."""
    return (size[0] // TOKEN_PIXELS) * (size[1] // TOKEN_PIXELS)


def to_patches(image: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """Scale a picture and cut it into the vision tower's patches.

    Args:
        image: `[h, w, 3]` uint8 RGB.
        size: (height, width) in pixels as `frame_size` gives it.

    Returns:
        `[P, 588]` float32 in [-1, 1], the four patches of a visual token next to each other.
    """
    pixels = torch.tensor(image).permute(2, 0, 1)[None]
    if pixels.shape[2:] != size:
        pixels = functional.interpolate(pixels, size, mode="bicubic", antialias=True)
    values = (pixels[0] / 255 - 0.5) / 0.5
    rows, columns = (side // TOKEN_PIXELS for side in size)
    patches = values.reshape(3, rows, MERGE, PATCH_PIXELS, columns, MERGE, PATCH_PIXELS)
    return patches.permute(1, 4, 2, 5, 0, 3, 6).reshape(-1, 3 * PATCH_PIXELS**2)
