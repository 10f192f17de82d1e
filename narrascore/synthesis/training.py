"""Training of the adapter and its gates over a frozen backbone (paper 3.5, Eq. 7, and the two stages of 4.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from narrascore.data.module import CropBatch, CropModule
from narrascore.errors import InputError, UsageError
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.delays import teacher_forcing
from narrascore.synthesis.fitting import fit_stage
from narrascore.synthesis.injection import all_gates, inject, injected_blocks
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.steering import find_steering
from narrascore.synthesis.training_settings import AdapterTrainingSettings

GATE_RATE = 10.0
"""Gates learn this much faster than the rest, and without weight decay."""
TRAINED = {0: ("projector", "temporal"), 1: ("projector",), 2: ("temporal",)}
"""Stage -> the branches that learn in it, the gates with them; stage 0 is the one stage of `stages=1`."""
ROWS = ("true", "shuffled", "none")
"""The curves under which held-out windows are read: their own, another piece's, none."""

Track = Callable[[AffectAdapter], str]
"""Makes music under held-out curves with the adapter so far, and says in one line how well it follows."""
Progress = Callable[[str], None]


class AdapterTraining(lightning.LightningModule):
    """Cross-entropy of the delayed codes with the control injected; gradients in the adapter alone (Eq. 7).

    Args:
        musicgen: frozen; kept out of the module's parameters, so it is neither saved nor moved to training mode.
        adapter: what is trained.
        stage: 1 trains projector and gates, 2 temporal adapter and gates with the projector frozen, 0 all together.
        track: asked every `settings.track_every` epochs.
    """

    def __init__(
        self,
        musicgen: FrozenMusicGen,
        adapter: AffectAdapter,
        stage: int,
        settings: AdapterTrainingSettings,
        track: Track | None = None,
    ) -> None:
        super().__init__()
        self.adapter = adapter
        self.stage, self.settings, self.track = stage, settings, track
        self.validation: dict[str, float] = {}
        """The last epoch's losses, by `ROWS`."""
        self._musicgen = (musicgen,)
        for name in TRAINED[0]:  # now, before a strategy looks for what will have gradients
            getattr(adapter, name).requires_grad_(name in TRAINED[stage])

    @property
    def musicgen(self) -> FrozenMusicGen:
        return self._musicgen[0]

    def on_fit_start(self) -> None:
        self.musicgen.to(self.device)

    def on_train_start(self) -> None:
        """What is trained, and the head of the table that validation fills."""
        trained = sum(parameter.numel() for parameter in self.adapter.parameters() if parameter.requires_grad)
        seconds = self.adapter.receptive_field_seconds(self.musicgen.frame_rate_hz)
        self.print(
            f"stage {self.stage or 'one'}: {trained:,} parameters learn ({', '.join(TRAINED[self.stage])}, gates); "
            f"control hears {seconds:.2f} s of the curve and goes into blocks {list(self.adapter.blocks)} of "
            f"{self.musicgen.blocks}\nepoch      true  shuffled      none  mean gate   (validation losses by curve)"
        )

    def on_train_epoch_start(self) -> None:
        """A branch that is not trained in this stage does not drop out either."""
        for name in TRAINED[0]:
            getattr(self.adapter, name).train(name in TRAINED[self.stage])

    def losses(self, batch: CropBatch, affect: Tensor | None) -> Tensor:
        """Mean cross-entropy over codebooks under a curve, or under none (Eq. 7)."""
        musicgen = self.musicgen
        inputs, targets, known = teacher_forcing(batch.codes, musicgen.delays, musicgen.bos)
        add_control = None
        if affect is not None:
            add_control = inject(all_gates(self.adapter), self.adapter(affect))
        text = musicgen.encode_text(batch.sentences)
        logits = musicgen(inputs, text, add_control, checkpointing=self.settings.checkpointing and self.training)
        flat = targets.masked_fill(~known, -100)
        per_code = F.cross_entropy(logits.float().flatten(0, 2), flat.flatten(), ignore_index=-100, reduction="none")
        per_codebook = per_code.view(flat.shape).sum((0, 2)) / (known.sum(1) * len(flat))
        return per_codebook.mean()

    def training_step(self, batch: CropBatch, index: int) -> Tensor:
        """The random state of a step is a function of (seed, step), so a resumed run draws the same dropout."""
        name = f"{self.settings.seed}/{self.stage}/{self.trainer.current_epoch}/{index}/{self.global_rank}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big"))
        loss = self.losses(batch, batch.affect)
        self.log("train_loss", loss, prog_bar=True, batch_size=len(batch.codes))
        return loss

    def validation_step(self, batch: CropBatch, index: int) -> None:
        """Loss with the true curve, another piece's, and none: the first must win, if by little (teacher forcing tells
        most of what the curve would)."""
        for name, affect in zip(ROWS, (batch.affect, batch.affect.roll(1, 0), None), strict=True):
            loss = self.losses(batch, affect)
            self.log(f"validation_{name}", loss, batch_size=len(batch.codes), sync_dist=True)

    def on_validation_end(self) -> None:
        """A row of the table, and every few epochs what the music itself says."""
        epoch, metrics = self.trainer.current_epoch + 1, self.trainer.callback_metrics
        self.validation = {name: float(metrics[f"validation_{name}"]) for name in ROWS}
        losses = "".join(f"{loss:10.4f}" for loss in self.validation.values())
        self.print(f"{epoch:>5}{losses}{float(self.adapter.gates.abs().mean()):11.4f}")
        track, every = self.track, self.settings.track_every
        if track is not None and every and epoch % every == 0 and self.trainer.is_global_zero:
            self.print(f"{epoch:>5}  follows: {track(self.adapter)}")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["validation"] = self.validation

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.validation = checkpoint["validation"]

    def configure_optimizers(self) -> Any:
        settings = self.settings
        trained = [weight for name in TRAINED[self.stage] for weight in getattr(self.adapter, name).parameters()]
        groups: list[dict[str, Any]] = [
            {"params": trained, "lr": settings.learning_rate},
            {"params": [self.adapter.gates], "lr": GATE_RATE * settings.learning_rate, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        peaks = [group["lr"] for group in groups]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peaks, total_steps=steps + 1, pct_start=0.1)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train_adapter(
    musicgen: FrozenMusicGen,
    settings: AdapterTrainingSettings,
    *,
    track: Track | None = None,
    progress: Progress | None = None,
) -> AffectAdapter:
    """Train in two stages or one, resuming at the last finished epoch, and save the adapter into `settings.out`.

    With `train=False` what `init` made is saved as it is: steering without labels.

    Args:
        musicgen: frozen.
        settings: all the rest.
        track: see `Track`.
        progress: told what is done before the training begins.

    Raises:
        InputError: if the corpus cannot be used.
        UsageError: if the settings do not fit the backbone, or a training begun with others.
    """
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    blocks = injected_blocks(musicgen.blocks, settings.injected_share, settings.blocks)
    adapter = AffectAdapter(
        musicgen.width, blocks, settings.hidden, settings.kernel, settings.dilations, settings.dropout
    )
    about: dict[str, object] = {"backbone": musicgen.describe(), "training": settings.said()}
    if settings.init != "fresh":
        about["steering"] = _steer(musicgen, adapter, settings, progress)
    if settings.train:
        data = _corpus(musicgen, adapter, settings)
        for stage, epochs in settings.plan():
            module, data.stage = AdapterTraining(musicgen, adapter, stage, settings, track), stage
            fit_stage(module, data, f"stage{stage}" if stage else "one_stage", epochs, settings)
            about["validation"] = module.validation
        about["corpus"] = data.folder.name
    rank_zero_only(adapter.eval().save)(settings.out, about)
    return adapter


def _steer(
    musicgen: FrozenMusicGen, adapter: AffectAdapter, settings: AdapterTrainingSettings, progress: Progress | None
) -> dict[str, object]:
    """Write steering into a fresh adapter, and tell how it was made."""
    steering = find_steering(
        musicgen, adapter.blocks, seconds=settings.steering_seconds, seed=settings.seed, progress=progress
    )
    told = steering.describe()
    if settings.init == "random_direction":
        steering = steering.random(settings.seed)
    steering.write_into(adapter, settings.steering_scale)
    return told


def _corpus(musicgen: FrozenMusicGen, adapter: AffectAdapter, settings: AdapterTrainingSettings) -> CropModule:
    if settings.corpus is None:
        raise UsageError("a training needs a corpus; name its folder, or use train=false with init=steering")
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
    if data.codebooks != musicgen.codebooks:
        raise InputError(
            f"corpus {settings.corpus}: its codes have {data.codebooks} codebooks, and those of the music model have "
            f"{musicgen.codebooks}; prepare the corpus with this model's codec"
        )
    return data
