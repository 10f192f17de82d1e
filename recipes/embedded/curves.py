"""Made-up affect curves: where a film's emotion could go, covering the whole plane evenly.

Valence and arousal move independently, each in one of five manners. Levels are drawn so that over many curves every
part of [-1, 1] has its share: on the way from one level to another the middle is crossed more often, so the levels
of ramps and arcs lean outward.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve

MANNERS = {"steps": 0.42, "ramps": 0.22, "drift": 0.16, "arc": 0.14, "plateau": 0.06}
"""How often each manner is taken. Plateaus are rare: a model that sees only those learns that everything stays."""


def draw_curve(seed: int | tuple[int, ...], seconds: int) -> AffectCurve:
    """A random curve of `seconds` rows at 1 Hz; the same seed gives the same curve."""
    random = np.random.default_rng(seed)
    columns = []
    for _ in range(2):
        manner = random.choice(list(MANNERS), p=list(MANNERS.values()))
        columns.append(_DRAW[str(manner)](random, seconds))
    return AffectCurve(np.clip(np.stack(columns, axis=1), -1, 1))


def _steps(random: np.random.Generator, seconds: int) -> NDArray[np.float64]:
    """A level for 8 to 25 s, then another, reached within two seconds."""
    values = np.empty(seconds)
    at, level = 0, random.uniform(-1, 1)
    while at < seconds:
        stop = at + int(random.integers(8, 26))
        values[at:stop] = level
        if at > 0:
            values[at] = (values[at - 1] + level) / 2
        at, level = stop, _other_level(random, level)
    return values


def _ramps(random: np.random.Generator, seconds: int) -> NDArray[np.float64]:
    """Straight lines of 6 to 20 s between levels that hold for 2 to 10 s."""
    times, levels = [0], [random.uniform(-1, 1)]
    while times[-1] < seconds:
        holds, moves = int(random.integers(2, 11)), int(random.integers(6, 21))
        times += [times[-1] + holds, times[-1] + holds + moves]
        levels += [levels[-1], _other_level(random, levels[-1])]
    return np.interp(np.arange(seconds), times, np.sign(levels) * np.abs(levels) ** 0.6)


def _drift(random: np.random.Generator, seconds: int) -> NDArray[np.float64]:
    """An Ornstein-Uhlenbeck walk with a memory of 12 s, bent so that its values are uniform."""
    keep = math.exp(-1 / 12)
    value, values = random.normal(), []
    for _ in range(seconds):
        values.append(math.erf(value / math.sqrt(2)))
        value = keep * value + math.sqrt(1 - keep**2) * random.normal()
    return 1.1 * np.convolve(np.pad(values, 2, mode="edge"), np.full(5, 0.2), mode="valid")


def _arc(random: np.random.Generator, seconds: int) -> NDArray[np.float64]:
    """Calm, tension, release: a rise to a peak and a quicker fall, between two levels, either way up."""
    peak = seconds * random.uniform(0.45, 0.8)
    low, high = random.uniform(-1, -0.5), random.uniform(0.3, 1)
    rise = np.interp(np.arange(seconds), [0, 0.2 * peak, peak, 0.5 * (peak + seconds), seconds], [0, 0, 1, 0.2, 0])
    return np.asarray((low + (high - low) * rise) * random.choice([-1, 1]))


def _plateau(random: np.random.Generator, seconds: int) -> NDArray[np.float64]:
    """One level with a slow breath of a tenth."""
    phase, level = random.uniform(0, 2 * np.pi), random.uniform(-1, 1)
    return level + 0.1 * np.sin(2 * np.pi * np.arange(seconds) / 40 + phase)


def _other_level(random: np.random.Generator, level: float) -> float:
    """A level at least 0.3 away; moving round the circle of levels keeps all equally likely."""
    moved = level + random.uniform(0.3, 1.7)
    return float(moved - 2 if moved > 1 else moved)


_DRAW = {"steps": _steps, "ramps": _ramps, "drift": _drift, "arc": _arc, "plateau": _plateau}
