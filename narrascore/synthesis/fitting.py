"""One stage of a training under Lightning: begun, or gone on with at its last finished epoch."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytorch_lightning as lightning
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities import rank_zero_only

from narrascore.errors import UsageError
from narrascore.synthesis.training_settings import AdapterTrainingSettings


def fit_stage(
    module: lightning.LightningModule,
    data: lightning.LightningDataModule,
    name: str,
    epochs: int,
    settings: AdapterTrainingSettings,
) -> None:
    """Train, keeping a checkpoint of the last finished epoch in `settings.out / name`.

    Raises:
        UsageError: if that folder holds a training begun with other settings, or Lightning refuses the devices.
    """
    folder = settings.out / name
    last = folder / "last.ckpt"
    _agree(folder, last.is_file(), {**settings.decisive(), "epochs": epochs})
    trainer = _trainer(name, folder, epochs, settings)
    with warnings.catch_warnings():  # a folder that exists is how a training goes on; a branch at rest is meant
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        try:
            trainer.fit(module, data, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
        except SystemExit as stopped:  # how Lightning ends on Ctrl-C, with a code of its own
            raise KeyboardInterrupt from stopped


def _trainer(name: str, folder: Path, epochs: int, settings: AdapterTrainingSettings) -> lightning.Trainer:
    kind, _, index = settings.device.partition(":")
    try:
        return lightning.Trainer(
            max_epochs=epochs,
            accelerator=kind,
            devices=[int(index)] if index else settings.devices,
            strategy=settings.strategy,
            precision=settings.precision,
            accumulate_grad_batches=settings.accumulate,
            gradient_clip_val=1.0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,  # the data module shares its windows out
            num_sanity_val_steps=0,
            log_every_n_steps=10,
            logger=CSVLogger(settings.out, name="logs", version=name),
            callbacks=[
                ModelCheckpoint(folder, filename="last", enable_version_counter=False, save_on_train_epoch_end=True),
                TQDMProgressBar(refresh_rate=10),
            ],
            enable_model_summary=False,
        )
    except (ValueError, MisconfigurationException) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(
            f"device={settings.device}, devices={settings.devices}, strategy={settings.strategy}: {reason}"
        ) from error


@rank_zero_only
def _agree(folder: Path, begun: bool, decisive: dict[str, object]) -> None:
    """Keep the settings beside a stage's checkpoint, and refuse to go on from it with others.

    Raises:
        UsageError: naming what differs.
    """
    path, text = folder / "settings.json", json.dumps(decisive, indent=2) + "\n"
    if begun and path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        now = json.loads(text)
        changed = [f"{name}={before.get(name)}" for name in now if before.get(name) != now[name]]
        if changed:
            raise UsageError(
                f"{folder}: holds a training begun with {', '.join(changed)}; give the same to go on with it, or "
                "another folder by -o"
            )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
