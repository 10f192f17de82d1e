"""Is it music at all? Statistics of the notes beside those of the corpus, within 15 % or not.

The statistics are muspy's (Dong et al., ISMIR 2020; entropy and groove after Wu and Yang, ISMIR 2020; scale
consistency after Mogren 2016; polyphony after Dong et al., AAAI 2018), except the share of empty beats: muspy's ends
with the last note and counts the beat in which a note ends on the line as sounding, so it would miss music that
collapses to silence.

Entropy and scale consistency depend on how much is looked at, so every piece is cut into stretches of 30 s and is the
mean of them. Notes are put on the grid of sixteenths that the score's own pulse sets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import UsageError
from narrascore.evaluation.intervals import Estimate, mean_over_pieces, ratio_of_groups
from narrascore.synthesis.score_codes import (
    DRUMS,
    FRAME_RATE_HZ,
    FRAMES_PER_SIXTEENTH,
    PULSE,
    SIXTEENTHS_PER_BAR_MAX,
    Note,
    cut_out,
    read_notes,
    read_pulse,
)

if TYPE_CHECKING:
    from muspy import Music

STRETCH_SECONDS = 30
SIXTEENTHS_PER_BEAT = 4
TOLERANCE = 0.15
CORPUS = "corpus"
HALVINGS = 200

STATISTICS = {
    "pitch-class entropy": "bit",
    "scale consistency": "share of notes in the best scale",
    "groove consistency": "1 - differing sixteenths of neighbouring bars",
    "polyphony": "sounding pitches",
    "polyphony rate": "share of sixteenths with more than two",
    "empty beats": "share of beats",
    "sounding beats": "share of beats",
}
"""Every statistic and its unit."""

Codes = NDArray[np.integer]
Statistics = dict[str, float]


@dataclass(frozen=True)
class SanityReport:
    """Statistics of every piece of every row, one of them the corpus."""

    pieces: Mapping[str, Sequence[Statistics]]
    seed: int

    def values(self, row: str, name: str) -> NDArray[np.float64]:
        """One value for each piece, `[n]`."""
        return np.array([piece[name] for piece in self.pieces[row]], dtype=np.float64)

    def estimate(self, row: str, name: str) -> Estimate:
        """The mean over pieces with its interval."""
        return mean_over_pieces(self.values(row, name), self.seed)

    def ratio(self, row: str, name: str) -> Estimate:
        """The row's mean over the corpus's."""
        return ratio_of_groups(self.values(row, name), self.values(CORPUS, name), self.seed)

    def within(self, row: str, name: str) -> bool | None:
        """Whether the row lies within 15 % of the corpus; None if there is no ratio."""
        ratio = self.ratio(row, name).value
        return abs(ratio - 1) <= TOLERANCE if math.isfinite(ratio) else None

    def floor(self, name: str) -> float:
        """How far apart the corpus is from itself: 95 % of random halvings differ by less than this, as a share."""
        values = self.values(CORPUS, name)
        values = values[np.isfinite(values)]
        rng = np.random.default_rng(self.seed)
        apart = []
        for _ in range(HALVINGS if len(values) >= 2 else 0):
            order = rng.permutation(len(values))
            one, other = (float(values[half].mean()) for half in np.array_split(order, 2))
            if other > 0:
                apart.append(abs(one / other - 1))
        return float(np.percentile(apart, 95)) if apart else (0.0 if len(values) >= 2 else math.nan)


def measure_sanity(music: Mapping[str, Sequence[Codes]], seed: int = 0) -> SanityReport:
    """Statistics of each row's pieces; one row must be `CORPUS`.

    Args:
        music: score codes `[K, T]` of each row's pieces.
        seed: of the bootstrap and the halvings.

    Raises:
        UsageError: if the corpus is missing.
    """
    if not music.get(CORPUS):
        raise UsageError("sanity compares with the corpus and got none: give its shards (--data FOLDER), or run in a "
                         "checkout, where the recipe's composer stands in")  # fmt: skip
    return SanityReport({row: [piece_statistics(codes) for codes in pieces] for row, pieces in music.items()}, seed)


def piece_statistics(codes: Codes) -> Statistics:
    """The statistics of one piece `[K, T]`: the mean over its stretches of 30 s, or the whole if it is shorter.

    A note that holds over a cut begins anew in the stretch after it, where a bare slice would leave silence.
    """
    score, size = np.asarray(codes, dtype=np.int16), STRETCH_SECONDS * FRAME_RATE_HZ
    starts = range(0, max(1, score.shape[1] - size + 1), size)
    stretches = [stretch_statistics(cut_out(score, start, min(start + size, score.shape[1]))) for start in starts]
    return {name: _mean([stretch[name] for stretch in stretches]) for name in STATISTICS}


def stretch_statistics(codes: Codes) -> Statistics:
    """The statistics of one stretch `[K, T]`, taken as a whole; nan where it has no notes to tell."""
    muspy = _muspy()
    notes = read_notes(np.asarray(codes, dtype=np.int16))
    sixteenths = sixteenth_grid(codes)
    music = muspy_music(notes, sixteenths)
    bar = sixteenths_per_bar(codes)
    empty = empty_beat_rate(notes, sixteenths)
    return {
        "pitch-class entropy": float(muspy.pitch_class_entropy(music)),
        "scale consistency": float(muspy.scale_consistency(music)),
        "groove consistency": float(muspy.groove_consistency(music, bar)) if notes else math.nan,
        "polyphony": float(muspy.polyphony(music)),
        "polyphony rate": float(muspy.polyphony_rate(music)) if notes else math.nan,
        "empty beats": empty,
        "sounding beats": 1 - empty,
    }


def empty_beat_rate(notes: Sequence[Note], sixteenths: NDArray[np.int64]) -> float:
    """Share of the beats in which nothing sounds, from the first frame to the last.

    Args:
        notes: of a score of T frames.
        sixteenths: `sixteenth_grid` of the score, `[T]`.
    """
    beats = sixteenths // SIXTEENTHS_PER_BEAT
    beats = beats - beats[0]
    sounding = np.zeros(int(beats[-1]) + 1, dtype=bool)
    for note in notes:
        sounding[beats[note.start] : beats[note.stop - 1] + 1] = True
    return float(1 - sounding.mean())


def sixteenth_grid(codes: Codes) -> NDArray[np.int64]:
    """The sixteenth that each frame belongs to, `[T]`, by the pulse codebook; the first is 0 to 3, its place in a beat.

    Between pulses time runs at the tempo in force. A pulse snaps it to the nearest line, so a grid with a pulse
    missing or too many still counts sixteenths. Without any pulse a sixteenth is the middle one, 4 frames.
    """
    frames = codes.shape[1]
    read = [(frame, pulse) for frame, code in enumerate(codes[PULSE]) if (pulse := read_pulse(int(code)))]
    pulses = [(frame, pulse[0]) for frame, pulse in read]
    places = [pulse[1] for _, pulse in read]
    if not pulses:
        return np.arange(frames) // FRAMES_PER_SIXTEENTH[2]
    grid = np.empty(frames, dtype=np.int64)
    (first, length), place = pulses[0], places[0]
    before = -(-first // length)  # sixteenths that begin before the first pulse, the first of them perhaps cut short
    line = before + (place - before) % SIXTEENTHS_PER_BEAT  # so that beats begin where the pulse says they do
    grid[:first] = line - 1 - (first - 1 - np.arange(first)) // length
    stops = [frame for frame, _ in pulses[1:]] + [frames]
    for (start, length), stop in zip(pulses, stops, strict=True):
        lines = max(1, round((stop - start) / length))
        grid[start:stop] = line + np.minimum(np.arange(stop - start) // length, lines - 1)
        line += lines
    return grid


def sixteenths_per_bar(codes: Codes) -> int:
    """The usual bar's length by the pulse codebook: 16 for 4/4, 12 for 3/4; 16 if no bar is whole."""
    places = [pulse[1] for code in codes[PULSE] if (pulse := read_pulse(int(code)))]
    lines = [i for i, place in enumerate(places) if place == 0]
    bars = np.diff(lines)
    bars = bars[bars <= SIXTEENTHS_PER_BAR_MAX]
    return int(np.bincount(bars).argmax()) if len(bars) else SIXTEENTHS_PER_BAR_MAX


def muspy_music(notes: Sequence[Note], sixteenths: NDArray[np.int64]) -> Music:
    """The notes as muspy has them: times in sixteenths, four to the beat, pitched voices and percussion as tracks."""
    muspy = _muspy()
    tracks = (muspy.Track(is_drum=False), muspy.Track(is_drum=True))
    for note in notes:
        start = int(sixteenths[note.start])
        duration = max(1, int(sixteenths[note.stop - 1]) + 1 - start)
        tracks[note.voice in DRUMS].notes.append(muspy.Note(start, note.pitch, duration))
    return muspy.Music(resolution=SIXTEENTHS_PER_BEAT, tracks=list(tracks))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _muspy() -> ModuleType:
    try:
        import muspy
    except ImportError as error:
        raise UsageError("metrics=sanity needs muspy: pip install 'narrascore[evaluate]'") from error
    return cast(ModuleType, muspy)
