"""Held-out curves: seeded, moving, independent, and not given away by their sentence."""

import numpy as np
import pytest

from narrascore.errors import UsageError
from narrascore.evaluation.curves import MINIMUM_SPAN, SHAPES, anchor_for, evaluation_curves
from narrascore.lexicon import STYLES, vocabulary


def test_same_seed_same_curves_and_more_curves_keep_the_first():
    few, many = evaluation_curves(6, seed=2), evaluation_curves(24, seed=2)
    assert few == many[:6]
    assert few != evaluation_curves(6, seed=3)


@pytest.mark.parametrize("seed", range(5))
def test_curves_move_in_every_shape_and_length(seed):
    curves = evaluation_curves(24, seed)
    for asked in curves:
        assert 48 <= asked.duration_seconds <= 60
        assert np.ptp(asked.curve.values, axis=0).min() >= MINIMUM_SPAN
    assert {shape for asked in curves for shape in asked.shapes} == set(SHAPES)
    assert {asked.style for asked in curves} == set(STYLES)
    assert len({asked.seed for asked in curves}) == 24


def test_valence_and_arousal_are_independent():
    together = [np.corrcoef(asked.curve.values.T)[0, 1] for asked in evaluation_curves(400)]
    assert abs(np.mean(together)) < 0.1


def test_short_curves_can_be_asked_for_and_too_short_ones_not():
    assert {asked.duration_seconds for asked in evaluation_curves(30, duration_seconds=(8, 10))} == {8, 9, 10}
    with pytest.raises(UsageError, match="at least 8 s"):
        evaluation_curves(4, duration_seconds=(3, 5))


def test_sentence_says_nothing_about_the_course():
    asked = evaluation_curves(2)[0]
    backwards = type(asked.curve)(asked.curve.values[::-1])
    assert anchor_for(asked.style, backwards) == anchor_for(asked.style, asked.curve)


def test_sentences_are_made_of_known_words():
    known = set(vocabulary())
    for asked in evaluation_curves(48):
        words = asked.anchor.sentence.replace(",", " ").split()
        assert set(words) <= known, asked.anchor.sentence
