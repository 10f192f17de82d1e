"""The arithmetic of windows, for any length, window and overlap."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascore.windows import (
    chunks_with_context,
    continuation_windows,
    frames_to_cover,
    overlap_add,
    overlapping_windows,
    samples_of,
)


@given(total=st.integers(1, 5000), window=st.integers(2, 800), data=st.data())
def test_continuation_tiles_the_film_and_each_window_starts_with_the_end_of_the_one_before(
    total: int, window: int, data: st.DataObject
) -> None:
    prompt = data.draw(st.integers(0, window - 1))
    windows = continuation_windows(total, window, prompt)
    assert windows[0].start == 0
    assert windows[0].prompt == 0
    assert windows[-1].stop == total
    assert all(w.frames <= window and w.new_start < w.stop for w in windows)
    for before, after in itertools.pairwise(windows):
        assert after.new_start == before.stop
        assert after.start == before.stop - prompt


@given(total=st.integers(1, 3000), window=st.integers(2, 400), data=st.data())
def test_cross_faded_windows_of_one_curve_give_the_curve_back(total: int, window: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, window - 1))
    if total > 60 * (window - overlap):
        total = 60 * (window - overlap)
    curve = np.random.default_rng(total).uniform(-1, 1, (total, 2)).astype(np.float32)
    pieces = [(start, curve[start:stop]) for start, stop in overlapping_windows(total, window, overlap)]
    assert all(len(piece) == min(window, total) for _, piece in pieces)
    np.testing.assert_allclose(overlap_add(pieces, total), curve, atol=1e-6)


def test_a_gap_between_windows_is_an_error() -> None:
    with pytest.raises(ValueError, match="without a window"):
        overlap_add([(0, np.zeros((3, 2), np.float32)), (5, np.zeros((3, 2), np.float32))], 8)


@given(total=st.integers(0, 2000), chunk=st.integers(1, 300), context=st.integers(0, 100))
def test_chunks_tile_and_see_their_neighbourhood(total: int, chunk: int, context: int) -> None:
    at = 0
    for left, start, stop, right in chunks_with_context(total, chunk, context):
        assert start == at
        assert start - left == min(start, context)
        assert right - stop == min(total - stop, context)
        at = stop
    assert at == total


@given(numerator=st.integers(1, 10**7), denominator=st.integers(1, 60000))
def test_frames_cover_a_duration_with_less_than_one_to_spare(numerator: int, denominator: int) -> None:
    duration = Fraction(numerator, denominator)
    frames = frames_to_cover(duration, 25)
    assert Fraction(frames - 1, 25) < duration <= Fraction(frames, 25)
    assert abs(samples_of(duration, 48000) - duration * 48000) <= Fraction(1, 2) or duration * 48000 < 1


@pytest.mark.parametrize(("window", "prompt"), [(10, 10), (10, -1), (10, 12)])
def test_a_prompt_as_long_as_the_window_is_refused(window: int, prompt: int) -> None:
    with pytest.raises(ValueError, match="prompt must be in"):
        continuation_windows(100, window, prompt)
