"""What a training of the adapter is told: every key of `configs/train_adapter.yaml` but the music model's own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

MACHINE = ("corpus", "out", "device", "devices", "strategy", "track_every", "stage_epochs")
"""Settings that a resumed training may be given anew; its stage's own epochs are compared apart."""


@dataclass(frozen=True)
class AdapterTrainingSettings:
    """What a training of the adapter is told.

    Attributes:
        corpus: folder of shards; None where nothing is trained.
        out: where checkpoints, logs and the adapter go.
        init: `fresh`, with closed gates; `steering`, directions found without labels (see `steering.py`);
            `random_direction`, its control, with random directions of equal norm.
        steering_scale: share of its length by which a curve at 1 moves the hidden state, summed over the blocks.
        steering_seconds: music that is made for each sentence to find the directions.
        train: false saves the start as it is, with no data set.
        stages: 2, the paper's; 1 trains all parts together for the epochs of both.
        stage_epochs: epochs of stage 1 (projector and gates) and stage 2 (temporal adapter and gates); the paper's are
            150 and 50.
        crops_per_epoch: windows drawn per epoch; 0 takes each piece once.
        injected_share: share of the backbone's blocks that hear the control, from the first.
        blocks: those blocks named one by one, instead of a share.
        drop_sentence: share of examples without a sentence; guidance needs the row (none, C).
        precision: `bf16-mixed` computes in bfloat16, with the adapter's weights and the sentence's states in fp32.
        checkpointing: recompute blocks in the backward pass: less memory, more time.
        strategy, devices: Lightning's, such as `ddp` and 2.
        track_every: every so many epochs a few held-out windows are made and measured; 0 is never.
    """

    corpus: Path | None
    out: Path
    init: Literal["fresh", "steering", "random_direction"] = "fresh"
    steering_scale: float = 0.15
    steering_seconds: float = 10.0
    train: bool = True
    stages: Literal[2, 1] = 2
    stage_epochs: tuple[int, int] = (4, 4)
    crops_per_epoch: int = 300
    batch_size: int = 4
    accumulate: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    injected_share: float = 0.75
    blocks: tuple[int, ...] | None = None
    hidden: int = 128
    kernel: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)
    dropout: float = 0.1
    drop_sentence: float = 0.15
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    checkpointing: bool = False
    device: str = "cpu"
    strategy: str = "auto"
    devices: int = 1
    track_every: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.injected_share <= 1:
            raise ValueError(f"injected_share must be in (0, 1]: got {self.injected_share}; the paper uses 0.75")
        if self.kernel % 2 == 0 or self.kernel < 1 or not self.dilations or min(self.dilations) < 1:
            raise ValueError(f"kernel must be odd and dilations at least 1: got {self.kernel}, {list(self.dilations)}")
        if min(self.batch_size, self.accumulate) < 1 or self.hidden < 4:
            raise ValueError(
                f"batch_size and accumulate must be at least 1, hidden at least 4: got {self.batch_size}, "
                f"{self.accumulate}, {self.hidden}"
            )
        if min(self.stage_epochs) < 0 or self.crops_per_epoch < 0 or self.track_every < 0:
            raise ValueError("stage_epochs, crops_per_epoch and track_every must not be negative")
        if not (0 <= self.dropout < 1 and 0 <= self.drop_sentence < 1):
            raise ValueError(f"dropout and drop_sentence must be in [0, 1): got {self.dropout}, {self.drop_sentence}")
        if self.init != "fresh" and not (self.steering_scale > 0 and self.steering_seconds > 0):
            raise ValueError("steering_scale and steering_seconds must be positive")
        if not self.train and self.init == "fresh":
            raise ValueError("train=false saves what init made, and init=fresh has closed gates: use init=steering")
        if self.train and sum(self.stage_epochs) == 0:
            raise ValueError("stage_epochs holds no epoch; train=false saves the start as it is")

    def plan(self) -> list[tuple[int, int]]:
        """(stage, epochs), in order; stage 0 trains all parts together."""
        stages = [(0, sum(self.stage_epochs))] if self.stages == 1 else list(enumerate(self.stage_epochs, start=1))
        return [(stage, epochs) for stage, epochs in stages if epochs]

    def said(self) -> dict[str, object]:
        """What the saved adapter tells of its training, as JSON can hold it."""
        return {name: value for name, value in asdict(self).items() if name not in ("out", "corpus")}

    def decisive(self) -> dict[str, object]:
        """What a training that goes on must have been begun with."""
        return {name: value for name, value in asdict(self).items() if name not in MACHINE}
