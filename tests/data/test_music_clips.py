"""Clips lie within the labels, carry the curve of their own time, and are dropped where they are silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascore.data.captions import SongText
from narrascore.data.music_clips import (
    SLACK_SECONDS,
    ClipRules,
    clip_starts,
    cut_clips,
    cut_curve,
    labelled_stretches,
    silence_share,
)
from narrascore.data.music_labels import LabelledSong

RATE_HZ = 1000


def song(times: np.ndarray, step_seconds: float) -> LabelledSong:
    arousal = np.sin(times / 7)
    labels = np.stack([-arousal / 2, arousal], axis=1).astype(np.float32)
    return LabelledSong("a", Path("a.mp3"), times, labels, step_seconds, SongText())


def test_deams_excerpts_give_one_clip_and_its_full_songs_one_every_15_s() -> None:
    excerpt = song(np.arange(15, 45, 0.5), 0.5)
    assert clip_starts(excerpt, 45.03, ClipRules()) == [15]
    assert clip_starts(excerpt, 44.6, ClipRules()) == [15]
    assert clip_starts(excerpt, 44.4, ClipRules()) == []
    assert clip_starts(song(np.arange(15, 96, 0.5), 0.5), 200, ClipRules()) == [15, 30, 45, 60]


def test_a_hole_in_the_labels_parts_the_song() -> None:
    times = np.concatenate([np.arange(0, 35), np.arange(40, 76), np.arange(80, 100)]).astype(float)
    holed = song(times, 1.0)
    assert labelled_stretches(holed) == [(0, 35), (40, 76), (80, 100)]
    assert clip_starts(holed, 100, ClipRules()) == [0, 40]


@given(
    st.floats(0, 20), st.integers(1, 300), st.sampled_from([0.5, 1.0]), st.floats(1, 400), st.floats(1, 40),
    st.floats(0.1, 1),
)  # fmt: skip
def test_clips_stay_within_labels_and_sound_and_none_that_fits_is_missing(
    begin: float, labels: int, step: float, sound_seconds: float, clip: float, hop_share: float
) -> None:
    times = begin + step * np.arange(labels)
    rules = ClipRules(clip, clip * hop_share)
    end = min(times[-1] + step, sound_seconds)
    starts = clip_starts(song(times, step), sound_seconds, rules)
    assert all(begin <= start and start + clip <= end + SLACK_SECONDS + 1e-6 for start in starts)
    following = begin + len(starts) * rules.hop_seconds
    assert following + clip > end + SLACK_SECONDS - 1e-6
    np.testing.assert_allclose(np.diff(starts), rules.hop_seconds)


def test_a_clips_curve_is_the_songs_at_the_clips_time() -> None:
    labelled = song(np.arange(15, 75, 0.5), 0.5)
    curve = cut_curve(labelled, 30.0, 30)
    assert curve.shape == (30, 2) and curve.dtype == np.float32
    np.testing.assert_allclose(curve[:, 1], np.sin(np.arange(30, 60) / 7), atol=1e-6)
    between = cut_curve(labelled, 30.25, 30)
    np.testing.assert_allclose(between[:, 1], np.sin(np.arange(30.25, 60) / 7), atol=1e-2)


def test_clips_that_are_more_than_40_percent_silent_are_dropped() -> None:
    sound = np.random.default_rng(0).standard_normal((1, 100 * RATE_HZ)).astype(np.float32) * 0.1
    sound[:, 33 * RATE_HZ : 58 * RATE_HZ] = 1e-4
    kept, silent = cut_clips(song(np.arange(0, 100.0), 1.0), sound, RATE_HZ, ClipRules())
    # silent: none of 0-30, 12 s of 15-45, which is 40 % and stays, 25 s of 30-60, 13 s of 45-75, none of 60-90
    assert [(clip.start_seconds, round(clip.silence_share, 2)) for clip in kept] == [(0, 0), (15, 0.4), (60, 0)]
    assert [(clip.start_seconds, round(clip.silence_share, 2)) for clip in silent] == [(30, 0.83), (45, 0.43)]
    assert all(clip.sound.shape == (1, 30 * RATE_HZ) for clip in kept)
    np.testing.assert_array_equal(kept[2].sound, sound[:, 60 * RATE_HZ : 90 * RATE_HZ])


@pytest.mark.parametrize(("level_db", "share"), [(-49.5, 0), (-50.5, 1)])
def test_silence_is_told_by_rms_against_the_threshold(level_db: float, share: float) -> None:
    noise = np.sign(np.random.default_rng(0).standard_normal((2, 3 * RATE_HZ))) * 10 ** (level_db / 20)
    assert silence_share(noise.astype(np.float32), RATE_HZ, -50) == share


@pytest.mark.parametrize("wrong", [{"clip_seconds": 0}, {"hop_seconds": 31}, {"most_silence": 2}, {"silence_db": 3}])
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ClipRules(**wrong)
