"""Windows of a corpus as batches: codes, the curve they were written under, and a sentence."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from narrascore.affect import AffectCurve
from narrascore.data.shards import ShardItem, ShardSet
from narrascore.errors import InputError


@dataclass(frozen=True)
class Crop:
    """One window of one piece: which, from which frame, with which of its captions (none: no sentence)."""

    item: int
    start: int
    caption: int | None


@dataclass(frozen=True)
class CropBatch:
    """What a training step reads.

    Attributes:
        codes: `[B, K, n]`.
        affect: the curve at the frame rate with the adapter's halo on both sides, `[B, n + 2 * halo, 2]`.
        sentences: B of them, empty where the sentence was dropped.
    """

    codes: Tensor
    affect: Tensor
    sentences: list[str]

    def to(self, device: torch.device | str) -> CropBatch:
        return CropBatch(self.codes.to(device), self.affect.to(device), self.sentences)


class CropSet(Dataset[tuple[Tensor, Tensor, str]]):
    """Crops read from shards when they are asked for."""

    def __init__(self, shards: ShardSet, crops: list[Crop], frames: int, frame_rate_hz: float, halo: int) -> None:
        self.shards, self.crops = shards, crops
        self.frames, self.frame_rate_hz, self.halo = frames, frame_rate_hz, halo

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, str]:
        crop = self.crops[index]
        item = self.shards[crop.item]
        codes = np.array(item.codes[:, crop.start : crop.start + self.frames])
        times = (crop.start - self.halo + np.arange(codes.shape[1] + 2 * self.halo)) / self.frame_rate_hz
        affect = AffectCurve(np.array(item.curve)).at(times)
        sentence = "" if crop.caption is None else captions_of(item)[crop.caption]
        return torch.from_numpy(codes).long(), torch.from_numpy(affect), sentence


class CropModule(lightning.LightningDataModule):
    """Batches of equal windows; an epoch's order and crops are a function of (seed, stage, epoch).

    Args:
        folder: shards with the splits `train` and `validation`.
        frames: longest window; a corpus of shorter clips gives its shortest clip's length.
        frame_rate_hz: of the codes.
        halo: frames of the curve on either side of a window.
        crops_per_epoch: 0 takes each piece once.
        drop_sentence: share of training examples without a sentence.

    Raises:
        InputError: if a split is missing, or an epoch of the corpus does not fill one batch.
    """

    def __init__(
        self,
        folder: Path,
        *,
        frames: int,
        frame_rate_hz: float,
        halo: int,
        batch_size: int,
        crops_per_epoch: int,
        drop_sentence: float,
        seed: int,
        validation_crops: int = 48,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.splits = {split: ShardSet.open(folder, split) for split in ("train", "validation")}
        if not all(len(shards) for shards in self.splits.values()):
            raise InputError(f"corpus {folder}: needs pieces in the splits train and validation; prepare it again")
        crops = crops_per_epoch or len(self.splits["train"])
        if crops < batch_size:
            raise InputError(f"corpus {folder}: an epoch of {crops} windows fills no batch of {batch_size}; lower it")
        self.lengths = {
            name: [shards[i].codes.shape[1] for i in range(len(shards))] for name, shards in self.splits.items()
        }
        self.frames = min(frames, *(min(lengths) for lengths in self.lengths.values()))
        self.frame_rate_hz, self.halo = frame_rate_hz, halo
        self.batch_size, self.crops_per_epoch, self.drop_sentence = batch_size, crops_per_epoch, drop_sentence
        self.seed, self.validation_crops, self.stage = seed, validation_crops, 1

    @property
    def codebooks(self) -> int:
        """K of the corpus."""
        return int(self.splits["train"][0].codes.shape[0])

    def train_dataloader(self) -> DataLoader[CropBatch]:
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        rng = random.Random(f"{self.seed}/{self.stage}/{epoch}")
        return self._loader("train", self._draw(rng, "train", self.crops_per_epoch, self.drop_sentence))

    def val_dataloader(self) -> DataLoader[CropBatch]:
        return self._loader(
            "validation", self._draw(random.Random("validation"), "validation", self.validation_crops, 0)
        )

    def _draw(self, rng: random.Random, split: str, count: int, drop: float) -> list[Crop]:
        shards, lengths = self.splits[split], self.lengths[split]
        order: list[int] = []
        while len(order) < (count or len(shards)):
            order += rng.sample(range(len(shards)), len(shards))
        crops = []
        for item in order[: count or len(shards)]:
            start = 0 if rng.random() < 0.125 else rng.randint(0, lengths[item] - self.frames)
            captions = len(captions_of(shards[item]))
            crops.append(Crop(item, start, None if rng.random() < drop else rng.randrange(captions)))
        return crops

    def _loader(self, split: str, crops: list[Crop]) -> DataLoader[CropBatch]:
        # Lightning's own sampler would shuffle. Taken in turn, N processes read what one with N times the batch reads.
        rank, processes = (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
        crops = crops[: len(crops) // processes * processes][rank::processes]
        crop_set = CropSet(self.splits[split], crops, self.frames, self.frame_rate_hz, self.halo)
        # Validation takes another piece's curve from the same batch, so there it holds two at least.
        size = self.batch_size if split == "train" else max(2, self.batch_size)
        return DataLoader(crop_set, size, collate_fn=_collate, drop_last=split == "train")  # type: ignore[arg-type]

    def transfer_batch_to_device(self, batch: CropBatch, device: torch.device, dataloader_idx: int) -> CropBatch:
        return batch.to(device)


def captions_of(item: ShardItem) -> list[str]:
    """A piece's captions, one a line; at least one, if empty."""
    return [line for line in item.caption.split("\n") if line.strip()] or [""]


def _collate(rows: list[tuple[Tensor, Tensor, str]]) -> CropBatch:
    codes, affect, sentences = zip(*rows, strict=True)
    return CropBatch(torch.stack(codes), torch.stack(affect), list(sentences))
