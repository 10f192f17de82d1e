"""A few pictures that show the whole film, picked while it runs past."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_KEYFRAMES = 32
GRID = 4  # a picture is compared by the mean colours of GRID x GRID fields
TIME_WEIGHT = 0.1  # so that a film which hardly changes is still shown from its start to its end


class KeyframePicker:
    """Keeps at most `limit` pictures of a stream that are unlike each other.

    The rule: the distance of two pictures is the root mean square difference of their 4 x 4 mean colours (0 to 1), or
    the cosine distance of their feature vectors where the eye has some (0 to 2), plus a tenth of the time between them
    as a share of the film so far. Each offered picture is taken in; where that makes one too many, the closest pair is
    found and of its two the one with the nearer other neighbour goes (the later one where both are equal). Memory is
    `limit + 1` pictures, whatever the film's length.
    """

    def __init__(self, limit: int = MAX_KEYFRAMES) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least one picture: got {limit}; the paper uses 32 at most")
        self._limit = limit
        self._kept: list[tuple[float, NDArray[np.uint8]]] = []
        self._looks: list[NDArray[np.float32]] = []

    def offer(self, seconds: float, image: NDArray[np.uint8], feature: NDArray[np.float32] | None = None) -> None:
        """Show the picker a picture; times must not go back.

        Args:
            seconds: film time.
            image: `[H, W, 3]` uint8 RGB; copied, if it is kept.
            feature: `[D]`, what an eye makes of the picture: with every picture of a film, or with none.
        """
        self._kept.append((seconds, image))
        self._looks.append(_mean_colours(image) if feature is None else _unit(feature))
        dropped = None
        if self._is_full():
            looks = np.stack(self._looks)
            difference = _colour_difference(looks) if feature is None else 1 - looks @ looks.T
            dropped = _most_redundant(difference, [kept for kept, _ in self._kept])
            del self._kept[dropped], self._looks[dropped]
        if dropped != len(self._kept):
            self._kept[-1] = (seconds, image.copy())

    def keyframes(self) -> list[tuple[float, NDArray[np.uint8]]]:
        """What is kept: (film time in seconds, `[H, W, 3]` uint8), in time order."""
        return list(self._kept)

    def _is_full(self) -> bool:
        return len(self._kept) > self._limit


def _mean_colours(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean colour of each field of a 4 x 4 grid, `[48]`, 0 to 1; a picture under 4 px a side repeats its pixels."""
    edges = [np.arange(GRID + 1) * side // GRID for side in image.shape[:2]]
    # In whole numbers, a row of fields after another; `reduceat` repeats the pixel where two edges are the same.
    sums = np.add.reduceat(np.add.reduceat(image, edges[0][:-1], axis=0, dtype=np.int64), edges[1][:-1], axis=1)
    rows, columns = (np.maximum(np.diff(edge), 1) for edge in edges)
    colours: NDArray[np.float32] = (sums / (255 * np.multiply.outer(rows, columns)[..., None])).astype(np.float32)
    return colours.ravel()


def _unit(feature: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (feature / max(float(np.linalg.norm(feature)), 1e-9)).astype(np.float32)
    return unit


def _colour_difference(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    difference: NDArray[np.float32] = np.sqrt(np.square(colours[:, None] - colours[None]).mean(axis=2))
    return difference


def _most_redundant(difference: NDArray[np.float32], times: list[float]) -> int:
    seconds = np.array(times)
    span = max(seconds[-1] - seconds[0], 1e-9)
    distance = difference + TIME_WEIGHT * np.abs(seconds[:, None] - seconds[None]) / span
    np.fill_diagonal(distance, np.inf)
    first, second = sorted(np.unravel_index(np.argmin(distance), distance.shape))
    if len(times) == 2:
        return int(second)
    others = [np.delete(distance[index], [first, second]).min() for index in (first, second)]
    return int(first if others[0] < others[1] else second)
