"""`metrics=sanity`: the music is made, its notes are counted, and the tables are written and returned.

The music is kept in the folder, so a stopped run goes on and takes over what other measurements have made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from narrascore.anchor import MusicalAnchor
from narrascore.evaluation.curves import DURATION_SECONDS, evaluation_curves
from narrascore.evaluation.music import COMPOSER, ComposePiece, Player, Progress, make_music, rows_of
from narrascore.evaluation.sanity import CORPUS, STATISTICS, SanityReport, measure_sanity
from narrascore.evaluation.tables import Table, provenance, write_report, yes_no
from narrascore.synthesis.note_features import Codes


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
    """Compare the notes' statistics with the corpus's (see `sanity`); arguments as in `tracking_report`.

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
