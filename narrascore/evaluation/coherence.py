"""Does long music stay itself? Style drift, silence and collapse, beside the same statistics of held-out music.

Real music drifts and pauses too, so a number means nothing without its neighbour: every statistic is measured on the
generated pieces and on held-out ones of like length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrascore.evaluation.distances import paired_similarity
from narrascore.evaluation.feature_store import FeatureSet
from narrascore.evaluation.intervals import Estimate, mean_over_pieces
from narrascore.media.song import read_song

MINUTE_SECONDS = 60.0
SILENCE_DB = -50.0
"""RMS over a second, relative to full scale; what the training clips call silent."""
COLLAPSE_SECONDS = 10
"""A rest that is longer than this in the middle, or that lasts to the end, is no rest."""
LISTENING_RATE_HZ = 16_000


@dataclass(frozen=True)
class Coherence:
    """One set of pieces.

    Attributes:
        drift: similarity of minute k to minute 1, from k = 2 on, over the pieces that last that long.
        silence: share of silent seconds, mean over pieces.
        collapse: share of the pieces that collapse.
    """

    drift: tuple[Estimate, ...]
    silence: Estimate
    collapse: Estimate


def measure_coherence(
    features: FeatureSet,
    window_seconds: float,
    levels_db: Sequence[NDArray[np.float64]],
    centre: NDArray[np.float64],
    seed: int = 0,
) -> Coherence:
    """Drift, silence and collapse of one set; measure the held-out set with the same `centre` for a comparison.

    Args:
        features: of all pieces, clips in order.
        window_seconds: of a clip.
        levels_db: `second_levels_db` of each piece.
        centre: mean features `[D]` of the held-out set (see `style_drift`).
        seed: of the bootstrap over pieces.
    """
    tracks = [style_drift(features.values[rows], window_seconds, centre) for rows in features.rows_of()]
    minutes = max((len(track) for track in tracks), default=0)
    drift = tuple(
        mean_over_pieces([track[minute] for track in tracks if minute < len(track)], seed) for minute in range(minutes)
    )
    silent = [float((levels < SILENCE_DB).mean()) for levels in levels_db]
    collapsed = [float(collapses(levels)) for levels in levels_db]
    return Coherence(drift, mean_over_pieces(silent, seed), mean_over_pieces(collapsed, seed))


def style_drift(
    features: NDArray[np.float64], window_seconds: float, centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cosine between the mean features of each whole minute and of the first, for minutes 2, 3, ...: `[M - 1]`.

    The centre is taken away first: what all music shares is most of any embedding, and would make every minute alike.
    1 is the same music on and on, 0 music no more like the beginning than other music is.

    Args:
        features: of one piece's clips in order, `[n, D]`.
        window_seconds: of a clip, at most a minute.
        centre: mean features of other music, `[D]`.

    Raises:
        ValueError: if a minute holds no clip.
    """
    if not 0 < window_seconds <= MINUTE_SECONDS:
        raise ValueError(f"window_seconds must be in (0, 60]: got {window_seconds}")
    per_minute = int(MINUTE_SECONDS / window_seconds)
    minutes = len(features) // per_minute
    if minutes < 2:
        return np.zeros(0)
    means = (features[: minutes * per_minute] - centre).reshape(minutes, per_minute, -1).mean(axis=1)
    return paired_similarity(means[1:], np.broadcast_to(means[0], means[1:].shape))


def collapses(levels_db: NDArray[np.float64]) -> bool:
    """Whether a piece falls silent for more than `COLLAPSE_SECONDS`, at its end or on the way, after it has sounded.

    Args:
        levels_db: of each second, `[S]`.
    """
    sounding = np.flatnonzero(levels_db >= SILENCE_DB)
    if len(sounding) == 0:
        return len(levels_db) > 0
    gaps = np.diff(np.append(sounding, len(levels_db))) - 1
    return bool(gaps.max() > COLLAPSE_SECONDS)


def second_levels_db(path: Path) -> NDArray[np.float64]:
    """RMS of each second of a sound file relative to full scale, `[S]`, the last one perhaps short; -120 at the least.

    Raises:
        InputError: if it cannot be read as sound.
    """
    powers = [float(np.square(second, dtype=np.float64).mean()) for second in _seconds(path)]
    return np.asarray(10 * np.log10(np.maximum(np.array(powers), 1e-12)))


def _seconds(path: Path) -> Iterator[NDArray[np.float32]]:
    held = np.zeros(0, np.float32)
    for block in read_song(path, LISTENING_RATE_HZ, 1):
        held = np.concatenate([held, block[0]])
        while len(held) >= LISTENING_RATE_HZ:
            yield held[:LISTENING_RATE_HZ]
            held = held[LISTENING_RATE_HZ:]
    if len(held):
        yield held
