"""`metrics=table4`: what each component, the injected blocks and the backbone are worth.

Every row is a combination of flags. Rows that need an adapter of their own, or films read by another backbone, are
filled when it is given; until then a dash names the command. The curves here have no film, so a plain caption ("w/o
HMC") is that of a middling picture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from narrascore.errors import UsageError
from narrascore.evaluation.cells import Missing
from narrascore.evaluation.embedders import Embedder
from narrascore.evaluation.measured import SystemRow, measure_systems
from narrascore.evaluation.music import Player, Progress
from narrascore.evaluation.pieces import Variant, file_name, find_pieces, play, write_curves
from narrascore.evaluation.row_distances import measure_distances
from narrascore.evaluation.rules import RuleReader
from narrascore.evaluation.table1 import Films, system_name
from narrascore.evaluation.tables import provenance, write_report
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.injection import shallow_blocks

BLOCKS = {"blocks_50": ("50% blocks", 0.5), "blocks_100": ("100% blocks", 1.0)}
"""Ablation -> row, and the share of the blocks that its adapter reaches."""
BACKBONES = {
    "Gemini2.5pro": "",
    "Gemini (w/o HMC)": "ablation=without_hmc",
    "Gemini (w/o NAR)": "ablation=without_nar",
    "Gemini (cap-only)": "ablation=caption2music",
}
"""Row of the paper -> its flags beside `anchor.reader=api`."""


def run_table4(
    pipeline: Player,
    out_folder: Path,
    *,
    films: Films | None = None,
    adapters: Mapping[str, AffectAdapter] | None = None,
    generated: Mapping[str, Path] | None = None,
    rules: RuleReader | None = None,
    reference: Path | None = None,
    embedders: Sequence[Embedder] = (),
    command: str = "",
    progress: Progress | None = None,
) -> tuple[dict[str, SystemRow], str]:
    """Fill Table 4 with what is at hand.

    Args:
        pipeline: the system, with its adapter.
        out_folder: gets `table4.md`, `.csv` and `.json`, and every row's music in `audio/`.
        films: the curves.
        adapters: trained ones of the block ablation, by the ablation's name (`BLOCKS`).
        generated: name -> folder of music, among them the rows of `BACKBONES`: what `narrascore score` made of films.
        rules: reads valence and arousal off the sound.
        reference: a folder of music that distances are measured to; None leaves them out.
        embedders: whose features the distances compare.
        command: what was typed, for the record.
        progress: told what is being made.

    Returns:
        Each row's pieces, and the Markdown that was written.

    Raises:
        UsageError: if an adapter reaches other blocks than its row says.
    """
    films, adapters, generated = films or Films(), adapters or {}, generated or {}
    curves, own = films.curves(), system_name(pipeline)
    write_curves(out_folder, curves)
    others: dict[str, SystemRow] = {name: find_pieces(name, folder, curves) for name, folder in generated.items()}
    untrained = Missing("no trained adapter for this music model", "narrascore train-adapter -o outputs/adapter")
    variants = {own: Variant(), f"{own} w/o HMC": Variant("plain"), f"{own} w/o NAR": Variant(steered=False)}
    systems: dict[str, SystemRow] = {
        name: untrained if variant.steered and pipeline.adapter is None
        else play(pipeline, name, variant, curves, out_folder, progress)
        for name, variant in variants.items()
    }  # fmt: skip
    for ablation, (row, share) in BLOCKS.items():
        name = f"{own} {row}"
        systems[name] = Missing("its adapter was not given", _training(ablation))
        if ablation in adapters:
            _check_blocks(ablation, adapters[ablation], shallow_blocks(pipeline.musicgen.blocks, share))
            systems[name] = play(pipeline, name, Variant(adapter=adapters[ablation]), curves, out_folder, progress)
    if own != "NarraScore":
        of_paper = "narrascore evaluate experiment=table4 system=paper adapter=FOLDER"
        systems["NarraScore"] = Missing("the paper's system was not measured", of_paper)
    for name, flags in BACKBONES.items():
        if name not in others:
            systems[name] = Missing("its films were not scored", _scoring(name, flags))
    tables, records = measure_systems(systems | others, out_folder, seed=films.seed, rules=rules, progress=progress)
    if reference is not None and embedders:
        apart = measure_distances(systems | others, reference, embedders, out_folder, seed=films.seed,
                                  progress=progress)  # fmt: skip
        tables, records = tables + apart[0], records + apart[1]
    repeat = provenance(command, films.seed, films.n, films=dataclasses.asdict(films), reference=str(reference or ""),
                        adapters=sorted(adapters), generated={name: str(path) for name, path in generated.items()},
                        system=pipeline.describe())  # fmt: skip
    return systems | others, write_report(out_folder, "table4", "Table 4: ablations", tables, records, repeat)


def _check_blocks(ablation: str, adapter: AffectAdapter, wanted: tuple[int, ...]) -> None:
    """Another adapter under the ablation's name would be a stand-in."""
    if tuple(adapter.blocks) != wanted:
        raise UsageError(
            f"adapters.{ablation}: that adapter reaches the blocks {list(adapter.blocks)}, and the row is of "
            f"{list(wanted)}; train one by {_training(ablation)}"
        )


def _training(ablation: str) -> str:
    folder = f"outputs/adapter-{ablation.replace('_', '-')}"
    return (
        f"narrascore train-adapter ablation={ablation} -o {folder} && "
        f"narrascore evaluate experiment=table4 adapters.{ablation}={folder}"
    )


def _scoring(name: str, flags: str) -> str:
    folder = f"outputs/{file_name(name).lower()}"
    words = " ".join(word for word in ("--system paper anchor.reader=api", flags) if word)
    scoring = f"narrascore score FILM ... {words} -o {folder}"
    return f"{scoring} && narrascore evaluate experiment=table4 --generated '{name}={folder}'"
