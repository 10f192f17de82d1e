"""Which film is for training, which for validation, which for the test: whole films, the same ones each time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from narrascore.data.films import SPLITS
from narrascore.errors import UsageError


def split_films(
    ids: Sequence[str], shares: Sequence[float], seed: int = 0, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Give each film a split.

    A split that is given films, by hand or by the set's publishers, has these and no others. The other films are put
    in the order of a hash of their name and the seed, and cut into the other splits by their shares; each of these
    with a share above zero gets a film, train first, while there are enough.

    Args:
        ids: of the films, unique.
        shares: of train, validation and test; only their proportions count.
        seed: another one draws other films.
        given: film -> split, for those that have one.

    Returns:
        film -> `train`, `validation` or `test`, for each of `ids`.

    Raises:
        UsageError: if a film is in no list and no split is left for it.
    """
    fixed = {film: split for film, split in (given or {}).items() if film in set(ids)}
    rest = sorted((film for film in ids if film not in fixed), key=lambda film: _draw(film, seed))
    open_shares = {
        split: share
        for split, share in zip(SPLITS, shares, strict=True)
        if share > 0 and split not in set((given or {}).values())
    }
    if rest and not open_shares:
        raise UsageError(f"no split is left for {rest[0]}: put it in a list, or give a share to a split without one")
    result = dict(fixed)
    for split, count in _counts(len(rest), open_shares).items():
        result.update(dict.fromkeys(rest[:count], split))
        rest = rest[count:]
    return {film: result[film] for film in ids}


def _counts(films: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Whole films per split: one each, in order, while there are enough, the rest where most is lacking."""
    counts = {split: int(index < films) for index, split in enumerate(shares)}
    while sum(counts.values()) < films:
        total = sum(shares.values())
        lacking = max(shares, key=lambda split: shares[split] / total * films - counts[split])
        counts[lacking] += 1
    return counts


def _draw(film: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{film}".encode()).digest()
