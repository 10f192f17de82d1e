"""Training of the probe on frozen states (paper 3.3, Eq. 4; epochs of 4.1, with early stopping on validation CCC)."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader
from torchmetrics import ConcordanceCorrCoef

from narrascore.errors import InputError
from narrascore.files import digest
from narrascore.perception.probe import AffectProbe, affect_loss
from narrascore.perception.states import ReadFilm

DIMENSIONS = ("valence", "arousal")
MONITOR = "validation_ccc"
Progress = Callable[[int, float], None]
"""(epochs done, their last validation CCC)."""


@dataclass(frozen=True)
class ProbeTrainingSettings:
    """What a training of the probe is told.

    Attributes:
        out: where the probe, its checkpoints and its logs go.
        width: of the probe's hidden layer.
        l1_weight: lambda of Eq. 4.
        epochs: at most; the paper has 150.
        patience: epochs without a better validation CCC after which training stops; the best epoch is kept.
        batch_size: clips.
    """

    out: Path
    width: int = 256
    dropout: float = 0.1
    l1_weight: float = 1.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    epochs: int = 150
    patience: int = 20
    batch_size: int = 8
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.width, self.epochs, self.patience, self.batch_size) < 1:
            raise ValueError(
                "width, epochs, patience and batch_size must be at least 1: "
                f"got {self.width}, {self.epochs}, {self.patience} and {self.batch_size}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1): got {self.dropout}; the design has 0.1")


class ClipModule(lightning.LightningDataModule):
    """Clips of the training films in an order by (seed, epoch), and the validation films whole.

    Raises:
        InputError: if either split has no labelled clip.
    """

    def __init__(self, films: list[ReadFilm], batch_size: int, seed: int) -> None:
        super().__init__()
        self.batch_size, self.seed = batch_size, seed
        self.films = {split: [read for read in films if read.film.split == split] for split in ("train", "validation")}
        self.clips = {split: [clip for film in read for clip in _clips(film)] for split, read in self.films.items()}
        for split, clips in self.clips.items():
            if not clips:
                raise InputError(f"the set has no labelled film in the split {split}; prepare it with one")

    def known_states(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Labelled rows of the training split, `[R, D]`, each once however many clips it is in."""
        rows = [film.reading.states[np.isfinite(film.row_labels).all(axis=1)] for film in self.films["train"]]
        return np.concatenate(rows)

    def witness(self) -> str:
        """A word that is another one if any state, label or split is."""
        content = hashlib.sha256()
        for split, clips in self.clips.items():
            for states, labels in clips:
                content.update(f"{split} {tuple(states.shape)}".encode() + states.numpy().tobytes())
                content.update(labels.numpy().tobytes())
        return content.hexdigest()

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        clips = self.clips["train"]
        order = random.Random(f"{self.seed}/{epoch}").sample(range(len(clips)), len(clips))
        return DataLoader([clips[i] for i in order], self.batch_size, collate_fn=_collate)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[ReadFilm]:
        return DataLoader(self.films["validation"], batch_size=None)  # type: ignore[arg-type]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """A whole film stays as it is: the probe takes its states where it lies itself."""
        return batch if isinstance(batch, ReadFilm) else super().transfer_batch_to_device(batch, device, dataloader_idx)


class ProbeTraining(lightning.LightningModule):
    """Eq. 4 over clips; validation reads each film as the pipeline does, and takes CCC over all their seconds."""

    def __init__(self, probe: AffectProbe, settings: ProbeTrainingSettings) -> None:
        super().__init__()
        self.probe, self.settings = probe, settings
        self.ccc = ConcordanceCorrCoef(num_outputs=2)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The random state of a step is a function of (seed, step), so a resumed run draws the same dropout."""
        name = f"{self.settings.seed}/{self.global_step}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big"))
        states, labels = batch
        loss = affect_loss(self.probe(states), labels, self.settings.l1_weight)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(states))
        return loss

    def validation_step(self, film: ReadFilm, index: int) -> None:
        affect = film.cross_fade(self.probe(film.reading.states).values)
        known = film.film.known
        self.ccc.update(*(torch.tensor(rows[known]).to(self.device) for rows in (affect, film.film.labels)))

    def on_validation_epoch_end(self) -> None:
        """A curve that never moves agrees with nothing: it counts as 0, where the formula has 0 / 0."""
        ccc = self.ccc.compute().nan_to_num(0.0)
        self.ccc.reset()
        self.log_dict({f"{MONITOR}_{name}": ccc[i] for i, name in enumerate(DIMENSIONS)})
        self.log(MONITOR, ccc.mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """At one learning rate: a schedule would need the number of epochs, which early stopping leaves open."""
        settings = self.settings
        return torch.optim.AdamW(self.probe.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)


def train_probe(
    films: list[ReadFilm],
    settings: ProbeTrainingSettings,
    about: Mapping[str, object],
    progress: Progress | None = None,
) -> AffectProbe:
    """Train on the split `train`, stop early on `validation`, and save the best epoch's probe into `settings.out`.

    A training that was stopped goes on from its last finished epoch to the same weights; one whose data or settings
    changed starts anew beside it.

    Args:
        films: labelled and read; other splits are left alone.
        settings: of the training.
        about: for `probe.json`, with the eye's description under `eye`.
        progress: told after every epoch.

    Returns:
        The probe, with metrics in `probe.about`.

    Raises:
        InputError: if a split is missing.
        KeyboardInterrupt: if it was stopped.
    """
    data = ClipModule(films, settings.batch_size, settings.seed)
    said = {name: value for name, value in dataclasses.asdict(settings).items() if name not in ("out", "device")}
    unit = {name: value for name, value in said.items() if name != "epochs"}
    folder = settings.out / "training" / digest([unit, data.witness()])[:12]

    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    states = data.known_states()
    probe = AffectProbe(states.shape[1], settings.width, settings.dropout)
    probe.standardise(states)
    checkpoints = folder / "checkpoints"
    trainer = lightning.Trainer(
        max_epochs=settings.epochs,
        accelerator="cpu" if settings.device == "cpu" else "auto",
        devices=1,
        gradient_clip_val=1.0,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=[CSVLogger(folder, name="csv"), TensorBoardLogger(folder, name="tensorboard")],
        callbacks=[
            _Patience(MONITOR, patience=settings.patience, mode="max", check_on_train_epoch_end=True),
            ModelCheckpoint(checkpoints, "best", monitor=MONITOR, mode="max", enable_version_counter=False),
            ModelCheckpoint(checkpoints, "last", enable_version_counter=False, save_on_train_epoch_end=True),
            _Told(progress),
        ],
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    last = checkpoints / "last.ckpt"
    module = ProbeTraining(probe, settings)
    with warnings.catch_warnings():  # a folder that exists is how a training goes on
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        try:
            trainer.fit(module, data, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
        except SystemExit as stopped:  # which Lightning makes of an interruption
            raise KeyboardInterrupt from stopped
    kept = torch.load(checkpoints / "best.ckpt", weights_only=True)
    module.load_state_dict(kept["state_dict"])
    scores = trainer.validate(module, data, verbose=False)[0]
    metrics = {**{name: float(value) for name, value in scores.items()}, "best_epoch": int(kept["epoch"])}
    probe.about = {**about, "training": said, "metrics": metrics, "log": folder.relative_to(settings.out).as_posix()}
    probe.cpu().eval().save(settings.out, probe.about)
    return probe


class _Patience(EarlyStopping):
    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A training that had stopped for good does not go on when it is started again."""
        trainer.should_stop = self.wait_count >= self.patience


class _Told(Callback):
    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.progress is not None:
            self.progress(trainer.current_epoch + 1, float(trainer.callback_metrics[MONITOR]))


def _clips(film: ReadFilm) -> list[tuple[Tensor, Tensor]]:
    """(states `[n, D]`, labels `[n, 2]`) of each clip."""
    labels = film.row_labels
    return [
        (torch.tensor(film.reading.states[start:stop]), torch.tensor(labels[start:stop]))
        for start, stop in film.clips()
    ]


def _collate(clips: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """States `[B, n, D]` and labels `[B, n, 2]`; shorter clips are filled up with seconds that have no label."""
    states, labels = zip(*clips, strict=True)
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(list(states), batch_first=True), pad(list(labels), batch_first=True, padding_value=torch.nan)
