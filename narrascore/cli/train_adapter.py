"""`narrascore train-adapter`: the part that makes the music follow the curve, trained over a frozen music model."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from narrascore.cli.words import Parser
from narrascore.errors import UsageError

USAGE = "[flags] [key=value ...]"
DESCRIPTION = """\
Train the adapter and its gates over a frozen music model (paper 3.5). Without a word it trains the embedded model's
adapter on pieces that the recipe's composer writes. A training that was stopped goes on at its last finished epoch
when the same command is given again. With init=steering train=false the adapter is found in the music model itself, by
contrasting sentences, and no data set is read. configs/train_adapter.yaml lists every key."""
PATHS_AND_TEXT = ("output", "music", "data.root")


def run(words: Sequence[str]) -> int:
    """Train, save the adapter and say where it lies."""
    line = _parser().take_apart(words)
    if line.names:
        raise UsageError(f"{line.names[0]!r} is no setting; give key=value, such as batch_size=8")
    from narrascore.cli.config import compose_settings
    from narrascore.cli.corpus import find_corpus
    from narrascore.cli.settings import read_settings
    from narrascore.evaluation.glance import glance_at
    from narrascore.synthesis.training import train_adapter
    from narrascore.synthesis.training_settings import AdapterTrainingSettings
    from narrascore.systems import choose_device, load_music

    composed = compose_settings("train_adapter", line.flags, line.overrides, verbatim=PATHS_AND_TEXT)
    data, music, dtype = composed.pop("data"), str(composed.pop("music")), str(composed.pop("dtype"))
    offline, device = bool(composed.pop("offline")), choose_device(str(composed.pop("device")))
    composed["out"] = composed.pop("output")
    settings = read_settings(AdapterTrainingSettings, {**composed, "corpus": None, "device": device})
    if settings.train:
        settings = dataclasses.replace(settings, corpus=find_corpus(data))
    print(f"music model: {music}; corpus: {settings.corpus or 'none, nothing is trained'}", flush=True)
    musicgen = load_music(music, device=device, dtype=dtype, offline=offline)
    train_adapter(musicgen, settings, track=glance_at(musicgen), progress=_say)
    print(f"{settings.out}\nnarrascore score FILM --adapter {settings.out} uses it")
    return 0


def _say(news: str) -> None:
    print(news, file=sys.stderr, flush=True)


def _parser() -> Parser:
    parser = Parser("train-adapter", DESCRIPTION, USAGE)
    parser.add_argument("-o", "--output", metavar="FOLDER", help="default outputs/adapter")
    parser.add_argument("--music", metavar="NAME", help="embedded (default), musicgen, a folder or an id on the hub")
    parser.add_argument("--data", dest="data.root", metavar="FOLDER", help="shards to train on")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda or mps")
    parser.add_argument("--offline", action="store_true", help="never ask the hub")
    return parser
