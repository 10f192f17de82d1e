"""Do the features themselves hear what they are named for? Scores of known truth, and the composer's own notes.

The same score is written twice, slow and fast, soft and loud, minor and major, dissonant and consonant, and played by
the sampler with the instruments of each style. A feature that is named for the difference must be higher in the second
of the two; the share of pairs in which it is not is its error rate.

What is read from sound is then held against what is read from the notes of the composer's pieces: a correlation with a
curve that is reported for `sound mode` can be no better than the agreement that stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch

from narrascore.errors import UsageError
from narrascore.evaluation.curves import DURATION_SECONDS, anchor_for, evaluation_curves
from narrascore.evaluation.intervals import mean_over_pieces
from narrascore.evaluation.music import ComposePiece, Player, Progress
from narrascore.evaluation.sound_features import read_sound
from narrascore.evaluation.tables import Table, provenance, write_report
from narrascore.evaluation.tracking import pearson
from narrascore.lexicon import STYLES
from narrascore.synthesis.note_features import Codes, Feature, read_features
from narrascore.synthesis.score_codes import (
    BASS,
    DRUMS,
    DRUMS_HIGH,
    DRUMS_LOW,
    DYNAMICS,
    INNER,
    MELODY,
    PULSE,
    Note,
    dynamics_code,
    empty_score,
    pulse_code,
    write_notes,
)


class Writing(TypedDict, total=False):
    """How a known score is written; see `known_score`."""

    frames_per_sixteenth: int
    level: int
    minor: bool
    dissonant: bool


DIFFERENCES: dict[str, tuple[Writing, Writing, tuple[str, ...]]] = {
    "slow to fast": (
        {"frames_per_sixteenth": 5},
        {"frames_per_sixteenth": 3},
        ("onsets", "tempo", "sound onsets", "sound tempo", "flux"),
    ),
    "soft to loud": ({"level": 3}, {"level": 13}, ("dynamics", "loudness", "centroid")),
    "minor to major": ({"minor": True}, {}, ("mode", "sound mode")),
    "dissonant to consonant": ({"dissonant": True}, {}, ("consonance", "sound consonance")),
}
"""Name -> how the first and the second score are written, and the features that must rise."""
COUNTERPARTS = {
    "sound onsets": "onsets",
    "sound tempo": "tempo",
    "sound mode": "mode",
    "sound consonance": "consonance",
}
"""What is read from sound -> the same read from notes."""

BARS = 6
PROGRESSIONS = ((0, 9, 5, 7), (0, 5, 7, 0), (9, 5, 0, 7), (0, 4, 5, 7))
"""Roots of the chords, semitones above C; each chord is the triad of C major on its root."""
WHITE = (0, 2, 4, 5, 7, 9, 11)


@dataclass(frozen=True)
class KnownTruthReport:
    """Whether each feature rose in each pair, and how far sound agrees with notes within each piece.

    Attributes:
        rose: (difference, feature) -> one value for each pair, 1 or 0.
        agreement: feature of sound -> Pearson's r with its counterpart within each of the composer's pieces.
    """

    rose: Mapping[tuple[str, str], Sequence[float]]
    agreement: Mapping[str, Sequence[float]]
    seed: int

    def errors(self, difference: str, feature: str) -> tuple[int, int]:
        """How many pairs the feature orders wrongly, and of how many."""
        rose = self.rose[difference, feature]
        return sum(value == 0 for value in rose), len(rose)


def run_known_truth(
    pipeline: Player,
    composer: ComposePiece | None,
    out_folder: Path,
    *,
    n: int = 24,
    seed: int = 0,
    duration_seconds: tuple[int, int] = DURATION_SECONDS,
    command: str = "",
    progress: Progress | None = None,
) -> tuple[KnownTruthReport, str]:
    """Measure the features on scores of known truth and on the composer's pieces.

    Args:
        pipeline: whose sampler plays; its music model is not asked.
        composer: without it what is read from sound is held against nothing.
        out_folder: gets `known_truth.md`, `.csv` and `.json`.
        n: how many scores, and how many of the composer's pieces.
        seed: of the scores and the composer's curves.
        duration_seconds: of the composer's pieces.
        command: what was typed, for the record.
        progress: told what is being played.

    Raises:
        UsageError: if the pipeline plays no notes.
    """
    if not pipeline.writes_notes:
        raise UsageError("known truth is played from notes, and this system plays none: use system=embedded")
    rose: dict[tuple[str, str], list[float]] = {}
    for number in range(n):
        if progress is not None:
            progress(f"known truth: score {number + 1} of {n}")
        for pair, wins in compare_pairs(pipeline, number, seed).items():
            rose.setdefault(pair, []).append(wins)
    agreement: dict[str, list[float]] = {name: [] for name in COUNTERPARTS}
    for asked in evaluation_curves(n, seed, duration_seconds) if composer else []:
        assert composer is not None
        if progress is not None:
            progress(f"the composer's {asked.name}: sound beside notes")
        codes = np.asarray(composer(asked.curve, asked.style, asked.seed, asked.duration_seconds).codes)
        codec = pipeline.musicgen.codec.for_anchor(asked.anchor)
        heard = read_sound(codec.decode(torch.from_numpy(codes.astype(np.int64))), codec.sample_rate_hz)
        written = read_features(codes)
        for name, counterpart in COUNTERPARTS.items():
            agreement[name].append(pearson(written[counterpart], heard[name]))
    report = KnownTruthReport(rose, agreement, seed)
    records = [{"difference": difference, "feature": feature, "pair": pair, "rose": value}
               for (difference, feature), values in rose.items() for pair, value in enumerate(values)]  # fmt: skip
    records += [{"difference": "composer's pieces", "feature": name, "pair": piece, "rose": value}
                for name, values in agreement.items() for piece, value in enumerate(values)]  # fmt: skip
    repeat = provenance(command, seed, n, duration_seconds=list(duration_seconds))
    text = write_report(out_folder, "known_truth", "Do the features hear what they are named for?", _tables(report),
                        records, repeat)  # fmt: skip
    return report, text


def compare_pairs(pipeline: Player | None, number: int, seed: int = 0) -> dict[tuple[str, str], float]:
    """(difference, feature) -> 1 where the feature is higher in the second score of the pair, 0 where it is not.

    Args:
        pipeline: plays the scores; None compares what is read from notes alone.
        number: of the score; it takes the styles in turn.
    """
    style = list(STYLES)[number % len(STYLES)]
    seen: dict[str, dict[str, float]] = {}

    def means(how: Writing) -> dict[str, float]:
        if str(how) not in seen:
            features = _listen(known_score(number, seed, **how), style, pipeline)
            seen[str(how)] = {name: float(feature.mean()) for name, feature in features.items()}
        return seen[str(how)]

    wins: dict[tuple[str, str], float] = {}
    for difference, (first, second, names) in DIFFERENCES.items():
        before, after = means(first), means(second)
        wins |= {(difference, name): float(after[name] > before[name]) for name in names if name in before}
    return wins


def known_score(
    number: int,
    seed: int = 0,
    *,
    frames_per_sixteenth: int = 4,
    level: int = 8,
    minor: bool = False,
    dissonant: bool = False,
) -> Codes:
    """A plain score of six bars in C, `[K, T]`: chords, a bass, a melody of chord tones and
    a hat on the eighths, a kick on the quarters.

    Args:
        number, seed: the same ones give the same notes, whatever the rest says.
        frames_per_sixteenth: the tempo; the notes keep their places in the bar.
        level: of the dynamics, 0 to 15.
        minor: E, A and B become E flat, A flat and B flat.
        dissonant: each chord's third and fifth move to a semitone and a tritone above its root.
    """
    random = np.random.default_rng([seed, number])
    roots = PROGRESSIONS[int(random.integers(len(PROGRESSIONS)))]
    codes = empty_score(BARS * 16 * frames_per_sixteenth)
    notes = []

    def play(voice: int, start: int, sixteenths: int, pitch: int) -> None:
        flat = minor and voice not in DRUMS and pitch % 12 in (4, 9, 11)
        at, stop = start * frames_per_sixteenth, (start + sixteenths) * frames_per_sixteenth
        notes.append(Note(at, stop, voice, pitch - flat))

    for bar in range(BARS):
        root = roots[bar % len(roots)]
        degree = WHITE.index(root)
        steps = [WHITE[(degree + 2 * i) % 7] for i in range(3)]
        chord = (steps[0], steps[0] + 1, steps[0] + 6) if dissonant else steps
        play(BASS, 16 * bar, 16, 36 + root)
        for voice, step in zip(INNER, chord, strict=True):
            play(voice, 16 * bar, 16, 48 + step % 12)
        for eighth in range(8):
            play(MELODY, 16 * bar + 2 * eighth, 2, 60 + int(random.choice(steps)))
            play(DRUMS_HIGH, 16 * bar + 2 * eighth, 2, 42)
            if eighth % 2 == 0:
                play(DRUMS_LOW, 16 * bar + 2 * eighth, 2, 36)
    write_notes(codes, notes)
    for sixteenth in range(16 * BARS):
        place = pulse_code(frames_per_sixteenth, sixteenth % 16, sixteenth // 16 % 4)
        codes[PULSE, sixteenth * frames_per_sixteenth] = place
    codes[DYNAMICS, 0] = dynamics_code(level)
    return codes


def _listen(codes: Codes, style: str, pipeline: Player | None) -> dict[str, Feature]:
    features = read_features(codes)
    if pipeline is None:
        return features
    neutral = evaluation_curves(2)[0].curve.adjust(gain=0.0)
    codec = pipeline.musicgen.codec.for_anchor(anchor_for(style, neutral))
    return features | read_sound(codec.decode(torch.from_numpy(codes.astype(np.int64))), codec.sample_rate_hz)


def _tables(report: KnownTruthReport) -> list[Table]:
    rows = []
    for difference, feature in report.rose:
        wrong, pairs = report.errors(difference, feature)
        rows.append([difference, feature, f"{wrong / pairs:.0%}", f"{wrong} of {pairs}"])
    known = Table(
        "Scores of known truth", ["the same score", "feature", "error rate", "wrong"], rows,
        "Share of pairs whose second score the feature does not put higher. The "
        "centroid rises with loudness because the instruments get brighter, which is no matter of gain.",
    )  # fmt: skip
    against = [
        [name, counterpart, str(mean_over_pieces(report.agreement[name], report.seed))]
        for name, counterpart in COUNTERPARTS.items()
    ]
    note = (
        "Pearson's r over the seconds of a piece by the rule composer, mean over pieces with its interval. A dash: "
        "there is no composer outside a checkout."
    )
    return [known, Table("Sound beside notes", ["read from sound", "read from notes", "agreement"], against, note)]
