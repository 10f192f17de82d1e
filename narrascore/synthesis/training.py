"""Training of the adapter and its gates over a frozen backbone (paper 3.5, Eq. 7, and the two stages of 4.1)."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn

from narrascore.data.module import CropBatch, CropModule
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.delays import teacher_forcing
from narrascore.synthesis.injection import inject, shallow_blocks
from narrascore.synthesis.musicgen import FrozenMusicGen

GATE_RATE = 10.0
"""Gates learn this much faster than the rest, and without weight decay."""


@dataclass(frozen=True)
class AdapterTrainingSettings:
    """What a training of the adapter is told.

    Attributes:
        corpus: folder of shards.
        out: where checkpoints, logs and the adapter go.
        stage_epochs: epochs of stage 1 (projector and gates) and stage 2 (temporal adapter and gates); the paper's are
            150 and 50.
        crops_per_epoch: windows drawn per epoch; 0 takes each piece once.
        injected_share: share of the backbone's blocks that hear the control.
        drop_sentence: share of examples without a sentence; guidance needs the row (none, C).
        precision: Lightning's name, `32-true` or `bf16-mixed`.
    """

    corpus: Path
    out: Path
    stage_epochs: tuple[int, int] = (4, 4)
    crops_per_epoch: int = 400
    batch_size: int = 4
    accumulate: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    injected_share: float = 0.75
    hidden: int = 128
    kernel: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)
    dropout: float = 0.1
    drop_sentence: float = 0.15
    precision: str = "32-true"
    checkpointing: bool = False
    device: str = "cpu"
    seed: int = 0


class AdapterTraining(lightning.LightningModule):
    """Cross-entropy of the delayed codes with the control injected; gradients in the adapter alone (Eq. 7).

    Args:
        musicgen: frozen; kept out of the module's parameters, so it is neither saved nor moved to training mode.
        adapter: what is trained.
        stage: 1 trains projector and gates, 2 temporal adapter and gates with the projector frozen.
    """

    def __init__(
        self, musicgen: FrozenMusicGen, adapter: AffectAdapter, stage: int, settings: AdapterTrainingSettings
    ) -> None:
        super().__init__()
        self.adapter = adapter
        self.stage, self.settings = stage, settings
        self._musicgen = (musicgen,)

    @property
    def musicgen(self) -> FrozenMusicGen:
        return self._musicgen[0]

    def setup(self, stage: str) -> None:
        self.musicgen.to(self.device)

    def on_train_epoch_start(self) -> None:
        """The part that is not trained in this stage neither moves nor drops out."""
        branches = (self.adapter.projector, self.adapter.temporal)
        for number, branch in enumerate(branches, start=1):
            branch.requires_grad_(number == self.stage).train(number == self.stage)

    def losses(self, batch: CropBatch, affect: Tensor | None) -> Tensor:
        """Mean cross-entropy over codebooks under a curve, or under none (Eq. 7)."""
        musicgen = self.musicgen
        inputs, targets, known = teacher_forcing(batch.codes, musicgen.delays, musicgen.bos)
        add_control = None
        if affect is not None:
            add_control = inject(self.adapter, self.adapter(affect), training=True)
        text = musicgen.encode_text(batch.sentences)
        logits = musicgen(inputs, text, add_control, checkpointing=self.settings.checkpointing and self.training)
        flat = targets.masked_fill(~known, -100)
        per_code = F.cross_entropy(logits.float().flatten(0, 2), flat.flatten(), ignore_index=-100, reduction="none")
        per_codebook = per_code.view(flat.shape).sum((0, 2)) / (known.sum(1) * len(flat))
        return per_codebook.mean()

    def training_step(self, batch: CropBatch, index: int) -> Tensor:
        """The random state of a step is a function of (seed, step), so a resumed run draws the same dropout."""
        name = f"{self.settings.seed}/{self.stage}/{self.trainer.current_epoch}/{index}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big"))
        loss = self.losses(batch, batch.affect)
        self.log("train_loss", loss, prog_bar=True, batch_size=len(batch.codes))
        return loss

    def validation_step(self, batch: CropBatch, index: int) -> None:
        """Loss with the true curve, another piece's, and none: the first must win, if by little (teacher forcing tells
        most of what the curve would)."""
        rows = {"true": batch.affect, "shuffled": batch.affect.roll(1, 0), "none": None}
        for name, affect in rows.items():
            self.log(f"validation_{name}", self.losses(batch, affect), prog_bar=True, batch_size=len(batch.codes))

    def configure_optimizers(self) -> Any:
        trained: nn.Module = self.adapter.projector if self.stage == 1 else self.adapter.temporal
        settings = self.settings
        groups: list[dict[str, Any]] = [
            {"params": list(trained.parameters()), "lr": settings.learning_rate},
            {"params": [self.adapter.gates], "lr": GATE_RATE * settings.learning_rate, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        peaks = [group["lr"] for group in groups]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peaks, total_steps=steps + 1, pct_start=0.1)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train_adapter(musicgen: FrozenMusicGen, settings: AdapterTrainingSettings) -> AffectAdapter:
    """Train in two stages, resuming either from its last finished epoch, and save the adapter into `settings.out`.

    Raises:
        InputError: if the corpus cannot be used.
    """
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    blocks = shallow_blocks(musicgen.blocks, settings.injected_share)
    adapter = AffectAdapter(
        musicgen.width, blocks, settings.hidden, settings.kernel, settings.dilations, settings.dropout
    )
    data = CropModule(
        settings.corpus,
        frames=musicgen.window_frames + max(musicgen.delays),
        frame_rate_hz=musicgen.frame_rate_hz,
        halo=adapter.halo,
        batch_size=settings.batch_size,
        crops_per_epoch=settings.crops_per_epoch,
        drop_sentence=settings.drop_sentence,
        seed=settings.seed,
    )
    metrics: dict[str, float] = {}
    for stage, epochs in enumerate(settings.stage_epochs, start=1):
        if epochs:
            metrics = _fit_stage(AdapterTraining(musicgen, adapter, stage, settings), data, stage, epochs, settings)
    adapter.eval().save(settings.out, {**_about(musicgen, settings), "validation": metrics})
    return adapter


def _fit_stage(
    module: AdapterTraining, data: CropModule, stage: int, epochs: int, settings: AdapterTrainingSettings
) -> dict[str, float]:
    folder = settings.out / f"stage{stage}"
    data.stage = stage
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu" if settings.device == "cpu" else "auto",
        devices=1,
        precision=settings.precision,  # type: ignore[arg-type]
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=1.0,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        logger=CSVLogger(settings.out, name="logs", version=f"stage{stage}"),
        callbacks=[
            ModelCheckpoint(folder, filename="last", enable_version_counter=False, save_on_train_epoch_end=True),
            TQDMProgressBar(refresh_rate=10),
        ],
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    trainer.fit(module, data, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("validation")}


def _about(musicgen: FrozenMusicGen, settings: AdapterTrainingSettings) -> dict[str, object]:
    said = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items() if k not in ("out", "corpus")}
    return {"backbone": musicgen.describe(), "training": said, "corpus": settings.corpus.name}
