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


def _durations(random: np.random.Generator) -> Fraction:
    """From 0.2 s to 3 h, as films have them: whole frames of a film's rate, or milliseconds."""
    seconds = Fraction(str(round(float(np.exp(random.uniform(np.log(0.2), np.log(10_800)))), 3)))
    rate = random.choice(np.array([Fraction(24_000, 1001), Fraction(30_000, 1001), Fraction(25), Fraction(1000)]))
    return Fraction(max(1, round(seconds * rate))) / rate


@pytest.mark.parametrize("seed", range(60))
def test_no_token_is_missing_or_made_twice_and_the_samples_are_exact(seed: int) -> None:
    random = np.random.default_rng(seed)
    duration = _durations(random)
    rate_hz, sample_rate_hz = ((25, 48_000), (50, 32_000), (100, 8_000))[seed % 3]
    window = int(random.integers(2, 40 * rate_hz))
    prompt = min(int(random.integers(0, window)), window - max(1, window // 8))
    total = frames_to_cover(duration, rate_hz)
    stream, made = np.full(total, -1), np.zeros(total, dtype=int)
    for one in continuation_windows(total, window, prompt):
        carried = stream[one.start : one.new_start]
        assert np.array_equal(carried, np.arange(one.start, one.new_start))  # there already, and the last ones
        stream[one.new_start : one.stop] = np.arange(one.new_start, one.stop)
        made[one.new_start : one.stop] += 1
        assert one.last == (one.stop == total)
    assert (made == 1).all()
    samples, per_frame = samples_of(duration, sample_rate_hz), sample_rate_hz // rate_hz
    assert (total - 1) * per_frame < samples <= total * per_frame or samples == 1
    assert abs(samples - duration * sample_rate_hz) <= Fraction(1, 2)


@pytest.mark.parametrize("seed", range(30))
def test_every_second_is_read_by_a_window_and_cross_faded_to_itself(seed: int) -> None:
    random = np.random.default_rng(seed)
    total = frames_to_cover(_durations(random), 1)
    window = int(random.integers(2, 60))
    overlap = int(random.integers(0, window - window // 4))
    windows = overlapping_windows(total, window, overlap)
    assert windows[0][0] == 0 and windows[-1][1] == total
    assert all(after[0] <= before[1] - min(overlap, 1) for before, after in itertools.pairwise(windows))
    curve = random.uniform(-1, 1, (total, 2)).astype(np.float32)
    pieces = [(start, curve[start:stop]) for start, stop in windows]
    np.testing.assert_allclose(overlap_add(pieces, total), curve, atol=1e-6)
