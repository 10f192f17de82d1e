"""The settings of `configs/evaluate.yaml`, which says what each of them means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from narrascore.parts import SystemSettings

Metric = Literal[
    "tracking", "sanity", "steps", "known_truth", "rules", "seams", "table1", "table4", "figure4", "listening",
    "ratings",
]  # fmt: skip


@dataclass(frozen=True)
class BlockAdapters:
    """Adapters of Table 4's block ablation, each trained by `ablation=` of the same name."""

    blocks_50: Path | None
    blocks_100: Path | None


@dataclass(frozen=True)
class ListeningSettings:
    films: int
    clip_seconds: int

    def __post_init__(self) -> None:
        if self.films < 1 or not 5 <= self.clip_seconds <= 120:
            raise ValueError(
                "listening.films must be at least 1 and listening.clip_seconds in [5, 120]: got "
                f"{self.films} and {self.clip_seconds}"
            )


@dataclass(frozen=True)
class RatingsSettings:
    answers: Path | None
    key: Path | None


@dataclass(frozen=True)
class Figure4Settings:
    film: str | None


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(SystemSettings):
    """What is measured, on what, and where it is written."""

    data: Path | None
    metrics: tuple[Metric, ...]
    output: Path
    document: Path | None
    curves: int
    duration_seconds: tuple[int, int]
    long_curves: int
    long_duration_seconds: tuple[int, int]
    seed: int
    rules: Path | None
    reference: Path | None
    vibenet_python: Path | None
    generated: Mapping[str, Path]
    adapters: BlockAdapters
    listening: ListeningSettings
    ratings: RatingsSettings
    figure4: Figure4Settings

    def __post_init__(self) -> None:
        if self.curves < 2:
            raise ValueError(f"curves must be at least 2, and 20 for a number to be reported: got {self.curves}")
        for name in ("duration_seconds", "long_duration_seconds"):
            shortest, longest = getattr(self, name)
            if not 8 <= shortest <= longest:
                raise ValueError(f"{name} must rise from at least 8: got {[shortest, longest]}")
