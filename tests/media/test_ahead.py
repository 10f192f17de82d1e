"""Making things ahead: the same things, a few early, and nothing left running."""

import threading
import time
from collections.abc import Iterator

import pytest

from narrascore.media.ahead import ITEMS_AHEAD, ahead


def test_items_come_in_their_order_from_another_thread() -> None:
    threads: set[int] = set()

    def items() -> Iterator[int]:
        for number in range(50):
            threads.add(threading.get_ident())
            yield number

    assert list(ahead(items())) == list(range(50))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_no_more_are_made_than_may_wait() -> None:
    made = 0

    def items() -> Iterator[int]:
        nonlocal made
        for number in range(50):
            made += 1
            yield number

    for taken, _ in enumerate(ahead(items()), 1):
        time.sleep(0.001)
        assert made <= taken + ITEMS_AHEAD


def test_an_error_is_raised_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("three")

    came = []
    with pytest.raises(ValueError, match="three"):
        for number in ahead(items()):
            came.append(number)
    assert came == [1, 2]


def test_who_stops_listening_ends_the_making() -> None:
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            ended.set()

    running = threading.active_count()
    early = ahead(items())
    assert next(early) == 0
    early.close()  # type: ignore[attr-defined]
    assert ended.is_set() and threading.active_count() == running
