"""Agreement with the rules: what valence and arousal would the composer's rules have written this sound under?

A ridge regression from a few seconds of sound to the curve, trained on the rule composer's corpus, whose labels are
the curves its pieces were written under. It hears whether music sounds as those rules make it sound. It says nothing of
what people feel, and its agreement on held-out pieces, which stands beside every number of it, is no accuracy of
emotion.

Loudness counts relative to the piece's own mean, so that the gain of a system does not move it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from narrascore.anchor import MusicalAnchor
from narrascore.data.shards import ShardItem
from narrascore.errors import InputError, UsageError
from narrascore.evaluation.agreement import MEASURES, sums_of
from narrascore.evaluation.intervals import Estimate, statistic_of_pieces
from narrascore.evaluation.music import Player, Progress
from narrascore.evaluation.sound_features import SOUND_UNITS, read_sound
from narrascore.evaluation.tables import Table, provenance, write_report
from narrascore.files import write_text
from narrascore.synthesis.note_features import Feature, centred_sums
from narrascore.synthesis.score_codes import FRAME_RATE_HZ, cut_out

DIMENSIONS = ("valence", "arousal")
WINDOW_SECONDS = 5.0
"""Of sound around each second."""
PIECE_SECONDS = 45
"""Read of each piece of the corpus, from its start."""
TRAINING_PIECES_FOR_EACH = 6
"""Pieces to train on for each that is held out."""
RIDGE = 10.0
"""Weight of the squared coefficients, in seconds of music: inputs are standardised."""
FILE = "rule_reader.json"


@dataclass(frozen=True)
class RuleReader:
    """Reads valence and arousal off the features of sound.

    Attributes:
        mean, spread: of each input over the training seconds, `[D]`.
        weights: `[D + 1, 2]`, the last row the offset.
        agreement: CCC on held-out pieces with its interval, by dimension.
        trained_on, held_out: pieces.
    """

    mean: list[float]
    spread: list[float]
    weights: list[list[float]]
    agreement: dict[str, dict[str, float]]
    trained_on: int
    held_out: int

    def __call__(self, sound: Mapping[str, Feature]) -> dict[str, Feature]:
        """`ruled valence` and `ruled arousal` `[F]`, in [-1, 1].

        Args:
            sound: `read_sound` of a piece.
        """
        values = _apply(_inputs(sound), np.array(self.mean), np.array(self.spread), np.array(self.weights))
        return {f"ruled {name}": values[:, column] for column, name in enumerate(DIMENSIONS)}

    @property
    def caveat(self) -> str:
        """The sentence that belongs beside every number of it."""
        found = {name: self.agreement[name] for name in DIMENSIONS}
        measured = ", ".join(f"{name} {Estimate(one['value'], one['low'], one['high'], self.held_out)}"
                             for name, one in found.items())  # fmt: skip
        return (
            f"Ruled valence and arousal are agreement with the composer's rules, not accuracy of emotion: CCC on "
            f"{self.held_out} held-out pieces of its corpus {measured} ({self.trained_on} pieces to train on)."
        )

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> RuleReader:
        """Read one back.

        Raises:
            InputError: if there is none, or it is of other features.
        """
        try:
            reader = cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))
            wanted = _inputs(dict.fromkeys(SOUND_UNITS, np.zeros(1))).shape[1]
            if (
                np.array(reader.weights).shape != (wanted + 1, 2)
                or not len(reader.mean) == len(reader.spread) == wanted
            ):
                raise ValueError(f"weights must be [{wanted + 1}, 2]")
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"rules {folder / FILE}: {error}; make it with metrics=rules data.root=CORPUS") from error
        return reader


def run_rules(
    pipeline: Player,
    train: Sequence[ShardItem],
    test: Sequence[ShardItem],
    out_folder: Path,
    *,
    n: int = 24,
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> tuple[RuleReader, str]:
    """Train a reader on the composer's corpus and measure it on pieces it has not heard.

    Args:
        pipeline: whose sampler plays the pieces, by the instruments of their captions.
        train, test: the corpus's splits.
        out_folder: gets `rule_reader.json`, which `rules=FOLDER` of other measurements takes, and the tables.
        n: pieces held out; six times as many are trained on, as far as there are any.
        seed: of the choice of pieces and the bootstrap.

    Raises:
        UsageError: if the pipeline plays no notes or a split is empty.
    """
    if not pipeline.writes_notes:
        raise UsageError("the rules' corpus is notes, and this system plays none: use system=embedded")
    if not train or not test:
        raise UsageError("metrics=rules trains on a corpus and got none: give its shards by data.root=FOLDER")
    known, labels = _listen(pipeline, train, TRAINING_PIECES_FOR_EACH * n, seed, "train", progress)
    unheard, truth = _listen(pipeline, test, n, seed, "test", progress)
    inputs, targets = np.concatenate(known), np.concatenate(labels)
    mean, spread = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-9)
    design = _design(inputs, mean, spread)
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[-1, -1] = 0  # the offset is free
    weights = np.asarray(np.linalg.solve(design.T @ design + penalty, design.T @ targets), dtype=np.float64)
    read = [_apply(piece, mean, spread, weights) for piece in unheard]
    found = {
        name: statistic_of_pieces(
            np.stack([sums_of(piece[:, i], felt[:, i]) for piece, felt in zip(read, truth, strict=True)]),
            MEASURES["CCC"], seed,
        )
        for i, name in enumerate(DIMENSIONS)
    }  # fmt: skip
    reader = RuleReader(mean.tolist(), spread.tolist(), weights.tolist(),
                        {name: asdict(value) for name, value in found.items()}, len(known), len(unheard))  # fmt: skip
    reader.save(out_folder)
    rows = [[name, str(value), str(value.n)] for name, value in found.items()]
    table = Table("Agreement with the rules", ["dimension", "CCC", "pieces"], rows, reader.caveat)
    records = [{"dimension": name, **asdict(value)} for name, value in found.items()]
    text = write_report(out_folder, "rules", "Does it sound as the rules make it sound?", [table], records,
                        provenance(command, seed, n, window_seconds=WINDOW_SECONDS, ridge=RIDGE))  # fmt: skip
    return reader, text


def _listen(
    pipeline: Player, items: Sequence[ShardItem], count: int, seed: int, split: str, progress: Progress | None
) -> tuple[list[Feature], list[Feature]]:
    """Inputs `[F, D]` and labels `[F, 2]` of some pieces."""
    chosen = sorted(np.random.default_rng(seed).permutation(len(items))[:count].tolist())
    inputs, labels = [], []
    for number, index in enumerate(chosen):
        if progress is not None and number % 10 == 0:
            progress(f"rules: listening to {split} piece {number + 1} of {len(chosen)}")
        item = items[index]
        codes = cut_out(item.codes, 0, min(item.codes.shape[1], PIECE_SECONDS * FRAME_RATE_HZ))
        codec = pipeline.musicgen.codec.for_anchor(MusicalAnchor(prompt=item.caption.splitlines()[0][:300]))
        sound = read_sound(codec.decode(torch.from_numpy(codes.astype(np.int64))), codec.sample_rate_hz)
        rows = min(len(item.curve), len(sound["loudness"]))
        inputs.append(_inputs(sound)[:rows])
        labels.append(item.curve[:rows].astype(np.float64))
    return inputs, labels


def _inputs(sound: Mapping[str, Feature]) -> NDArray[np.float64]:
    """Mean and spread of every feature over 5 s around each second, and the squares of the means, `[F, 3 x 7]`."""
    columns = []
    for name in SOUND_UNITS:
        feature = sound[name] - sound[name].mean() if name == "loudness" else sound[name]
        total, count = centred_sums(feature, len(feature), 1, WINDOW_SECONDS)
        squares, _ = centred_sums(feature**2, len(feature), 1, WINDOW_SECONDS)
        mean = total / count
        columns += [mean, np.sqrt(np.maximum(squares / count - mean**2, 0)), mean**2]
    return np.stack(columns, axis=1)


def _design(inputs: NDArray[np.float64], mean: Feature, spread: Feature) -> NDArray[np.float64]:
    return np.column_stack([(inputs - mean) / spread, np.ones(len(inputs))])


def _apply(inputs: NDArray[np.float64], mean: Feature, spread: Feature, weights: Feature) -> NDArray[np.float64]:
    return np.clip(_design(inputs, mean, spread) @ weights, -1, 1)
