"""`narrascore train-probe`: valence and arousal off a frozen eye's states, trained and measured."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrascore.cli.words import Parser
from narrascore.errors import UsageError
from narrascore.parts import EyeSettings

if TYPE_CHECKING:
    from narrascore.perception.probe import AffectProbe

USAGE = "[flags] [key=value ...]"
DESCRIPTION = """\
Train the affect probe on what a frozen eye sees in labelled films (paper 3.3), and report its agreement with the
labels of held-out films. Without a word it draws films of known affect and trains on those. primer=a,b,c trains a
probe for each primer and keeps the one with the best validation CCC. What was stopped goes on when the same command is
given again. configs/train_probe.yaml lists every key."""
PATHS_AND_TEXT = ("output", "states", "eye", "data.root")


def run(words: Sequence[str]) -> int:
    """Train, save the probe and its report, and say where they lie."""
    line = _parser().take_apart(words)
    if line.names:
        raise UsageError(f"{line.names[0]!r} is no setting; give key=value, such as epochs=50")
    from narrascore.cli.film_set import find_films
    from narrascore.cli.progress import StageBars
    from narrascore.evaluation.probe_report import run_primer_report, run_probe_report
    from narrascore.eyes import load_vlm, look_with, vlm_source
    from narrascore.perception.cinematic import CinematicEye
    from narrascore.perception.states import read_states
    from narrascore.perception.training import train_probe

    line.flags.pop("multirun", None)  # a list of primers says it all
    primers = _primers(line.overrides)
    settings = [_compose(line.flags, _with_primer(line.overrides, primer)) for primer in primers]
    first = settings[0]
    source = vlm_source(str(first.eye.eye))
    if len(settings) > 1 and source is None:
        raise UsageError("several primers are compared with eye=vlm; the eye cinematic reads no words")
    films = find_films(first.data, first.training.out)
    print(f"eye: {first.eye.eye}; films: {first.data['name']}, {len(films)}", flush=True)
    probes: dict[str, AffectProbe] = {}
    with StageBars("probe") as bars:

        def watched(name: str, share: float) -> None:
            bars.show("read", share, 1.0)

        def trained(epochs: int, ccc: float) -> None:
            bars.show("training", epochs, first.training.epochs)

        def chance(epochs: int, ccc: float) -> None:
            bars.show("training on shuffled labels", epochs, first.training.epochs)

        vlm = load_vlm(source, first.eye.vlm, device=first.eye.device, offline=first.eye.offline) if source else None
        readings = {}
        for primer, chosen in zip(primers, settings, strict=True):
            eye = look_with(vlm, chosen.eye)
            readings[primer] = read_states(films, eye, chosen.states, watched)
            place = first.training.out / "primers" / primer if len(primers) > 1 else first.training.out
            about = {"data": chosen.data["name"], "films": len(films), "eye": eye.describe()}
            training = dataclasses.replace(chosen.training, out=place)
            probes[primer] = train_probe(readings[primer], training, about, trained)
        best = max(probes, key=lambda primer: probes[primer].about["metrics"]["validation_ccc"])
        probe, reads, training = probes[best], readings[best], settings[primers.index(best)].training
        cinematic = reads if source is None else read_states(films, CinematicEye(), first.states, watched)
        command = shlex.join(["narrascore", "train-probe", *words])
        _, text = run_probe_report(probe, reads, cinematic, training, command=command, progress=chance)
    if len(probes) > 1:
        probe.save(training.out, probe.about)
        print(run_primer_report(probes, training.out, training.seed, command))
    print(text)
    print(f"{training.out}\nnarrascore score FILM --eye {first.eye.eye} --probe {training.out} uses it")
    return 0


@dataclass(frozen=True)
class _Chosen:
    """One composed set of settings, taken apart for those whom it concerns."""

    data: Mapping[str, object]
    states: Path
    eye: EyeSettings
    training: Any


def _compose(flags: Mapping[str, object], overrides: Sequence[str]) -> _Chosen:
    from narrascore.cli.config import compose_settings
    from narrascore.cli.settings import read_settings
    from narrascore.perception.training import ProbeTrainingSettings
    from narrascore.systems import choose_device

    composed = compose_settings("train_probe", flags, overrides, groups=("primer",), verbatim=PATHS_AND_TEXT)
    data, states = composed.pop("data"), composed.pop("states")
    composed["device"] = choose_device(str(composed["device"]))
    composed["out"], composed["l1_weight"] = composed.pop("output"), composed.pop("lambda")
    seen = {field.name: composed[field.name] for field in dataclasses.fields(EyeSettings)}
    trained = {name: value for name, value in composed.items() if name not in seen or name == "device"}
    training = read_settings(ProbeTrainingSettings, trained)
    place = training.out / "states" if states is None else Path(states).expanduser()
    return _Chosen(data, place, read_settings(EyeSettings, seen), training)


def _primers(overrides: Sequence[str]) -> list[str]:
    """What `primer=` names, `a,b,c` being three; a text with commas in it is one, unless every part is a name."""
    from narrascore.cli.config import find_configs

    given = [word.partition("=")[2] for word in overrides if word.startswith("primer=")]
    if not given:
        return [""]
    names = given[-1].split(",")
    known = {path.stem for path in (find_configs() / "primer").glob("*.yaml")}
    return list(dict.fromkeys(names)) if set(names) <= known else [given[-1]]


def _with_primer(overrides: Sequence[str], primer: str) -> list[str]:
    others = [word for word in overrides if not word.startswith("primer=")]
    return [*others, f"primer={primer}"] if primer else others


def _parser() -> Parser:
    parser = Parser("train-probe", DESCRIPTION, USAGE)
    parser.add_argument("-o", "--output", metavar="FOLDER", help="default outputs/probe")
    parser.add_argument("--eye", metavar="NAME", help="cinematic (default), vlm, or a VideoLLaMA3's folder or id")
    parser.add_argument("--data", dest="data.root", metavar="FOLDER", help="a prepared film set (films.json)")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda or mps")
    parser.add_argument("-m", "--multirun", action="store_true", help="as in Hydra: primer=a,b,c takes turns anyway")
    return parser
