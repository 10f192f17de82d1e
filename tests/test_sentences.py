"""Sentences over time: shares that sum to one, fades at the borders and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascore.sentences import FADE_SECONDS, LocalSentence, Sentences

RATE_HZ = 50.0

stretches = st.tuples(st.floats(0, 100), st.floats(1e-3, 40), st.sampled_from("abc")).map(
    lambda drawn: LocalSentence(drawn[0], drawn[0] + drawn[1], drawn[2])
)
films = st.builds(
    Sentences, st.sampled_from(["", "a", "film"]), st.lists(stretches, max_size=5).map(tuple), st.floats(1, 120)
)


@given(sentences=films, start=st.integers(0, 5000), frames=st.integers(1, 400))
def test_shares_sum_to_one_and_are_the_same_whoever_asks(sentences: Sentences, start: int, frames: int) -> None:
    shares = sentences.shares(start, frames, RATE_HZ)
    assert sum(shares.values()) == pytest.approx(np.ones(frames), abs=1e-6)
    assert all(share.dtype == np.float32 and (share >= 0).all() for share in shares.values())
    earlier = sentences.shares(max(0, start - 7), frames + 7, RATE_HZ)
    skipped = min(7, start)
    for sentence, share in shares.items():
        assert np.array_equal(share, earlier[sentence][skipped : skipped + frames])


@given(sentences=films, second=st.floats(0, 130))
def test_beyond_the_fades_a_sentence_holds_alone_and_later_ones_win(sentences: Sentences, second: float) -> None:
    frame = round(second * RATE_HZ)
    second = frame / RATE_HZ
    edges = [edge for each in sentences.local for edge in (each.start_seconds, each.stop_seconds)]
    if second >= sentences.duration_seconds or any(abs(second - edge) < FADE_SECONDS / 2 + 1e-3 for edge in edges):
        return
    holds = [each.sentence for each in sentences.local if each.start_seconds <= second < each.stop_seconds]
    (heard,) = sentences.shares(frame, 1, RATE_HZ)
    assert heard == (holds[-1] if holds else sentences.film)


def test_a_fade_goes_linearly_from_one_sentence_to_the_next() -> None:
    sentences = Sentences("film", (LocalSentence(10, 20, "local"),), 30)
    shares = sentences.shares(0, 30 * 50, RATE_HZ)
    share = shares["local"]
    assert not share[: 9 * 50 + 1].any() and (share[11 * 50 : 19 * 50 + 1] == 1).all() and not share[21 * 50 :].any()
    assert share[10 * 50] == share[20 * 50] == 0.5
    assert np.diff(share[9 * 50 : 11 * 50 + 1]) == pytest.approx(1 / 100, abs=1e-6)
    assert shares["film"] == pytest.approx(1 - share)


def test_a_stretch_shorter_than_the_fade_has_a_middle_of_its_own() -> None:
    share = Sentences("film", (LocalSentence(10, 10.8, "local"),)).shares(0, 1000, RATE_HZ)["local"]
    assert share[round(10.4 * 50)] == 1 and not share[: round(9.6 * 50) + 1].any()
    assert not share[round(11.2 * 50) :].any()


def test_nothing_fades_at_the_film_s_ends_nor_between_equal_sentences() -> None:
    whole = (LocalSentence(0, 12, "local"), LocalSentence(12, 30, "local"))
    assert list(Sentences("film", whole, 30).shares(0, 1600, RATE_HZ)) == ["local"]
    assert list(Sentences("film", (LocalSentence(5, 9, "film"),), 30).shares(0, 1600, RATE_HZ)) == ["film"]
    beyond = Sentences("film", (LocalSentence(20, 99, "local"),), 30)
    assert (beyond.shares(21 * 50, 600, RATE_HZ)["local"] == 1).all()
    assert list(beyond.turns()) == [(0, "film"), (20, "local")]


def test_three_sentences_that_touch_never_count_together() -> None:
    local = (LocalSentence(4, 5, "a"), LocalSentence(5, 5.5, "b"), LocalSentence(5.5, 9, "a"))
    shares = np.stack(list(Sentences("film", local, 9).shares(0, 450, RATE_HZ).values()))
    assert ((shares > 0).sum(axis=0) <= 2).all() and shares.shape[0] == 3


def test_what_is_heard_otherwise_is_the_stretch_and_its_fades() -> None:
    plain = Sentences("film", (), 30)
    asked = Sentences("film", (LocalSentence(10, 20, "local"),), 30)
    assert not plain.heard_otherwise(plain, 1500, RATE_HZ).any()
    changed = np.flatnonzero(plain.heard_otherwise(asked, 1500, RATE_HZ))
    assert (changed[0], changed[-1]) == (9 * 50 + 1, 21 * 50 - 1)
    assert len(changed) == changed[-1] - changed[0] + 1
    longer = Sentences("film", (LocalSentence(10, 24, "local"),), 30)
    changed = np.flatnonzero(asked.heard_otherwise(longer, 1500, RATE_HZ))
    assert (changed[0], changed[-1]) == (19 * 50 + 1, 25 * 50 - 1)


@pytest.mark.parametrize("span", [(3, 3), (4, 3), (-1, 3), (math.nan, 3), (1, math.nan)])
def test_what_is_no_stretch_is_refused(span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 <= start < stop"):
        LocalSentence(*span, "calm")
