"""Can the joins of the windows be heard? Jumps at the joins beside jumps at other places of the same music.

A jump is how far the two seconds after a frame are from the two seconds before it: in energy, in notes begun, in
chroma. Music jumps everywhere, so the question is whether it does so more where one window's tokens end and the next
one's begin. Each join is compared with random places of its own piece: labels are exchanged within pieces (a
permutation test), so that a piece that jumps much everywhere proves nothing.

    join                   |                     |                     |
    music   ...============|=====================|=====================|==========...
    places  ..  x   x  xx  . x  x    x  xx  x    .   x x  x    xx  x   .  x x  x   ..    2 s clear of a join

The places lie no further from a join than half of what a window adds: how a piece opens and ends is not compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from narrascore.anchor import MusicalAnchor
from narrascore.errors import UsageError
from narrascore.evaluation.curves import EvaluationCurve, evaluation_curves
from narrascore.evaluation.intervals import Estimate, mean_over_pieces, ratio_of_pairs
from narrascore.evaluation.music import Codes, Player, Progress, make_music, rows_of
from narrascore.evaluation.tables import Table, provenance, write_report
from narrascore.synthesis.score_codes import FRAME_RATE_HZ, PITCHED, read_notes
from narrascore.windows import continuation_windows

DURATION_SECONDS = (90, 120)
"""Three to five joins where a window of 30 s adds 18 s."""
REACH_SECONDS = 2.0
"""How much music a jump compares on either side: a bar, more or less."""
PLACES_PER_JOIN = 8
PERMUTATIONS = 10_000
SOFTEST_DB = -70.0
CHUNK_SECONDS = 10

MEASURES = {
    "energy": "dB between the two sides",
    "onsets": "notes begun per second, between the two sides",
    "chroma": "1 - cosine of the two sides' pitch classes",
}
"""Every jump that is measured, and its unit."""


@dataclass(frozen=True)
class Jump:
    """What changes at one frame of one piece; nan where a side says nothing."""

    piece: str
    join: bool
    frame: int
    energy: float
    onsets: float
    chroma: float


@dataclass(frozen=True)
class SeamTest:
    """One measure at the joins and elsewhere: means over pieces, their ratio, and how likely chance alone is.

    Attributes:
        p: two-sided; the share of exchanged labels under which the means are as far apart.
        joins, places: how many jumps of each kind were compared.
    """

    at_joins: Estimate
    elsewhere: Estimate
    ratio: Estimate
    p: float
    joins: int
    places: int


@dataclass(frozen=True)
class SeamReport:
    """All jumps of all pieces."""

    jumps: tuple[Jump, ...]
    seed: int

    def test(self, measure: str) -> SeamTest:
        """Compare the joins with the other places by one of `MEASURES`."""
        pieces = [self._values(piece, measure) for piece in dict.fromkeys(jump.piece for jump in self.jumps)]
        pieces = [(joins, others) for joins, others in pieces if len(joins) and len(others)]
        at_joins = [float(joins.mean()) for joins, _ in pieces]
        elsewhere = [float(others.mean()) for _, others in pieces]
        return SeamTest(
            mean_over_pieces(at_joins, self.seed),
            mean_over_pieces(elsewhere, self.seed),
            ratio_of_pairs(at_joins, elsewhere, self.seed),
            permutation_p(pieces, self.seed),
            sum(len(joins) for joins, _ in pieces),
            sum(len(others) for _, others in pieces),
        )

    def _values(self, piece: str, measure: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        own = [jump for jump in self.jumps if jump.piece == piece and math.isfinite(getattr(jump, measure))]
        joins, others = ([getattr(jump, measure) for jump in own if jump.join is kind] for kind in (True, False))
        return np.array(joins, dtype=np.float64), np.array(others, dtype=np.float64)


def run_seams(
    pipeline: Player,
    out_folder: Path,
    *,
    n: int = 12,
    seed: int = 0,
    duration_seconds: tuple[int, int] = DURATION_SECONDS,
    anchor: MusicalAnchor | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> tuple[SeamReport, str]:
    """Measure whether joins are heard, over music of several windows a piece.

    Args:
        pipeline: as it scores films, with its adapter if it has one.
        out_folder: gets `seams.md`, `.csv`, `.json` and, in `seams/`, the music's codes.
        n: how many curves.
        seed: of curves, music, places, permutations and bootstrap.
        duration_seconds: shortest and longest curve.
        anchor: asked for under every curve, instead of each curve's own.
        command: what was typed, for the record.
        progress: told what is being made.

    Returns:
        The measurements, and the Markdown that was written.

    Raises:
        UsageError: if the pipeline's music is not notes, or a piece has no join.
    """
    rows = rows_of(pipeline, None)
    window, prompt = pipeline.musicgen.window_frames, pipeline.musicgen.prompt_frames
    shortest = duration_seconds[0] * FRAME_RATE_HZ - round(REACH_SECONDS * FRAME_RATE_HZ)
    if shortest < window:
        raise UsageError(
            f"seams needs pieces of more than one window of {window / FRAME_RATE_HZ:g} s: got duration_seconds="
            f"{list(duration_seconds)}; a report takes {list(DURATION_SECONDS)}"
        )
    curves = evaluation_curves(n, seed, duration_seconds, anchor)
    name = next(iter(rows))  # steered, where there is an adapter
    music = make_music({name: rows[name]}, curves, out_folder / "seams", progress)[name]
    if progress is not None:
        progress(f"{name}: listening to {len(music)} pieces")
    jumps: list[Jump] = []
    for number, (codes, asked) in enumerate(zip(music, curves, strict=True)):
        joins = [one.new_start for one in continuation_windows(codes.shape[1], window, prompt)[1:]]
        random = np.random.default_rng([seed, number])
        places = draw_places(codes.shape[1], joins, (window - prompt) // 2, random)
        jumps += measure_jumps(asked.name, codes, _energy(pipeline, codes, asked), joins, places)
    report = SeamReport(tuple(jumps), seed)
    repeat = provenance(command, seed, n, duration_seconds=list(duration_seconds), row=name,
                        system=pipeline.describe())  # fmt: skip
    text = write_report(out_folder, "seams", "Can the joins of the windows be heard?", [_table(report)],
                        [asdict(jump) for jump in jumps], repeat)  # fmt: skip
    return report, text


def measure_jumps(
    piece: str, codes: Codes, energy: NDArray[np.float64], joins: Sequence[int], places: Sequence[int]
) -> list[Jump]:
    """The jumps of one piece.

    Args:
        piece: its name.
        codes: score codes `[K, T]`, 25 Hz.
        energy: mean square of the sound in each frame, `[T]`.
        joins, places: frames, at which the two sides meet. Those without a whole side are left out.
    """
    reach, frames = round(REACH_SECONDS * FRAME_RATE_HZ), codes.shape[1]
    begun, chroma = np.zeros(frames), np.zeros((12, frames))
    for note in read_notes(np.asarray(codes, dtype=np.int16)):
        begun[note.start] += 1
        if note.voice in PITCHED:
            chroma[note.pitch % 12, note.start : note.stop] += 1
    jumps = []
    for frame in (*joins, *places):
        if not reach <= frame <= frames - reach:
            continue
        before, after = slice(frame - reach, frame), slice(frame, frame + reach)
        jumps.append(Jump(
            piece, frame in joins, int(frame),
            energy=abs(_decibels(energy[after]) - _decibels(energy[before])),
            onsets=abs(float(begun[after].sum() - begun[before].sum())) / REACH_SECONDS,
            chroma=_distance(chroma[:, before].sum(axis=1), chroma[:, after].sum(axis=1)),
        ))  # fmt: skip
    return jumps


def draw_places(frames: int, joins: Sequence[int], around: int, random: np.random.Generator) -> list[int]:
    """Random frames of a piece to compare its joins with, `PLACES_PER_JOIN` a join, or all that there are.

    Args:
        frames: T.
        joins: at least one.
        around: no place is further than this from a join.
        random: draws them, without putting back.
    """
    reach = round(REACH_SECONDS * FRAME_RATE_HZ)
    distance = np.abs(np.arange(frames)[:, None] - np.array(joins)[None]).min(axis=1)
    free = np.flatnonzero((distance >= reach) & (distance <= around))
    free = free[(free >= reach) & (free <= frames - reach)]
    return sorted(random.permutation(free)[: PLACES_PER_JOIN * len(joins)].tolist())


def permutation_p(pieces: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], seed: int = 0) -> float:
    """How likely the two kinds are as far apart by chance: labels exchanged within each piece, both sides counted.

    Args:
        pieces: the values at the joins and elsewhere, of each piece.
        seed: of the permutations.

    Returns:
        In (0, 1]; nan without pieces.
    """
    if not pieces:
        return math.nan
    random = np.random.default_rng(seed)
    observed = np.mean([joins.mean() - others.mean() for joins, others in pieces])
    exchanged = np.zeros(PERMUTATIONS)
    for joins, others in pieces:
        pool = np.concatenate([joins, others])
        drawn = random.permuted(np.tile(pool, (PERMUTATIONS, 1)), axis=1)[:, : len(joins)].sum(axis=1)
        exchanged += drawn / len(joins) - (pool.sum() - drawn) / len(others)
    as_far = np.abs(exchanged / len(pieces)) >= abs(observed) - 1e-12
    return float((as_far.sum() + 1) / (PERMUTATIONS + 1))


def energy_of_frames(blocks: Iterable[ArrayLike], samples_per_frame: int) -> NDArray[np.float64]:
    """Mean square of each frame of sound, `[T]`.

    Args:
        blocks: `[C, n]` each, in order, together whole frames.
        samples_per_frame: of the codes.
    """
    kept, parts = np.zeros(0), []
    for block in blocks:
        power = np.concatenate([kept, (np.asarray(block, dtype=np.float64) ** 2).mean(axis=0)])
        whole = len(power) // samples_per_frame * samples_per_frame
        parts.append(power[:whole].reshape(-1, samples_per_frame).mean(axis=1))
        kept = power[whole:]
    return np.concatenate([np.zeros(0), *parts])


def _energy(pipeline: Player, codes: Codes, asked: EvaluationCurve) -> NDArray[np.float64]:
    codec = pipeline.musicgen.codec.for_anchor(asked.anchor)
    blocks = codec.decode_chunks(torch.from_numpy(codes.astype(np.int64)), CHUNK_SECONDS * FRAME_RATE_HZ)
    return energy_of_frames(blocks, round(codec.sample_rate_hz / FRAME_RATE_HZ))


def _decibels(power: NDArray[np.float64]) -> float:
    return max(SOFTEST_DB, 10 * math.log10(max(float(power.mean()), 1e-12)))


def _distance(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    length = float(np.linalg.norm(before) * np.linalg.norm(after))
    return 1 - float(before @ after) / length if length > 0 else math.nan


def _table(report: SeamReport) -> Table:
    rows = []
    for measure, unit in MEASURES.items():
        test = report.test(measure)
        rows.append([measure, str(test.at_joins), str(test.elsewhere), str(test.ratio), f"{test.p:.3f}",
                     f"{test.joins} in {test.at_joins.n}", str(test.places), unit])  # fmt: skip
    note = (
        f"Means over pieces of the jump from {REACH_SECONDS:g} s before a frame to {REACH_SECONDS:g} s after it, with "
        f"95 % bootstrap intervals. p: permutation test, two-sided, labels exchanged within pieces, {PERMUTATIONS} "
        "times. No difference is expected; a large p does not show that there is none, and the ratio's interval says "
        "how large one may be that went unseen. Nobody listened."
    )
    columns = ["jump", "at joins", "elsewhere", "ratio", "p", "joins in pieces", "places", "unit"]
    return Table("Jumps at joins and elsewhere", columns, rows, note)
