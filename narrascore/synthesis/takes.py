"""Several takes of one window, drawn side by side from one prompt, of which the best is kept.

What can be measured at once decides; nobody listens:

    collapse   silence, an ending or one held note (`collapse`): a take without is better than any with, and of two with
               the one whose collapse is shorter
    follows    how well the music goes with the curve, in [-1, 1]: of notes the correlation of arousal with dynamics and
               with onsets and of valence with mode, of sound that of arousal with loudness. Each counts as much as its
               side of the curve moves; music that stays as it is while the curve moves has not followed (0)
    jump       how far the first seconds are from the last ones of the prompt, in [0, 1]: of notes in pitch classes and
               onsets, of sound in the spectrum; 0 where nothing was before

The score is `follows - JUMP_COST * jump`, and of equal takes the first is kept. How a take follows is read over the
whole window: the prompt, which all takes share, says what this music does at other places of the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.synthesis.codec import Codec
from narrascore.synthesis.collapse import Collapse, find_collapse
from narrascore.synthesis.joining import band_edges, bray_curtis, pitch_classes, spectrum
from narrascore.synthesis.note_features import centred_sums, dynamics_level, mode_index, onset_rate
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_codes import FRAME_RATE_HZ, read_notes
from narrascore.windows import Window

JUMP_COST = 0.5
JUMP_SECONDS = 2.0
"""How much music a jump compares on either side."""
SOFTEST_DB = -70.0
STILL = 0.01
"""A curve whose standard deviation within a window is under this asks for nothing there."""

VALENCE, AROUSAL = 0, 1
Feature = NDArray[np.float64]


@dataclass(frozen=True)
class Take:
    """One draw of a window, and what was found in it.

    Attributes:
        codes: the window with its prompt, `[K, T]`.
        collapse: None if there is none.
        follows, jump: as above, to four places; None where there was nothing to choose from.
    """

    codes: Tensor
    collapse: Collapse | None
    follows: float | None = None
    jump: float | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """The greater, the better."""
        score = 0.0 if self.follows is None or self.jump is None else self.follows - JUMP_COST * self.jump
        return (0.0 if self.collapse is None else -self.collapse.seconds), score

    def describe(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "collapse": None if self.collapse is None else str(self.collapse),
            "follows": self.follows, "jump": self.jump, "score": round(self.rank[1], 4),
        }  # fmt: skip


def judge(codec: Codec, codes: Tensor, window: Window, curve: AffectCurve | None) -> Take:
    """Look at one draw.

    Args:
        codec: of the codes.
        codes: the window with its prompt, `[K, T]`.
        window: where it lies in the film.
        curve: of the film; None looks for a collapse and no further.
    """
    collapse = find_collapse(codec, codes, window.prompt, film_goes_on=not window.last)
    if curve is None:
        return Take(codes, collapse)
    if isinstance(codec, ScoreCodec):
        score = codes.numpy().astype(np.int16)
        features, sides = _note_features(score), _note_sides(score, window.prompt)
    else:
        sound, join = codec.decode(codes).mean(dim=0).numpy(), window.prompt / codec.frame_rate_hz
        features, sides = _sound_features(sound, codec.sample_rate_hz), _sound_sides(sound, join, codec.sample_rate_hz)
    jump = float(np.mean([bray_curtis(before, after) for before, after in sides])) if sides else 0.0
    seconds = window.start / codec.frame_rate_hz + np.arange(len(features[0][1]))
    return Take(codes, collapse, round(follows(curve.at(seconds), features), 4), round(jump, 4))


def best_of(takes: Sequence[Take]) -> int:
    """The number of the take that is kept, from 0."""
    return max(range(len(takes)), key=lambda number: (takes[number].rank, -number))


def follows(asked: NDArray[np.float32], features: Sequence[tuple[int, Feature]]) -> float:
    """How well features go with a curve, in [-1, 1]; 0 if the curve asks for nothing.

    Args:
        asked: the curve's values, `[F, 2]`.
        features: (side of the curve, `[F]`) each; those of one side share its weight.
    """
    total = weights = 0.0
    for side in (VALENCE, AROUSAL):
        own = [feature for of, feature in features if of == side]
        wanted = asked[:, side].astype(np.float64)
        if own and wanted.std() >= STILL:
            total += wanted.std() * float(np.mean([_correlation(wanted, feature) for feature in own]))
            weights += wanted.std()
    return total / weights if weights else 0.0


def _correlation(wanted: Feature, played: Feature) -> float:
    """Pearson's r; 0 if `played` is constant."""
    spread = played.std()
    if spread <= 1e-9 * max(1.0, float(np.abs(played).max())):
        return 0.0
    return float(((wanted - wanted.mean()) * (played - played.mean())).mean() / (wanted.std() * spread))


def _note_features(score: NDArray[np.int16]) -> list[tuple[int, Feature]]:
    notes = read_notes(score)
    aroused = [(AROUSAL, read(score, notes)) for read in (dynamics_level, onset_rate)]
    return [*aroused, (VALENCE, mode_index(score, notes))]


def _note_sides(score: NDArray[np.int16], join: int) -> list[tuple[Feature, Feature]]:
    """What lies before and behind a join: notes of each pitch class that sound, and notes begun, a frame."""
    begun = np.zeros((1, score.shape[1]))
    for note in read_notes(score):
        begun[0, note.start] += 1
    around = _around(join, round(JUMP_SECONDS * FRAME_RATE_HZ), score.shape[1])
    if around is None:
        return []
    before, after = around
    return [(rows[:, before].mean(axis=1), rows[:, after].mean(axis=1)) for rows in (pitch_classes(score), begun)]


def _sound_features(sound: NDArray[np.float32], sample_rate_hz: int) -> list[tuple[int, Feature]]:
    rows = max(1, -(-len(sound) // sample_rate_hz))
    power, samples = centred_sums(sound.astype(np.float64) ** 2, rows, sample_rate_hz, window_seconds=1.0)
    return [(AROUSAL, 10 * np.log10(np.maximum(power / np.maximum(samples, 1), 10 ** (SOFTEST_DB / 10))))]


def _sound_sides(sound: NDArray[np.float32], join_seconds: float, sample_rate_hz: int) -> list[tuple[Feature, Feature]]:
    around = _around(round(join_seconds * sample_rate_hz), round(JUMP_SECONDS * sample_rate_hz), len(sound))
    if around is None:
        return []
    samples = around[0].stop - around[0].start
    edges = band_edges(samples, sample_rate_hz)
    before, after = (spectrum(sound[side], samples, edges) for side in around)
    return [(before, after)]


def _around(join: int, reach: int, total: int) -> tuple[slice, slice] | None:
    """The stretches on both sides of a join, equally long; None where there is no join."""
    reach = min(reach, join, total - join)
    return (slice(join - reach, join), slice(join, join + reach)) if reach > 0 else None
