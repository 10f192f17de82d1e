"""`narrascore evaluate`: does the music follow the curve, and is it music?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from narrascore.cli.words import Parser
from narrascore.errors import UsageError
from narrascore.parts import SystemSettings
from narrascore.perception.anchor_settings import AnchorSettings

USAGE = "[flags] [key=value ...]"
DESCRIPTION = """\
Measure a system over held-out curves. metrics=tracking asks whether the music follows the curve, beside shuffled
curves, closed gates and the rule composer; metrics=sanity compares the notes' statistics with the corpus's. The music
is kept in the output folder, so a stopped run goes on. configs/evaluate.yaml lists every key."""
MIDDLING_PICTURE = "A plain picture in shots of middling length with some movement."
PATHS_AND_TEXT = ("output", "music", "adapter", "soundfont", "data.root")

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from narrascore.anchor import MusicalAnchor

Metric = Literal["tracking", "sanity"]


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(SystemSettings):
    """The settings of `configs/evaluate.yaml`, which says what each of them means."""

    data: Path | None
    metrics: tuple[Metric, ...]
    output: Path
    curves: int
    duration_seconds: tuple[int, int]
    seed: int

    def __post_init__(self) -> None:
        if self.curves < 2:
            raise ValueError(f"curves must be at least 2, and 20 for a number to be reported: got {self.curves}")
        shortest, longest = self.duration_seconds
        if not 8 <= shortest <= longest:
            raise ValueError(f"duration_seconds must rise from at least 8: got {list(self.duration_seconds)}")


def run(words: Sequence[str]) -> int:
    """Measure, write the tables into the output folder and print them."""
    line = _parser().take_apart(words)
    if line.names:
        raise UsageError(f"{line.names[0]!r} is no setting; give key=value, such as metrics=tracking")
    from narrascore.cli.config import compose_settings
    from narrascore.cli.corpus import find_checkout
    from narrascore.cli.settings import read_settings
    from narrascore.evaluation.experiments import run_sanity, run_tracking
    from narrascore.evaluation.music import find_composer
    from narrascore.pipeline import Pipeline

    composed = compose_settings("evaluate", line.flags, line.overrides, groups=("system",), verbatim=PATHS_AND_TEXT)
    if isinstance(composed["metrics"], str):
        composed["metrics"] = [composed["metrics"]]
    composed["data"] = composed["data"]["root"]
    settings = read_settings(EvaluateSettings, composed)
    pipeline = Pipeline.from_settings(settings)
    for warning in pipeline.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    checkout = find_checkout()
    composer = find_composer(checkout) if checkout else None
    command = shlex.join(["narrascore", "evaluate", *words])
    for metric in settings.metrics:
        corpus = {"corpus": _held_out(settings.data)} if metric == "sanity" else {}
        measure: Callable[..., tuple[object, str]] = run_sanity if metric == "sanity" else run_tracking
        _, text = measure(
            pipeline=pipeline,
            composer=composer,
            out_folder=settings.output,
            n=settings.curves,
            seed=settings.seed,
            duration_seconds=settings.duration_seconds,
            anchor=_anchor_for_all(settings.anchor),
            command=command,
            progress=_say,
            **corpus,
        )
        print(text)
    return 0


def _anchor_for_all(settings: AnchorSettings) -> MusicalAnchor | None:
    """Instead of each curve's own, where an ablation asks for one that says nothing of its music."""
    from narrascore.anchor import MusicalAnchor

    if settings.reader == "none":
        return MusicalAnchor(reader="none")
    return MusicalAnchor(caption=MIDDLING_PICTURE) if settings.instruction == "plain" else None


def _held_out(root: Path | None) -> list[NDArray[np.int16]] | None:
    """Score codes of the corpus's test pieces, if a corpus is named."""
    if root is None:
        return None
    from narrascore.data.shards import ShardSet

    return [item.codes for item in ShardSet.open(root, "test")]


def _say(news: str) -> None:
    print(news, file=sys.stderr, flush=True)


def _parser() -> Parser:
    parser = Parser("evaluate", DESCRIPTION, USAGE)
    parser.add_argument("-o", "--output", metavar="FOLDER", help="default outputs/evaluate")
    parser.add_argument("--system", metavar="NAME", help="embedded (default), paper, or a music model's folder")
    parser.add_argument("--music", metavar="NAME", help="embedded, musicgen, a folder or an id on the hub")
    parser.add_argument("--adapter", metavar="FOLDER", help="a trained adapter")
    parser.add_argument(
        "--data", dest="data.root", metavar="FOLDER", help="shards whose test pieces sanity compares with"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of curves, music, shuffles and bootstrap (default 0)")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda or mps")
    parser.add_argument("--offline", action="store_true", help="never ask the hub")
    return parser
