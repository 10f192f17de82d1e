"""Statistics of the notes: counted by hand, and equal to muspy's where muspy has them."""

import math

import numpy as np
import pytest

from narrascore.errors import UsageError
from narrascore.evaluation.sanity import (
    CORPUS,
    STATISTICS,
    empty_beat_rate,
    measure_sanity,
    piece_statistics,
    sixteenth_grid,
    sixteenths_per_bar,
    stretch_statistics,
)
from narrascore.synthesis.score_codes import (
    BASS,
    DRUMS_HIGH,
    INNER,
    MELODY,
    PITCHED,
    PULSE,
    Note,
    empty_score,
    pulse_code,
    write_notes,
)

muspy = pytest.importorskip("muspy")


def pulsed(frames, n=4, bar=16, start=0):
    """An empty score with a steady pulse."""
    codes = empty_score(frames)
    for i, frame in enumerate(range(start, frames, n)):
        codes[PULSE, frame] = pulse_code(n, i % bar, i // bar % 4)
    return codes


def random_score(seed, bars=8):
    """Notes on sixteenths of four frames, all voices, any pitch, with rests."""
    random = np.random.default_rng(seed)
    codes = pulsed(bars * 64)
    notes = []
    for voice in (*PITCHED, DRUMS_HIGH):
        at = int(random.integers(0, 9))
        while at < bars * 16:
            stop = min(at + int(random.integers(1, 9)), bars * 16)
            pitch = 42 if voice == DRUMS_HIGH else int(random.integers(36, 84))
            notes.append(Note(at * 4, stop * 4, voice, pitch))
            at = stop + int(random.integers(0, 6))
    write_notes(codes, notes)
    return codes, sorted(notes)


@pytest.mark.parametrize("seed", range(8))
def test_equal_to_muspy_on_random_scores(seed):
    codes, notes = random_score(seed)
    tracks = [muspy.Track(is_drum=False), muspy.Track(is_drum=True)]
    for note in notes:
        tracks[note.voice == DRUMS_HIGH].notes.append(
            muspy.Note(note.start // 4, note.pitch, (note.stop - note.start) // 4)
        )
    music = muspy.Music(resolution=4, tracks=tracks)
    ours = stretch_statistics(codes)
    assert ours["pitch-class entropy"] == pytest.approx(muspy.pitch_class_entropy(music))
    assert ours["scale consistency"] == pytest.approx(muspy.scale_consistency(music))
    assert ours["groove consistency"] == pytest.approx(muspy.groove_consistency(music, 16))
    assert ours["polyphony"] == pytest.approx(muspy.polyphony(music))
    assert ours["polyphony rate"] == pytest.approx(muspy.polyphony_rate(music))


@pytest.mark.parametrize("seed", range(8))
def test_empty_beats_are_muspys_but_for_ends_and_for_silence_at_the_end(seed):
    random = np.random.default_rng(seed)
    starts = sorted(random.choice(32, 14, replace=False).tolist())
    notes = [Note(beat * 16, beat * 16 + 12, MELODY, 60) for beat in starts]  # no note ends on a beat's line
    codes = pulsed(32 * 16)
    write_notes(codes, notes)
    music = muspy.Music(resolution=4, tracks=[muspy.Track(notes=[muspy.Note(b * 4, 60, 3) for b in starts])])
    until_last_note = codes[:, : (starts[-1] + 1) * 16]
    grid = sixteenth_grid(until_last_note)
    assert empty_beat_rate(notes, grid) == pytest.approx(muspy.empty_beat_rate(music))
    assert empty_beat_rate(notes, sixteenth_grid(codes)) == pytest.approx(1 - 14 / 32)


def test_a_score_counted_by_hand():
    codes = pulsed(256)  # four bars of 16 sixteenths of 4 frames
    notes = [Note(bar * 64, bar * 64 + 32, voice, pitch) for bar in range(3)
             for voice, pitch in ((MELODY, 72), (INNER[0], 64), (BASS, 43))]  # fmt: skip
    write_notes(codes, notes)
    counted = stretch_statistics(codes)
    assert counted["pitch-class entropy"] == pytest.approx(math.log2(3))
    assert counted["scale consistency"] == 1
    assert counted["polyphony"] == 3
    assert counted["empty beats"] == pytest.approx(1 - 6 / 16)
    assert counted["groove consistency"] == 1


def test_grid_follows_changes_of_tempo():
    codes = empty_score(40)
    codes[PULSE, [0, 4, 8, 12]] = [pulse_code(4, i) for i in range(4)]
    codes[PULSE, [16, 18, 20, 22]] = [pulse_code(2, 4 + i) for i in range(4)]
    grid = sixteenth_grid(codes)
    assert grid[[0, 3, 4, 15, 16, 17, 18, 23, 24, 39]].tolist() == [0, 0, 0 + 1, 3, 4, 4, 5, 7, 8, 15]


def test_grid_survives_a_missing_pulse_and_no_pulse():
    whole, holed = pulsed(160), pulsed(160)
    holed[PULSE, 40:56] = 1
    assert np.array_equal(sixteenth_grid(holed), sixteenth_grid(whole))
    assert np.array_equal(sixteenth_grid(empty_score(160)), sixteenth_grid(whole))


def test_grid_of_a_piece_cut_in_mid_bar_keeps_its_beats():
    whole = pulsed(400, n=5)
    grid = sixteenth_grid(whole)
    for cut in (1, 7, 20, 33, 111):
        part = sixteenth_grid(whole[:, cut:])
        assert 0 <= part[0] <= 3
        assert np.array_equal(part % 4, grid[cut:] % 4), cut
        assert np.array_equal(part - part[0], grid[cut:] - grid[cut]), cut


def test_waltz_has_twelve_sixteenths():
    assert sixteenths_per_bar(pulsed(400, bar=12)) == 12
    assert sixteenths_per_bar(pulsed(400)) == 16
    assert sixteenths_per_bar(empty_score(100)) == 16


def test_silence_is_all_empty_beats_and_nothing_else():
    counted = piece_statistics(pulsed(800))
    assert counted["empty beats"] == 1
    assert all(math.isnan(counted[name]) for name in STATISTICS if "beats" not in name)


def test_a_piece_is_the_mean_of_its_stretches():
    one, other = (random_score(seed, bars=12)[0][:, :750] for seed in (1, 2))
    both = piece_statistics(np.concatenate([one, other], axis=1))
    for name in STATISTICS:
        assert both[name] == pytest.approx((stretch_statistics(one)[name] + stretch_statistics(other)[name]) / 2, 0.02)


def test_a_note_held_over_the_cut_sounds_on_in_the_next_stretch():
    codes = pulsed(1500)  # two stretches of 30 s
    write_notes(codes, [Note(0, 1500, MELODY, 60)])
    counted = piece_statistics(codes)
    assert counted["empty beats"] == 0 and counted["sounding beats"] == 1
    assert counted["pitch-class entropy"] == 0


def test_corpus_against_itself_is_within_and_noise_is_not():
    def tonal(seed):
        codes, notes = random_score(seed)
        white = [
            Note(n.start, n.stop, n.voice, n.pitch if n.voice == DRUMS_HIGH else n.pitch // 12 * 12) for n in notes
        ]
        codes = pulsed(codes.shape[1])
        write_notes(codes, white)
        return codes

    noise = [random_score(seed)[0] for seed in range(6)]
    report = measure_sanity({"same": [tonal(s) for s in range(6)], "noise": noise,
                             CORPUS: [tonal(s) for s in range(6)]})  # fmt: skip
    assert all(report.within("same", name) for name in STATISTICS if name != "pitch-class entropy")
    assert report.within("noise", "scale consistency") is False
    assert report.ratio("noise", "scale consistency").high < 0.85
    assert 0 < report.floor("polyphony") < 0.15


def test_sanity_without_a_corpus_is_refused():
    with pytest.raises(UsageError, match="corpus"):
        measure_sanity({"model": [random_score(0)[0]]})
