"""Held-out affect curves to measure on, each with a sentence that does not give it away.

The shapes and the seeds are this file's own; no training curve is drawn here. Valence and arousal get their shapes
independently, so that following one does not look like following the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.errors import UsageError
from narrascore.lexicon import STYLES, nearest_mood, nearest_pace

SHAPES = ("steps", "ramp", "arc", "drift")
MINIMUM_SPAN = 0.8
"""From the lowest to the highest value of each curve: less would ask for too little to be measured."""
DURATION_SECONDS = (48, 60)

Track = NDArray[np.float64]


@dataclass(frozen=True)
class EvaluationCurve:
    """One measurement: a curve at 1 Hz, and the sentence the music is asked for with.

    Attributes:
        name: `curve-00` and on.
        style: a key of `lexicon.STYLES`.
        shapes: the shapes of valence and of arousal, of `SHAPES`.
        seed: of the music made under it.
    """

    name: str
    style: str
    shapes: tuple[str, str]
    curve: AffectCurve
    anchor: MusicalAnchor
    seed: int

    @property
    def duration_seconds(self) -> int:
        return len(self.curve)


def evaluation_curves(
    n: int = 24,
    seed: int = 0,
    duration_seconds: tuple[int, int] = DURATION_SECONDS,
    anchor: MusicalAnchor | None = None,
) -> list[EvaluationCurve]:
    """`n` curves, the same for the same arguments; the first ones do not change when `n` grows.

    Styles come in turn, and the sixteen pairs of shapes in a shuffled order.

    Args:
        n: how many; at least 20 for a figure to be reported.
        seed: of shapes, values and music.
        duration_seconds: shortest and longest, both included.
        anchor: of every curve; by default each has that of its style and mean.

    Raises:
        UsageError: if there are too few curves for an interval, or they are too short to move.
    """
    shortest, longest = duration_seconds
    if n < 2 or not 8 <= shortest <= longest:
        raise UsageError(
            f"at least two curves of at least 8 s are needed: got n={n} and duration_seconds={duration_seconds}; "
            "a report takes 20 or more of 48 to 60 s"
        )
    pairs = [(valence, arousal) for valence in SHAPES for arousal in SHAPES]
    order = _random(seed, "shapes").permutation(len(pairs))
    curves = []
    for index in range(n):
        random = _random(seed, f"curve {index}")
        rows = int(random.integers(shortest, longest + 1))
        shapes = pairs[order[index % len(pairs)]]
        tracks = [_stretch(_DRAW[shape](random, rows), random) for shape in shapes]
        curve = AffectCurve(np.stack(tracks, axis=-1).astype(np.float32))
        style = list(STYLES)[index % len(STYLES)]
        curves.append(
            EvaluationCurve(
                f"curve-{index:02d}",
                style,
                shapes,
                curve,
                anchor or anchor_for(style, curve),
                int(random.integers(2**31)),
            )
        )
    return curves


def anchor_for(style: str, curve: AffectCurve) -> MusicalAnchor:
    """The style's usual instruments, with mood and pace from the curve's mean alone: nothing about its course."""
    valence, arousal = float(curve.valence.mean()), float(curve.arousal.mean())
    mood = nearest_mood(valence, arousal)
    palette = STYLES[style].palette
    melody, inner, bass = (palette[role] for role in ("melody", "inner", "bass"))
    others = " and ".join(dict.fromkeys(name for name in (inner, bass) if name != melody))
    return MusicalAnchor(
        genre=STYLES[style].phrase,
        instruments=f"{melody}, {others}",
        mood=f"{mood} and {nearest_mood(valence, arousal, frozenset({mood}))}",
        pace=nearest_pace(arousal),
        reader="evaluation",
    )


def _steps(random: np.random.Generator, rows: int) -> Track:
    """Two to four plateaus of at least 8 s, each at least 0.8 away from the one before."""
    count = int(random.integers(2, min(4, rows // 8) + 1)) if rows >= 16 else 2
    spare = rows - min(8, rows // 2) * count
    cuts = np.sort(random.integers(0, spare + 1, count - 1))
    starts = [0, *(cuts + min(8, rows // 2) * np.arange(1, count)).tolist(), rows]
    level = random.uniform(-0.9, 0.9)
    track = np.empty(rows)
    for start, stop in pairwise(starts):
        track[start:stop] = level
        level = random.uniform(-0.9, level - 0.8) if level > 0 else random.uniform(level + 0.8, 0.9)
    return track


def _ramp(random: np.random.Generator, rows: int) -> Track:
    """A straight way up or down between two held ends."""
    start = random.uniform(0, 0.35) * rows
    stop = random.uniform(0.65, 1) * rows
    return _way(random) * np.interp(np.arange(rows), [start, stop], [-1, 1])


def _arc(random: np.random.Generator, rows: int) -> Track:
    """One hill or valley of a raised cosine, its top anywhere in the middle half."""
    top = random.uniform(0.25, 0.75) * rows
    side = np.arange(rows) - top
    return _way(random) * np.cos(np.pi * side / np.where(side < 0, top, rows - top))


def _drift(random: np.random.Generator, rows: int) -> Track:
    """Three slow waves of periods between 18 and 70 s."""
    seconds = np.arange(rows)
    waves = [
        random.uniform(0.5, 1) * np.sin(2 * np.pi * (seconds / random.uniform(18, 70) + random.random()))
        for _ in range(3)
    ]
    return np.asarray(np.sum(waves, axis=0))


def _way(random: np.random.Generator) -> int:
    """Up or down, 1 or -1."""
    return int(random.choice([-1, 1]))


_DRAW: dict[str, Callable[[np.random.Generator, int], Track]] = {
    "steps": _steps,
    "ramp": _ramp,
    "arc": _arc,
    "drift": _drift,
}


def _stretch(track: Track, random: np.random.Generator) -> Track:
    """Bring a shape to a range of its own inside [-0.95, 0.95], at least `MINIMUM_SPAN` wide."""
    span = random.uniform(MINIMUM_SPAN + 0.1, 1.8)
    low = random.uniform(-0.95, 0.95 - span)
    return np.asarray(low + span * (track - track.min()) / np.ptp(track))


def _random(seed: int, what: str) -> np.random.Generator:
    """A generator of its own for each curve, in a seed space that no training uses."""
    digest = hashlib.sha256(f"narrascore evaluation {seed} {what}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
