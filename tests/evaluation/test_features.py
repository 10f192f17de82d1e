"""Features of hand-written scores equal what one counts by hand."""

import math

import numpy as np
import pytest

from narrascore.errors import UsageError
from narrascore.evaluation.audio_loudness import SILENCE_LUFS, audio_loudness
from narrascore.synthesis.note_features import (
    UNITS,
    consonance_share,
    dynamics_level,
    mode_index,
    onset_rate,
    read_features,
    register_pitch,
    tempo_bpm,
)
from narrascore.synthesis.score_codes import (
    BASS,
    DRUMS_HIGH,
    DYNAMICS,
    HARMONY,
    INNER,
    MELODY,
    PULSE,
    Note,
    chord_code,
    dynamics_code,
    empty_score,
    pulse_code,
    write_notes,
)

C_MAJOR = (60, 62, 64, 65, 67, 69, 71)
C_MINOR = (60, 62, 63, 65, 67, 68, 70)


def scale(pitches, frames=250):
    """A second and a bit of every pitch in turn."""
    codes = empty_score(frames)
    notes = [Note(at, min(at + 30, frames), MELODY, pitches[i % 7]) for i, at in enumerate(range(0, frames, 30))]
    write_notes(codes, notes)
    return codes


def test_c_major_is_plus_one_and_c_minor_minus_one():
    assert np.array_equal(mode_index(scale(C_MAJOR)), np.ones(10))
    assert np.array_equal(mode_index(scale(C_MINOR)), -np.ones(10))


def test_mode_counts_note_seconds_of_sounding_voices_only():
    codes = empty_score(100)
    write_notes(codes, [Note(0, 75, BASS, 40), Note(0, 25, INNER[0], 63), Note(0, 100, DRUMS_HIGH, 46)])
    codes[HARMONY, 0] = chord_code(3, "min")
    # E for 3 s, E flat for 1 s; the drum's key 46 and the silent chord tell nothing. All rows see all four seconds.
    assert mode_index(codes)[1] == pytest.approx((75 - 25) / (75 + 25))


def test_mode_is_filled_where_no_note_tells_and_zero_without_any():
    codes = empty_score(25 * 21)
    write_notes(codes, [Note(0, 25, MELODY, 64), Note(500, 525, MELODY, 63), Note(200, 300, MELODY, 60)])
    mode = mode_index(codes)
    assert mode[0] == 1 and mode[20] == -1
    assert np.all(np.diff(mode) <= 0) and mode[10] == pytest.approx(0, abs=0.1)
    assert not mode_index(empty_score(100)).any()


def test_onset_rate_counts_every_sounding_voice_over_three_seconds():
    codes = empty_score(250)
    notes = [Note(at, at + 2, voice, 60 if voice == MELODY else 42) for at in range(100, 150, 5)
             for voice in (MELODY, DRUMS_HIGH)]  # fmt: skip
    write_notes(codes, notes)
    rate = onset_rate(codes)
    assert len(rate) == 10
    assert rate[5] == pytest.approx(20 / 3)  # frames 88 to 162 hold all 20 onsets
    assert rate[4] == pytest.approx(16 / 3)  # frames 63 to 137: onsets at 100, 105, ..., 135 in two voices
    assert rate[1] == 0 and rate[8] == 0
    assert onset_rate(codes[:, 100:150])[0] == pytest.approx(16 / (38 / 25))  # cut off at 0: frames 0 to 37


def test_dynamics_follow_the_level_in_force_weighted_by_sounding_notes():
    codes = empty_score(100)
    codes[DYNAMICS, [10, 50]] = dynamics_code(4), dynamics_code(10)
    write_notes(codes, [Note(0, 100, MELODY, 60), Note(50, 75, BASS, 40)])
    level = dynamics_level(codes)
    assert level[0] == level[1] == 4  # before the first level, the first
    assert level[2] == pytest.approx((12 * 4 + 13 * 2 * 10) / (12 + 26))  # frames 38 to 62
    assert level[3] == 10
    assert not dynamics_level(empty_score(100)).any()


def test_tempo_is_375_over_n_in_force():
    codes = empty_score(100)
    codes[PULSE, [5, 25, 74]] = pulse_code(6, 0), pulse_code(6, 4), pulse_code(2, 0, 1)
    assert tempo_bpm(codes).tolist() == [62.5, 62.5, 62.5, 187.5]
    assert not tempo_bpm(empty_score(100)).any()


def test_register_is_the_mean_sounding_pitch():
    codes = empty_score(100)
    write_notes(codes, [Note(0, 100, MELODY, 72), Note(0, 100, BASS, 48), Note(0, 100, DRUMS_HIGH, 81)])
    assert register_pitch(codes).tolist() == [60.0] * 4


def test_consonance_counts_the_intervals_between_pitch_classes():
    codes = empty_score(100)
    write_notes(codes, [Note(0, 100, BASS, 36), Note(0, 100, INNER[0], 52), Note(0, 100, MELODY, 72)])
    assert consonance_share(codes).tolist() == [1.0] * 4  # C and E; the octave tells nothing
    write_notes(codes, [Note(0, 100, INNER[1], 54)])  # F sharp: a tritone above C, a second above E
    assert consonance_share(codes) == pytest.approx([1 / 3] * 4)
    assert not consonance_share(empty_score(100)).any()


def test_every_feature_has_a_row_for_each_second_begun():
    for frames, rows in ((1, 1), (25, 1), (26, 2), (1234, 50)):
        codes = empty_score(frames)
        features = read_features(codes)
        assert list(features) == list(UNITS)
        assert {len(feature) for feature in features.values()} == {rows}


def test_codes_without_notes_are_refused():
    with pytest.raises(UsageError, match="system=embedded"):
        read_features(np.zeros((4, 100), dtype=np.int16))


@pytest.mark.parametrize("sample_rate_hz", [32000, 44100, 48000])
def test_loudness_of_the_standards_own_tone(sample_rate_hz):
    # ITU-R BS.1770-4: 997 Hz at full scale in one channel reads -3.01 LKFS; each halving is 6.02 less.
    time = np.arange(3 * sample_rate_hz) / sample_rate_hz
    tone = np.sin(2 * np.pi * 997 * time) * np.where(time < 1.5, 1, 0.5)
    loudness = audio_loudness([tone[None, :5000], tone[None, 5000:]], sample_rate_hz)
    assert loudness[1] == pytest.approx(-3.01, abs=0.05)
    assert loudness[2] == pytest.approx(-3.01 - 6.02, abs=0.05)


def test_silence_has_a_floor_and_nothing_at_all_is_refused():
    assert audio_loudness([np.zeros((2, 48000))], 48000).tolist() == [SILENCE_LUFS]
    assert len(audio_loudness([np.zeros((2, 48001))], 48000)) == math.ceil(48001 / 48000)
    with pytest.raises(ValueError, match="at least one sample"):
        audio_loudness([], 48000)
