"""The measurements as commands run them: make the music, measure it, write and return the tables.

The music is kept in the folder, so a stopped run goes on and sanity takes over what tracking has made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from narrascore.anchor import MusicalAnchor
from narrascore.evaluation.curves import DURATION_SECONDS, evaluation_curves
from narrascore.evaluation.features import Codes, read_features
from narrascore.evaluation.figure import draw_tracking
from narrascore.evaluation.music import COMPOSER, ComposePiece, Player, Progress, make_music, measure_loudness, rows_of
from narrascore.evaluation.sanity import CORPUS, STATISTICS, SanityReport, measure_sanity
from narrascore.evaluation.tables import DASH, Table, provenance, write_report, yes_no
from narrascore.evaluation.tracking import TrackingReport, measure_tracking

FIGURE_PIECES = 3


def run_tracking(
    pipeline: Player,
    composer: ComposePiece | None,
    out_folder: Path,
    *,
    n: int = 24,
    seed: int = 0,
    duration_seconds: tuple[int, int] = DURATION_SECONDS,
    anchor: MusicalAnchor | None = None,
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
        command: what was typed, for the record.
        progress: told what is being made.

    Returns:
        The measurements, and the Markdown that was written.

    Raises:
        UsageError: if the pipeline's music is not notes.
    """
    curves = evaluation_curves(n, seed, duration_seconds, anchor)
    music = make_music(rows_of(pipeline, composer), curves, out_folder, progress)
    loudness = measure_loudness(music, curves, pipeline, out_folder, progress)
    features = {
        row: [read_features(codes, heard) for codes, heard in zip(pieces, loudness[row], strict=True)]
        for row, pieces in music.items()
    }
    report = measure_tracking(features, curves, seed)
    repeat = provenance(command, seed, n, duration_seconds=list(duration_seconds), system=pipeline.describe())
    records = [{**asdict(piece), "pair": "-".join(piece.pair)} for piece in report.pieces]
    text = write_report(out_folder, "tracking", "Does the music follow the curve?", _tracking_tables(report), records,
                        repeat)  # fmt: skip
    draw_tracking(curves[:FIGURE_PIECES], {row: f[:FIGURE_PIECES] for row, f in features.items()},
                  out_folder / "tracking.png")  # fmt: skip
    return report, text


def run_sanity(
    pipeline: Player,
    corpus: Sequence[Codes] | None,
    composer: ComposePiece | None,
    out_folder: Path,
    *,
    n: int = 24,
    seed: int = 0,
    duration_seconds: tuple[int, int] = DURATION_SECONDS,
    anchor: MusicalAnchor | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> tuple[SanityReport, str]:
    """Compare the notes' statistics with the corpus's (see `sanity`); arguments as in `run_tracking`.

    Args:
        corpus: score codes `[K, T]` of held-out pieces; without them the composer's music under the same curves.

    Raises:
        UsageError: if the pipeline's music is not notes, or there is nothing to compare with.
    """
    curves = evaluation_curves(n, seed, duration_seconds, anchor)
    made = make_music(rows_of(pipeline, composer), curves, out_folder, progress)
    music: dict[str, Sequence[Codes]] = dict(made)
    source = f"{len(corpus)} held-out pieces" if corpus else "the composer's music under the same curves"
    music[CORPUS] = corpus or music.pop(COMPOSER, [])
    if progress is not None:
        progress(f"counting notes of {sum(len(pieces) for pieces in music.values())} pieces")
    report = measure_sanity(music, seed)
    repeat = provenance(command, seed, n, corpus=source, duration_seconds=list(duration_seconds),
                        system=pipeline.describe())  # fmt: skip
    records = [{"row": row, "piece": piece, **values} for row, pieces in report.pieces.items()
               for piece, values in enumerate(pieces)]  # fmt: skip
    text = write_report(out_folder, "sanity", "Is it music at all?", [_sanity_table(report, source)], records, repeat)
    return report, text


def _tracking_tables(report: TrackingReport) -> list[Table]:
    pairs = report.pairs()
    names = ["-".join(pair) for pair in pairs]
    measured = {
        "Pearson at zero lag": ("pearson", "The headline. Mean over pieces with its 95 % bootstrap interval."),
        "Spearman at zero lag": ("spearman", "The same by rank."),
        "Pearson at the best lag of 0 to 4 s": (
            "best_lag_pearson",
            "The lag is picked for each piece on the measured data, so this flatters every row: no headline.",
        ),
    }  # fmt: skip
    tables = [_bar_table(report)]
    for title, (measure, note) in measured.items():
        rows = [[row, *(str(report.estimate(row, pair, measure)) for pair in pairs)] for row in report.rows]
        tables.append(Table(title, ["music", *names], rows, note))
    steps = [[row, *(_step(report, row, pair) for pair in pairs)] for row in report.rows]
    note = (
        "Step curves only: mean of the feature in the curve's high half less its mean in the low half, in the "
        "feature's own unit, and the share of pieces in which it rises."
    )
    return [*tables, Table("Change from low to high", ["music", *names], steps, note)]


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


def _sanity_table(report: SanityReport, source: str) -> Table:
    others = [row for row in report.pieces if row != CORPUS]
    columns = ["statistic", CORPUS, "corpus against itself"]
    for row in others:
        columns += [row, "ratio", "within 15 %"]
    rows = []
    for name in STATISTICS:
        cells = [name, f"{report.estimate(CORPUS, name):.3f}", f"+-{report.floor(name):.1%}"]
        for row in others:
            cells += [f"{report.estimate(row, name):.3f}", str(report.ratio(row, name)),
                      yes_no(report.within(row, name))]  # fmt: skip
        rows.append(cells)
    note = (
        f"Corpus: {source}. Means over pieces of stretches of 30 s, with 95 % bootstrap intervals. Corpus against "
        "itself: 95 % of random halvings lie closer than this; no music can be asked to lie closer. Where hardly a "
        "beat is empty a ratio says little: sounding beats are the same share from the other side. Units: "
        + "; ".join(f"{name}: {unit}" for name, unit in STATISTICS.items())
        + "."
    )
    return Table("Statistics of the notes", columns, rows, note)
