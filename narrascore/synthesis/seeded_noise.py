"""Numbers that look random and are the same on every machine: a hash of integers, never a running generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hashed_uniform(numbers: NDArray[np.int64], stream: int) -> NDArray[np.float64]:
    """A number in [-1, 1) for each integer: splitmix64 (Steele et al. 2014) of the integer and the stream.

    Args:
        numbers: any integers, any shape, such as absolute frames.
        stream: which of many unrelated sequences, such as a voice; not negative.
    """
    with np.errstate(over="ignore"):
        state = numbers.astype(np.uint64) + np.uint64(stream + 1) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
        state ^= state >> np.uint64(31)
    return np.asarray((state >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0)
