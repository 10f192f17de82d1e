"""`metrics=table1`: this system beside its own parts, the composer, and music that other systems have made.

The paper's Table 1 compares systems by distances between distributions. They stand here beside what they leave out:
whether the music follows the film's curve. The rows of the paper's baselines are filled by their own music, in a folder
named by the user, and by nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from narrascore.data.shards import ShardItem
from narrascore.errors import UsageError
from narrascore.evaluation.cells import Missing
from narrascore.evaluation.curves import DURATION_SECONDS, EvaluationCurve, evaluation_curves
from narrascore.evaluation.embedders import Embedder
from narrascore.evaluation.measured import SystemRow, measure_systems
from narrascore.evaluation.music import ComposePiece, Player, Progress
from narrascore.evaluation.pieces import (
    LONG_SECONDS,
    Variant,
    file_name,
    find_pieces,
    play,
    play_composer,
    play_corpus,
    write_curves,
)
from narrascore.evaluation.row_distances import folder_of, measure_distances
from narrascore.evaluation.rules import RuleReader
from narrascore.evaluation.tables import provenance, write_report

BASELINES = ("VidMuse", "Video2Music", "GVMGen", "M2UGEN")
"""Of the paper's Table 1."""
COMPOSER_ROW, CORPUS_ROW = "the composer", "held-out corpus"
ANCHOR_ONLY, CURVE_ONLY, NEITHER = "anchor only", "curve only", "gates closed, no sentence"
LONG_DURATION_SECONDS = (180, 240)


@dataclasses.dataclass(frozen=True)
class Films:
    """The curves a table is measured on: short and middle ones, and long ones.

    Attributes:
        n, duration_seconds: of the short and middle ones, under `LONG_SECONDS`.
        long_n, long_duration_seconds: of the long ones; 0 leaves them out.
        seed: of all.
    """

    n: int = 24
    duration_seconds: tuple[int, int] = DURATION_SECONDS
    long_n: int = 6
    long_duration_seconds: tuple[int, int] = LONG_DURATION_SECONDS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.duration_seconds[1] >= LONG_SECONDS or self.long_duration_seconds[0] < LONG_SECONDS:
            raise UsageError(
                f"films of {LONG_SECONDS} s and more are long: got duration_seconds={list(self.duration_seconds)} and "
                f"long_duration_seconds={list(self.long_duration_seconds)}; keep each on its side"
            )
        if self.long_n == 1:
            raise UsageError("long_curves must be 0 or at least 2: of one there is no interval")

    def curves(self) -> list[EvaluationCurve]:
        """All of them, the long ones named `long-00` and on."""
        curves = evaluation_curves(self.n, self.seed, self.duration_seconds)
        if self.long_n:
            long = evaluation_curves(self.long_n, self.seed, self.long_duration_seconds)
            curves += [dataclasses.replace(asked, name=asked.name.replace("curve", "long")) for asked in long]
        return curves


def run_table1(
    pipeline: Player,
    composer: ComposePiece | None,
    out_folder: Path,
    *,
    films: Films | None = None,
    corpus: Sequence[ShardItem] = (),
    generated: Mapping[str, Path] | None = None,
    rules: RuleReader | None = None,
    reference: Path | None = None,
    embedders: Sequence[Embedder] = (),
    command: str = "",
    progress: Progress | None = None,
) -> tuple[dict[str, SystemRow], str]:
    """Fill Table 1 with what is at hand.

    Args:
        pipeline: the system, with its adapter.
        composer: `find_composer(checkout)`, or None.
        out_folder: gets `table1.md`, `.csv` and `.json`, every row's music in `audio/`, and the curves in `curves/`
            for other systems to be asked with.
        films: the curves.
        corpus: held-out pieces of the composer's corpus.
        generated: name -> folder of another system's music (see `find_pieces`).
        rules: reads valence and arousal off the sound.
        reference: a folder of music that distances are measured to; by default that of the held-out corpus, if given.
        embedders: whose features the distances compare; none leaves the distances out.
        command: what was typed, for the record.
        progress: told what is being made.

    Returns:
        Each row's pieces, and the Markdown that was written.
    """
    films = films or Films()
    systems = gather_systems(pipeline, composer, films, out_folder, corpus, generated, progress)
    tables, records = measure_systems(systems, out_folder, seed=films.seed, rules=rules, progress=progress)
    reference = reference or folder_of(systems.get(CORPUS_ROW))
    if reference is not None and embedders:
        apart = measure_distances(systems, reference, embedders, out_folder, seed=films.seed, progress=progress)
        tables, records = tables + apart[0], records + apart[1]
    repeat = provenance(command, films.seed, films.n, films=dataclasses.asdict(films), reference=str(reference or ""),
                        generated={name: str(folder) for name, folder in (generated or {}).items()},
                        system=pipeline.describe())  # fmt: skip
    text = write_report(out_folder, "table1", "Table 1: systems", tables, records, repeat)
    return systems, text


def gather_systems(
    pipeline: Player,
    composer: ComposePiece | None,
    films: Films,
    out_folder: Path,
    corpus: Sequence[ShardItem] = (),
    generated: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
) -> dict[str, SystemRow]:
    """Every row of Table 1: music that is made or found, or why there is none. Arguments as in `run_table1`."""
    curves = films.curves()
    write_curves(out_folder, curves)
    others: dict[str, SystemRow] = {
        name: find_pieces(name, folder, curves) for name, folder in (generated or {}).items()
    }
    untrained = Missing("no trained adapter for this music model", "narrascore train-adapter -o outputs/adapter")
    own = system_name(pipeline)
    variants = {
        own: Variant(), ANCHOR_ONLY: Variant(steered=False), CURVE_ONLY: Variant(sentence="none"),
        NEITHER: Variant(sentence="none", steered=False),
    }  # fmt: skip
    systems: dict[str, SystemRow] = {
        name: untrained if variant.steered and pipeline.adapter is None
        else play(pipeline, name, variant, curves, out_folder, progress)
        for name, variant in variants.items()
    }  # fmt: skip
    if pipeline.writes_notes:
        systems[COMPOSER_ROW] = Missing("the composer is in a checkout's recipes only")
        if composer is not None:
            systems[COMPOSER_ROW] = play_composer(pipeline, COMPOSER_ROW, composer, curves, out_folder, progress)
        systems[CORPUS_ROW] = Missing("no corpus was given", "narrascore evaluate experiment=table1 --data CORPUS")
        if corpus:
            systems[CORPUS_ROW] = play_corpus(pipeline, CORPUS_ROW, corpus, films.duration_seconds[1], out_folder,
                                              films.n)  # fmt: skip
    for name in BASELINES:
        if name not in others:
            command = f"narrascore evaluate experiment=table1 --generated {name}=FOLDER"
            systems[name] = Missing("its music was not given", command)
    return systems | others


def system_name(pipeline: Player) -> str:
    """What this system's row is called: never by the paper's name, unless it is the paper's system."""
    name = str(pipeline.describe().get("system", "custom"))
    return "NarraScore" if name == "paper" else file_name(name)
