"""Features on scores whose truth is known: of notes they are never wrong, of sound as often as the report says."""

import numpy as np
import pytest

from narrascore.evaluation.known_truth import BARS, DIFFERENCES, compare_pairs, known_score
from narrascore.pipeline import Pipeline
from narrascore.synthesis.note_features import UNITS
from narrascore.synthesis.score_codes import DYNAMICS, PULSE, read_notes
from tests.synthesis.tiny import tiny_score_musicgen


@pytest.mark.parametrize("number", range(24))
def test_features_of_notes_order_every_pair_rightly(number):
    wins = compare_pairs(None, number)
    assert {name for _, name in wins} == set(UNITS) - {"register"}
    assert all(wins.values()), wins


def test_a_difference_changes_nothing_else():
    plain = read_notes(known_score(3))
    slow = read_notes(known_score(3, frames_per_sixteenth=5))
    assert [(n.voice, n.pitch, n.start * 5 // 4) for n in plain] == [(n.voice, n.pitch, n.start) for n in slow]
    loud, flat = known_score(3, level=13), known_score(3, minor=True)
    voices = [voice for voice in range(11) if voice != DYNAMICS]
    assert np.array_equal(loud[voices], known_score(3)[voices])
    assert np.array_equal(flat[[PULSE, DYNAMICS]], known_score(3)[[PULSE, DYNAMICS]])
    assert {a.pitch - b.pitch for a, b in zip(plain, read_notes(flat), strict=True)} == {0, 1}
    assert known_score(3).shape[1] == BARS * 64


@pytest.mark.slow
def test_sound_played_by_the_sampler_orders_most_pairs_rightly(tmp_path):
    pipeline = Pipeline.from_pretrained(tiny_score_musicgen(tmp_path / "music"))
    wins = [compare_pairs(pipeline, number) for number in range(3)]
    for pair in [(difference, name) for difference, (_, _, names) in DIFFERENCES.items() for name in names]:
        if pair[1] != "sound mode":  # whose error stands in the report
            assert sum(won[pair] for won in wins) == 3, pair
