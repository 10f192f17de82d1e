"""`metrics=tracking`: the music is made, it is listened to, and tables and figure are written and returned.

The music is kept in the folder, so a stopped run goes on and other measurements take over what this one has made.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from narrascore.anchor import MusicalAnchor
from narrascore.evaluation.curves import DURATION_SECONDS, evaluation_curves
from narrascore.evaluation.figure import draw_tracking
from narrascore.evaluation.music import ComposePiece, Player, Progress, make_music, measure_sound, rows_of
from narrascore.evaluation.rules import RuleReader
from narrascore.evaluation.tables import DASH, Table, provenance, write_report, yes_no
from narrascore.evaluation.tracking import TrackingReport, measure_tracking
from narrascore.synthesis.note_features import read_features

FIGURE_PIECES = 3
MEASURES = {
    "Pearson at zero lag": ("pearson", "The headline. Mean over pieces with its 95 % bootstrap interval."),
    "Spearman at zero lag": ("spearman", "The same by rank."),
    "Concordance (CCC) at zero lag": (
        "ccc",
        "Level and spread count too, after one gain and one offset for each feature over all music of all rows.",
    ),
    "Pearson at the best lag of 0 to 4 s": (
        "best_lag_pearson",
        "The lag is picked for each piece on the measured data, so this flatters every row: no headline.",
    ),
}


def run_tracking(
    pipeline: Player,
    composer: ComposePiece | None,
    out_folder: Path,
    *,
    n: int = 24,
    seed: int = 0,
    duration_seconds: tuple[int, int] = DURATION_SECONDS,
    anchor: MusicalAnchor | None = None,
    rules: RuleReader | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> tuple[TrackingReport, str]:
    """Measure whether the music follows the curve (see `tracking`).

    Args:
        pipeline: with the adapter to be measured; the gates are closed on a copy.
        composer: `find_composer(checkout)`; without it there is no ceiling, and a dash stands in its place.
        out_folder: gets `tracking.md`, `.csv`, `.json`, `.png` and the music's codes.
        n: how many curves.
        seed: of curves, music, shuffles and bootstrap.
        duration_seconds: shortest and longest curve.
        anchor: asked for under every curve, instead of each curve's own.
        rules: reads valence and arousal off the sound, as two more features.
        command: what was typed, for the record.
        progress: told what is being made.

    Returns:
        The measurements, and the Markdown that was written.

    Raises:
        UsageError: if the pipeline's music is not notes.
    """
    curves = evaluation_curves(n, seed, duration_seconds, anchor)
    music = make_music(rows_of(pipeline, composer), curves, out_folder, progress)
    sound = measure_sound(music, curves, pipeline, out_folder, progress)
    features = {
        row: [read_features(codes) | heard | (rules(heard) if rules else {})
              for codes, heard in zip(pieces, sound[row], strict=True)]
        for row, pieces in music.items()
    }  # fmt: skip
    report = measure_tracking(features, curves, seed)
    repeat = provenance(command, seed, n, duration_seconds=list(duration_seconds), system=pipeline.describe())
    records = [{**asdict(piece), "pair": "-".join(piece.pair)} for piece in report.pieces]
    text = write_report(out_folder, "tracking", "Does the music follow the curve?", _tables(report, rules), records,
                        repeat)  # fmt: skip
    draw_tracking(curves[:FIGURE_PIECES], {row: f[:FIGURE_PIECES] for row, f in features.items()},
                  out_folder / "tracking.png")  # fmt: skip
    return report, text


def _tables(report: TrackingReport, rules: RuleReader | None) -> list[Table]:
    pairs, columns = report.pairs(), ["pair", *report.rows]
    tables = [_bar_table(report)]
    for title, (measure, note) in MEASURES.items():
        rows = [["-".join(pair), *(str(report.estimate(row, pair, measure)) for row in report.rows)] for pair in pairs]
        tables.append(Table(title, columns, rows, f"{note} {rules.caveat}" if rules else note))
    steps = [["-".join(pair), *(_step(report, row, pair) for row in report.rows)] for pair in pairs]
    note = (
        "Step curves only: mean of the feature in the curve's high half less its mean in the low half, in the "
        "feature's own unit, and the share of pieces in which it rises."
    )
    return [*tables, Table("Change from low to high", columns, steps, note)]


def _step(report: TrackingReport, row: str, pair: tuple[str, str]) -> str:
    change = report.estimate(row, pair, "step")
    return f"{change} ({report.share_right(row, pair):.0%} right)" if change.n else DASH


def _bar_table(report: TrackingReport) -> Table:
    rows = [
        ["-".join(bar.pair), str(bar.ratio), f">= {bar.least_ratio}", yes_no(bar.reaches_ratio),
         yes_no(bar.clear_of_shuffled), DASH if bar.passed is None else "pass" if bar.passed else "FAIL"]
        for bar in report.bars()
    ]  # fmt: skip
    note = (
        "Ratio of the model's mean Pearson to the composer's on the same curves, pieces resampled as pairs. Clear: the "
        "model's interval lies above those of both shuffled rows. A dash: no composer, or no adapter, to compare with."
    )
    columns = ["pair", "share of the composer's", "bar", "reached", "clear of shuffled", "verdict"]
    return Table("Bars", columns, rows, note)
