"""Spotting: a proposal of where a film wants music, from its curve, its cuts and its own sound.

The rules, with their sources; what has none is ours:

- Music belongs where emotion is strong or moves: it is the film's signifier of emotion (Gorbman 1987, Unheard Melodies,
  chapter 4). Strong is pleasant or unpleasant, and excited, beside the rest of this film; it moves where valence and
  arousal over the 8 s after a moment differ from those over the 8 s before it. A move by itself is middling emotion.
- It stands back from speech (Gorbman's inaudibility: music is subordinate to dialogue), unless emotion is strong: then
  it plays on, and the duck makes room. So each second speaks for music or against it by

      emotion - speech x (1 - emotion) - BAR

- Of all ways to lay out cues of at least 12 s and gaps of at least 8 s, the one is proposed whose seconds say most,
  less a cost for every beginning and end, so that music does not come and go for little.
- Beginnings and ends cost less at a cut and in a pause of the film's sound: that moves them by a few seconds to where
  editors put them, and where they are least noticed.
- A film that ends near music ends with it, faded longer than other cues: the end is worth some seconds.
- A film that nothing speaks for music in still gets some: the bar is lowered until there is a cue.

A film's own music is not told from its other steady sound, so it does not keep new music away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.cues import FADE_IN_SECONDS, FADE_OUT_SECONDS, Cue, whole_film
from narrascore.media.film import Film
from narrascore.media.hearing import FilmSound, hear_film
from narrascore.perception.cinematic import STATE_NAMES, CinematicEye, cut_times
from narrascore.perception.reading import FilmReading

SHORTEST_CUE_SECONDS, SHORTEST_GAP_SECONDS = 12, 8
ENDING_FADE_SECONDS = Fraction(3)

CONTEXT_SECONDS = 8
MOVE_WORTH = 0.5
LEAST_SPREAD = 0.2
"""Strength and moves count beside how much strength varies over the film; one that varies by less than this is not
stretched to seem to have strong and weak moments."""

BAR = 0.25
"""Middling emotion without speech is clear of it by as much as the calmest seconds are under it."""
EDGE_COST = 1.5
"""In seconds of the clearest music, for each beginning and end inside the film ..."""
CUT_WORTH, PAUSE_WORTH = 0.5, 0.5
"""... less this at a cut, and this in a pause of the film's sound."""
ENDING_WORTH = 2.0

Values = NDArray[np.float64]


def spot_film(
    film: Film,
    reading: FilmReading,
    curve: AffectCurve,
    *,
    track: int | None = 0,
    progress: Callable[[float], None] | None = None,
) -> tuple[Cue, ...]:
    """Propose the cues of a film.

    Args:
        film: its sound is listened to once, if it has any.
        reading: the eye's; cuts are known from the embedded eye alone, and others are done without.
        curve: where the emotion goes.
        track: the film's sound track; None leaves its sound aside.
        progress: told the share of the sound that was heard.
    """
    cuts: list[float] = []
    if reading.eye == CinematicEye.name:
        state = dict(zip(STATE_NAMES, reading.states.T, strict=True))
        cuts = cut_times(state["cuts"], state["first_cut_seconds"], state["last_cut_seconds"])
    sound = hear_film(film, track, progress) if film.audio_tracks and track is not None else None
    return propose_cues(curve, film.duration_seconds, cuts=cuts, sound=sound)


def propose_cues(
    curve: AffectCurve,
    duration_seconds: Fraction | float,
    *,
    cuts: Sequence[float] = (),
    sound: FilmSound | None = None,
) -> tuple[Cue, ...]:
    """Propose cues by the rules above.

    Args:
        curve: where the emotion goes.
        duration_seconds: of the film; one shorter than a cue has music all along.
        cuts: film times of its hard cuts.
        sound: the film's own; without it nobody speaks.
    """
    duration = Fraction(duration_seconds)
    total = math.ceil(duration)
    if total < SHORTEST_CUE_SECONDS:
        return whole_film(duration)
    emotion, speech = _emotion(curve.at(np.arange(total) + 0.5)), np.zeros(total)
    if sound is not None:
        heard = sound.speech()[:total]
        speech[: len(heard)] = heard
    worth, moments = _edges(total, cuts, [] if sound is None else sound.pauses())
    stretches: list[tuple[int, int]] = []
    bar = BAR
    while not stretches:
        stretches = _best_layout(emotion - speech * (1 - emotion) - bar, worth - EDGE_COST)
        bar -= 0.1
    return tuple(
        Cue(
            Fraction(0) if start == 0 else moments[start],
            duration if stop == total else moments[stop],
            Fraction(0) if start == 0 else FADE_IN_SECONDS,
            ENDING_FADE_SECONDS if stop == total else FADE_OUT_SECONDS,
        )
        for start, stop in stretches
    )


def _emotion(values: NDArray[np.float32]) -> Values:
    """How strong emotion is in each second, or how far it moves there, whichever is more: `[F]` in [0, 1]."""
    strength = np.abs(values[:, 0]).astype(np.float64) + (1 + values[:, 1]) / 2
    low, high = np.quantile(strength, [0.1, 0.9])
    spread = max(high - low, LEAST_SPREAD)
    strong = np.clip(0.5 + (strength - (low + high) / 2) / spread, 0, 1)
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(values, axis=0, dtype=np.float64)])
    rows = np.arange(len(values))
    before, after = np.maximum(rows - CONTEXT_SECONDS, 0), np.minimum(rows + CONTEXT_SECONDS, len(values))
    left = (sums[rows] - sums[before]) / np.maximum(rows - before, 1)[:, None]
    right = (sums[after] - sums[rows]) / (after - rows)[:, None]
    moved = np.where(rows > 0, np.linalg.norm(right - left, axis=1), 0.0)
    return np.asarray(np.maximum(strong, MOVE_WORTH * np.clip(moved / spread, 0, 1)))


def _edges(total: int, cuts: Sequence[float], pauses: Sequence[tuple[float, float]]) -> tuple[Values, list[Fraction]]:
    """What each whole second is worth as a beginning or end, and the moment that is meant by it: a cut within half a
    second, else the nearest moment of a pause, else the second itself. `[F + 1]` each."""
    nearest: dict[int, float] = {}
    for cut in cuts:
        second = round(cut)
        if abs(cut - second) < abs(nearest.get(second, math.inf) - second):
            nearest[second] = cut
    quiet: dict[int, float] = {}
    for start, stop in pauses:
        for second in range(math.ceil(start - 0.5), math.floor(stop + 0.5) + 1):
            quiet.setdefault(second, min(max(start, second), stop))
    worth = [CUT_WORTH * (second in nearest) + PAUSE_WORTH * (second in quiet) for second in range(total + 1)]
    moments = [nearest.get(second, quiet.get(second, float(second))) for second in range(total + 1)]
    return np.array(worth), [Fraction(round(1000 * moment), 1000) for moment in moments]


def _best_layout(gains: Values, edges: Values) -> list[tuple[int, int]]:
    """Cues (start, stop) in whole seconds whose seconds and edges add up to the most.

    Args:
        gains: what music is worth in each second, `[F]`, F at least a cue's shortest length.
        edges: what a cue's beginning or end is worth at each second, `[F + 1]`; at the film's own ends it is free.
    """
    total, sums = len(gains), np.concatenate([[0.0], np.cumsum(gains)]).tolist()
    edge = [0.0, *edges[1:].tolist()]
    # The best sum of the film's first seconds if a cue ends with them, or a gap, and where that one began.
    music, rest = [0.0] + [-math.inf] * total, [0.0] + [-math.inf] * total
    began, ceased = [0] * (total + 1), [0] * (total + 1)
    entry, entry_at, leave, leave_at = -math.inf, 0, -math.inf, 0
    for now in range(1, total + 1):
        start = now - SHORTEST_CUE_SECONDS
        if start >= 0 and rest[start] + edge[start] - sums[start] > entry:
            entry, entry_at = rest[start] + edge[start] - sums[start], start
        stop = now - SHORTEST_GAP_SECONDS
        if stop >= 0 and music[stop] + edge[stop] > leave:
            leave, leave_at = music[stop] + edge[stop], stop
        music[now], began[now] = entry + sums[now], entry_at
        rest[now], ceased[now] = leave, leave_at
    found: list[tuple[int, int]] = []
    now = total if music[total] + ENDING_WORTH >= rest[total] else ceased[total]
    while now > 0:
        found.append((began[now], now))
        now = ceased[began[now]]
    return found[::-1]
