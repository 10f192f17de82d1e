"""What is wanted next is made while the last is used: two stages of a film's sound on two processors."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

ITEMS_AHEAD = 2
"""So many wait at most; of blocks of a second that is little memory."""


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order, made in a thread of their own, a few before they are asked for.

    What making one raises is raised in its place. Whoever stops listening closes the generator.
    """
    with ThreadPoolExecutor(1) as maker:
        waiting = deque(maker.submit(next, items, None) for _ in range(ITEMS_AHEAD))
        try:
            while (item := waiting.popleft().result()) is not None:
                waiting.append(maker.submit(next, items, None))
                yield item
        finally:
            for made in waiting:
                made.cancel()
            if isinstance(items, Generator):
                maker.submit(items.close).result()
