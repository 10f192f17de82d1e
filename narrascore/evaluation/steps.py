"""`metrics=steps`: how far and how fast each feature moves when the curve jumps.

    arousal, or valence    +.7   |‾‾‾‾‾‾‾‾|        |‾‾‾‾‾‾‾‾|
                           -.7 __|        |________|        |___     the other dimension rests at 0

Every row's music under these square waves is laid over itself at the jumps: the mean of all rises, and of all falls
turned over. A feature is a mean over a window of its own (1 to 8 s), so a jump is seen no faster than half of it; the
composer's row, whose music jumps at the next bar, shows how fast that is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from narrascore.affect import AffectCurve
from narrascore.evaluation.curves import EvaluationCurve, anchor_for
from narrascore.evaluation.figure import draw_steps
from narrascore.evaluation.intervals import Estimate, mean_over_pieces
from narrascore.evaluation.music import ComposePiece, Player, Progress, make_music, measure_sound, rows_of
from narrascore.evaluation.sound_features import SOUND_UNITS
from narrascore.evaluation.tables import DASH, Table, provenance, write_report
from narrascore.evaluation.tracking import PAIRS, RULED, Features, Pair, dimension_of
from narrascore.lexicon import STYLES
from narrascore.synthesis.note_features import UNITS, Feature, read_features

LEVEL = 0.7
HALF_PERIOD_SECONDS = 12
JUMPS = 4
BEFORE_SECONDS = 4
"""Shown before each jump; the plateau before it is the mean of these."""
PLATEAU_SECONDS = 4
"""At the end of a half period: the plateau that the jump led to."""

STEP_PAIRS = tuple(pair for pair in PAIRS if pair[1] not in RULED)


@dataclass(frozen=True)
class StepResponse:
    """One feature's mean way over a jump, in one row of music, over all its pieces.

    Attributes:
        way: `[BEFORE + HALF_PERIOD]`, the feature at 1 Hz from 4 s before the jump, falls turned over, less the
            plateau before.
        change: from plateau to plateau, in the feature's own unit, mean over pieces.
        half_seconds: from the jump until half of the change is there, between seconds linearly; nan if it is not clear
            of zero.
        rise_seconds: from a tenth of the change to nine tenths, likewise.
    """

    row: str
    pair: Pair
    way: Feature
    change: Estimate
    half_seconds: float
    rise_seconds: float


def run_steps(
    pipeline: Player,
    composer: ComposePiece | None,
    out_folder: Path,
    *,
    n: int = 24,
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> tuple[list[StepResponse], str]:
    """Measure how music answers jumps of one dimension.

    Args:
        pipeline: with the adapter to be measured; the gates are closed on a copy.
        composer: the ceiling.
        out_folder: gets `steps.md`, `.csv`, `.json`, `.png` and the music's codes.
        n: how many curves, half of them jump in arousal and half in valence.
        seed: of the music and the bootstrap.

    Raises:
        UsageError: if the pipeline's music is not notes.
    """
    curves = square_waves(n, seed)
    music = make_music(rows_of(pipeline, composer), curves, out_folder, progress)
    sound = measure_sound(music, curves, pipeline, out_folder, progress)
    features = {
        row: [read_features(codes) | heard for codes, heard in zip(pieces, sound[row], strict=True)]
        for row, pieces in music.items()
    }
    responses = measure_steps(features, curves, seed)
    records = [
        {"row": found.row, "pair": "-".join(found.pair), "unit": (UNITS | SOUND_UNITS)[found.pair[1]],
         **asdict(found.change), "half_seconds": found.half_seconds, "rise_seconds": found.rise_seconds,
         **{f"at {second:+d} s": value for second, value in enumerate(found.way, start=-BEFORE_SECONDS)}}
        for found in responses
    ]  # fmt: skip
    repeat = provenance(command, seed, n, level=LEVEL, half_period_seconds=HALF_PERIOD_SECONDS,
                        system=pipeline.describe())  # fmt: skip
    text = write_report(out_folder, "steps", "How far and how fast does the music move?", [_table(responses)], records,
                        repeat)  # fmt: skip
    ways = {pair: {found.row: found.way for found in responses if found.pair == pair} for pair in STEP_PAIRS}
    draw_steps(ways, BEFORE_SECONDS, out_folder / "steps.png")
    return responses, text


def square_waves(n: int, seed: int = 0) -> list[EvaluationCurve]:
    """`n` square waves, of arousal and of valence in turn, every other one upside down, in the styles in turn."""
    seconds = np.arange(HALF_PERIOD_SECONDS * (JUMPS + 1))
    wave = np.where(seconds // HALF_PERIOD_SECONDS % 2 == 0, -LEVEL, LEVEL)
    curves = []
    for index in range(n):
        jumps = ("arousal", "valence")[index % 2]
        values = np.zeros((len(seconds), 2), dtype=np.float32)
        values[:, 1 - index % 2] = wave if index // 2 % 2 == 0 else -wave
        curve, style = AffectCurve(values), list(STYLES)[index // 2 % len(STYLES)]
        shapes = ("steps", "rest") if jumps == "valence" else ("rest", "steps")
        resting = anchor_for(style, curve.adjust(gain=0.0))
        curves.append(
            EvaluationCurve(f"square-{jumps}-{index:02d}", style, shapes, curve, resting, seed * 1000 + index)
        )
    return curves


def measure_steps(
    features: Mapping[str, Sequence[Features]], curves: Sequence[EvaluationCurve], seed: int = 0
) -> list[StepResponse]:
    """Every row's answer in every feature.

    Args:
        features: for each row, the features of each piece in the order of the curves.
        curves: from `square_waves`.
        seed: of the bootstrap over pieces.
    """
    responses = []
    for pair in STEP_PAIRS:
        column = ("valence", "arousal").index(pair[0])
        for row, pieces in features.items():
            ways = [_way(piece[pair[1]], dimension_of(asked.curve, pair[0]))
                    for piece, asked in zip(pieces, curves, strict=True)
                    if asked.shapes[column] == "steps" and pair[1] in piece]  # fmt: skip
            if ways:
                way = np.mean(ways, axis=0)
                change = mean_over_pieces([float(one[-PLATEAU_SECONDS:].mean()) for one in ways], seed)
                clear = change.low > 0 or change.high < 0
                half, rise = _times(way, change.value) if clear else (math.nan, math.nan)
                responses.append(StepResponse(row, pair, way, change, half, rise))
    return responses


def _way(feature: Feature, asked: Feature) -> Feature:
    """The mean over a piece's jumps, falls turned over, less the plateau before."""
    ways = []
    for jump in np.flatnonzero(np.diff(asked)) + 1:
        around = feature[jump - BEFORE_SECONDS : jump + HALF_PERIOD_SECONDS]
        if len(around) == BEFORE_SECONDS + HALF_PERIOD_SECONDS:
            ways.append(np.sign(asked[jump] - asked[jump - 1]) * (around - around[:BEFORE_SECONDS].mean()))
    return np.asarray(np.mean(ways, axis=0))


def _times(way: Feature, change: float) -> tuple[float, float]:
    """Seconds from the jump to half of the change, and from a tenth of it to nine tenths."""
    share = way / change

    def first(level: float) -> float:
        above = np.flatnonzero(share >= level)
        if len(above) == 0:
            return math.nan
        at = int(above[0])
        if at == 0:
            return float(-BEFORE_SECONDS)
        return at - 1 + float((level - share[at - 1]) / (share[at] - share[at - 1])) - BEFORE_SECONDS

    return first(0.5), first(0.9) - first(0.1)


def _table(responses: Sequence[StepResponse]) -> Table:
    rows = [
        ["-".join(found.pair), found.row, (UNITS | SOUND_UNITS)[found.pair[1]], f"{found.change:.3g}",
         str(found.change.n), _seconds(found.half_seconds), _seconds(found.rise_seconds)]
        for found in responses
    ]  # fmt: skip
    note = (
        f"Square waves between -{LEVEL} and {LEVEL}, a jump every {HALF_PERIOD_SECONDS} s, the other dimension at 0. "
        "Change from plateau to plateau in the feature's own unit, mean over pieces with its 95 % bootstrap interval; "
        "half of it is there after so many seconds, and from a tenth to nine tenths it takes so many. A dash: the "
        "change is not clear of zero. Each feature is a mean over 1 to 8 s, which is part of every time here."
    )
    columns = ["pair", "music", "unit", "change", "pieces", "half after (s)", "rise (s)"]
    return Table("Answer to a jump", columns, rows, note)


def _seconds(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else DASH
