"""Films are divided whole, the same way each time, none of the splits empty while there are films for all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascore.data.splits import split_films
from narrascore.errors import UsageError

SHARES = (0.7, 0.15, 0.15)


def films(count: int) -> list[str]:
    return [f"film {number}" for number in range(count)]


def sizes(splits: dict[str, str]) -> list[int]:
    return [list(splits.values()).count(split) for split in ("train", "validation", "test")]


@given(count=st.integers(0, 80), seed=st.integers(0, 5))
def test_every_film_has_one_split_and_every_split_a_film(count: int, seed: int) -> None:
    splits = split_films(films(count), SHARES, seed)
    assert list(splits) == films(count)
    assert min(sizes(splits)) >= (1 if count >= 3 else 0)
    if count >= 7:  # enough for one of each to be no more than its share, rounded up
        assert all(abs(size - share * count) < 1 for size, share in zip(sizes(splits), SHARES, strict=True))


def test_the_draw_is_by_name_and_seed_not_by_order() -> None:
    once = split_films(films(30), SHARES, seed=3)
    assert split_films(films(30)[::-1], SHARES, seed=3) == once
    assert split_films(films(30), SHARES, seed=4) != once
    # A pin: a set that is prepared again years later must not move a film from the test into training.
    assert [film for film, split in once.items() if split == "test"] == ["film 2", "film 6", "film 10", "film 23"]


def test_a_split_that_is_given_films_draws_no_others() -> None:
    given = {"film 3": "test", "film 4": "test", "elsewhere": "test"}
    splits = split_films(films(20), SHARES, 0, given)
    assert {film for film, split in splits.items() if split == "test"} == {"film 3", "film 4"}
    assert sizes(splits) == [15, 3, 2]


def test_no_share_no_film() -> None:
    assert sizes(split_films(films(10), (1, 0, 0))) == [10, 0, 0]
    assert sizes(split_films(films(10), (8, 0, 2))) == [8, 0, 2]


def test_a_film_for_which_no_split_is_left_is_an_error() -> None:
    given = {"film 0": "train", "film 1": "validation", "film 2": "test"}
    assert sizes(split_films(films(3), SHARES, 0, given)) == [1, 1, 1]
    with pytest.raises(UsageError, match="no split is left for film 3"):
        split_films(films(4), SHARES, 0, given)
