"""`narrascore evaluate`: does the music follow the curve, is it music, and how does it stand beside others?"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrascore.cli.evaluate_settings import EvaluateSettings, Metric
from narrascore.cli.words import Parser
from narrascore.errors import UsageError

USAGE = "[flags] [key=value ...]"
DESCRIPTION = """\
Measure a system over held-out curves. metrics=tracking asks whether the music follows the curve, beside shuffled
curves, closed gates and the rule composer; steps how far and how fast it moves; known_truth whether the measures
themselves can be trusted; sanity compares the notes' statistics with the corpus's; seams looks at the windows' joins.
experiment=table1, table4, figure4, listening and ratings fill the paper's tables and figure with what is at hand. The
music is kept in the output folder, so a stopped run goes on. configs/evaluate.yaml lists every key."""
PATHS_AND_TEXT = (
    "output", "document", "music", "adapter", "adapters.blocks_50", "adapters.blocks_100", "soundfont", "data.root",
    "rules", "reference", "vibenet_python", "ratings.answers", "ratings.key",
)  # fmt: skip

if TYPE_CHECKING:
    from narrascore.anchor import MusicalAnchor
    from narrascore.data.shards import ShardSet
    from narrascore.evaluation.embedders import Embedder
    from narrascore.evaluation.measured import SystemRow
    from narrascore.evaluation.music import ComposePiece
    from narrascore.evaluation.rules import RuleReader
    from narrascore.evaluation.table1 import Films
    from narrascore.pipeline import Pipeline


def run(words: Sequence[str]) -> int:
    """Measure, write the tables into the output folder and print them."""
    line = _parser().take_apart(words)
    if line.names:
        raise UsageError(f"{line.names[0]!r} is no setting; give key=value, such as metrics=tracking")
    from narrascore.cli.config import compose_settings
    from narrascore.cli.settings import read_settings
    from narrascore.evaluation.results import write_results

    if "generated" in line.flags:
        line.flags["generated"] = dict(line.flags["generated"])
    composed = compose_settings("evaluate", line.flags, line.overrides, groups=("system",), verbatim=PATHS_AND_TEXT)
    if isinstance(composed["metrics"], str):
        composed["metrics"] = [composed["metrics"]]
    composed["data"] = composed["data"]["root"]
    settings = read_settings(EvaluateSettings, composed)
    bench = _Bench(settings, shlex.join(["narrascore", "evaluate", *words]))
    for metric in settings.metrics:
        print(bench.measure(metric))
    if settings.document is not None:
        print(write_results(settings.output, settings.document))
    return 0


@dataclass(frozen=True)
class _Bench:
    """What the measurements share, each part made when the first of them asks for it."""

    settings: EvaluateSettings
    command: str

    def measure(self, metric: Metric) -> str:
        """Take one measurement; what is to be printed of it."""
        settings = self.settings
        curves: dict[str, Any] = {
            "n": settings.curves, "seed": settings.seed, "command": self.command, "progress": _say,
        }  # fmt: skip
        told: dict[str, Any] = {"command": self.command, "progress": _say}
        out = settings.output
        match metric:
            case "tracking":
                from narrascore.evaluation.tracking_report import run_tracking

                return run_tracking(self.pipeline, self.composer, out, duration_seconds=settings.duration_seconds,
                                    anchor=self.anchor, rules=self.rules, **curves)[1]  # fmt: skip
            case "sanity":
                from narrascore.evaluation.sanity_report import run_sanity

                corpus = [item.codes for item in self.split("test")]
                return run_sanity(self.pipeline, corpus, self.composer, out, anchor=self.anchor,
                                  duration_seconds=settings.duration_seconds, **curves)[1]  # fmt: skip
            case "steps":
                from narrascore.evaluation.steps import run_steps

                return run_steps(self.pipeline, self.composer, out, **curves)[1]
            case "known_truth":
                from narrascore.evaluation.known_truth import run_known_truth

                return run_known_truth(self.pipeline, self.composer, out, duration_seconds=settings.duration_seconds,
                                       **curves)[1]  # fmt: skip
            case "rules":
                from narrascore.evaluation.rules import run_rules

                return run_rules(self.pipeline, self.split("train"), self.split("test"), out, **curves)[1]
            case "seams":
                from narrascore.evaluation.seams import run_seams

                # Of curves long enough for several joins, whatever the other measurements take.
                return run_seams(self.pipeline, out, anchor=self.anchor, **curves)[1]
            case "table1":
                from narrascore.evaluation.table1 import run_table1

                return run_table1(self.pipeline, self.composer, out, corpus=self.split("test"),
                                  reference=settings.reference, embedders=self.embedders(), **self.on_films(),
                                  **told)[1]  # fmt: skip
            case "table4":
                from narrascore.evaluation.table4 import run_table4

                return run_table4(self.pipeline, out, adapters=self.block_adapters(), reference=self.reference,
                                  embedders=self.embedders(), **self.on_films(), **told)[1]  # fmt: skip
            case "figure4":
                from narrascore.evaluation.figure4 import run_figure4

                return run_figure4(self.systems, out, film=settings.figure4.film)[1]
            case "listening":
                from narrascore.evaluation.listening import run_listening

                return run_listening(self.systems, out, n=settings.listening.films, seed=settings.seed,
                                     clip_seconds=settings.listening.clip_seconds, **told)[1]  # fmt: skip
            case "ratings":
                from narrascore.evaluation.ratings import run_ratings

                answers, key = settings.ratings.answers, settings.ratings.key
                if answers is None or key is None:
                    raise UsageError("metrics=ratings needs ratings.answers=FOLDER and ratings.key=listening-key.json")
                return run_ratings(answers, key, out, seed=settings.seed, command=self.command)[1]

    @cached_property
    def pipeline(self) -> Pipeline:
        from narrascore.pipeline import Pipeline

        pipeline = Pipeline.from_settings(self.settings)
        for warning in pipeline.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        return pipeline

    @cached_property
    def composer(self) -> ComposePiece | None:
        from narrascore.cli.corpus import find_checkout
        from narrascore.evaluation.music import find_composer

        checkout = find_checkout()
        return find_composer(checkout) if checkout else None

    @cached_property
    def films(self) -> Films:
        from narrascore.evaluation.table1 import Films

        settings = self.settings
        return Films(settings.curves, settings.duration_seconds, settings.long_curves, settings.long_duration_seconds,
                     settings.seed)  # fmt: skip

    def on_films(self) -> dict[str, Any]:
        """What both tables take."""
        return {"films": self.films, "generated": self.settings.generated, "rules": self.rules}

    @property
    def reference(self) -> Path | None:
        """The music that Table 4's distances are measured to: the one given, else the held-out corpus as played."""
        from narrascore.evaluation.pieces import play_corpus
        from narrascore.evaluation.row_distances import folder_of
        from narrascore.evaluation.table1 import CORPUS_ROW

        settings, corpus = self.settings, self.split("test")
        if settings.reference is not None or not corpus or not self.pipeline.writes_notes:
            return settings.reference
        return folder_of(play_corpus(self.pipeline, CORPUS_ROW, corpus, settings.duration_seconds[1], settings.output,
                                     settings.curves))  # fmt: skip

    def embedders(self) -> list[Embedder]:
        """What the tables' distances are measured by: statistics that need no weights, then networks that do."""
        from narrascore.evaluation.embedders import LogMelStatistics
        from narrascore.evaluation.harness import PAPER_FEATURES
        from narrascore.evaluation.listening_models import AstLogits, ClapEmbedding, EncodecLatents
        from narrascore.evaluation.vibenet import Vibenet

        models = [kind(offline=self.settings.offline) for kind in (EncodecLatents, AstLogits, ClapEmbedding)]
        return [LogMelStatistics(), Vibenet(self.settings.vibenet_python), *models, *PAPER_FEATURES]

    @cached_property
    def systems(self) -> dict[str, SystemRow]:
        """Table 1's rows, to be seen and heard."""
        from narrascore.evaluation.table1 import gather_systems

        return gather_systems(self.pipeline, self.composer, self.films, self.settings.output,
                              generated=self.settings.generated, progress=_say)  # fmt: skip

    @cached_property
    def rules(self) -> RuleReader | None:
        """The reader named, else the one that `metrics=rules` left in the output folder, if any."""
        from narrascore.evaluation.rules import FILE, RuleReader

        folder = self.settings.rules or self.settings.output
        return RuleReader.load(folder) if self.settings.rules or (folder / FILE).is_file() else None

    @property
    def anchor(self) -> MusicalAnchor | None:
        """Instead of each curve's own, where an ablation asks for one that says nothing of its music."""
        from narrascore.anchor import MusicalAnchor
        from narrascore.evaluation.pieces import MIDDLING_PICTURE

        if self.settings.anchor.reader == "none":
            return MusicalAnchor(reader="none")
        return MusicalAnchor(caption=MIDDLING_PICTURE) if self.settings.anchor.instruction == "plain" else None

    def split(self, name: str) -> ShardSet | list[Any]:
        """A split of the corpus, if one is named."""
        from narrascore.data.shards import ShardSet

        return ShardSet.open(self.settings.data, name) if self.settings.data is not None else []

    def block_adapters(self) -> dict[str, Any]:
        """The adapters of Table 4 that were given, by their ablation's name."""
        from narrascore.systems import choose_device, load_adapter

        device = choose_device(self.settings.device)
        return {
            name: load_adapter("", folder, self.pipeline.musicgen, device)
            for name, folder in vars(self.settings.adapters).items()
            if folder is not None
        }


def _say(news: str) -> None:
    print(news, file=sys.stderr, flush=True)


def _named_folder(word: str) -> tuple[str, Path]:
    name, _, folder = word.partition("=")
    if not name or not folder:
        raise argparse.ArgumentTypeError(f"NAME=FOLDER is wanted, such as VidMuse=outputs/vidmuse: got {word!r}")
    return name, Path(folder).expanduser()


def _parser() -> Parser:
    parser = Parser("evaluate", DESCRIPTION, USAGE)
    parser.add_argument("-o", "--output", metavar="FOLDER", help="default outputs/evaluate")
    parser.add_argument("--system", metavar="NAME", help="embedded (default), paper, or a music model's folder")
    parser.add_argument("--music", metavar="NAME", help="embedded, musicgen, a folder or an id on the hub")
    parser.add_argument("--adapter", metavar="FOLDER", help="a trained adapter")
    parser.add_argument(
        "--generated", metavar="NAME=FOLDER", type=_named_folder, action="append",
        help="another system's music for the tables, the figure and the listening test; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--data", dest="data.root", metavar="FOLDER", help="shards: held-out pieces to compare with, rules to learn"
    )
    parser.add_argument(
        "--reference", metavar="FOLDER", help="music that Table 1's distances are measured to (default: of --data)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of curves, music, shuffles and bootstrap (default 0)")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda or mps")
    parser.add_argument("--offline", action="store_true", help="never ask the hub")
    return parser
