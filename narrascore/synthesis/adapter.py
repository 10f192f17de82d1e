"""The temporal super-resolution adapter: from the affect curve to one control vector per music frame (Eq. 5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from narrascore.affect import AffectCurve
from narrascore.checkpoint import load_part, save_part
from narrascore.errors import InputError


class Projector(nn.Sequential):
    """Two linear layers with GELU and dropout between them: `[..., 2]` -> `[..., D]` (paper 4.1)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(2, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width))


class TemporalAdapter(nn.Module):
    """Dilated convolutions with LeakyReLU, then a linear layer that starts at zero (paper 3.5 and 4.1).

    Non-causal and without padding: `[B, n + 2 * halo, D]` -> `[B, n, D]`.
    """

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, kernel, dilation=d) for d in dilations)
        self.activation = nn.LeakyReLU(0.1)
        self.output = nn.Linear(width, width)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        self.halo = sum((kernel - 1) // 2 * d for d in dilations)

    def forward(self, projected: Tensor) -> Tensor:
        hidden = projected.transpose(1, 2)
        for convolution in self.convolutions:
            hidden = self.activation(convolution(hidden))
        result: Tensor = self.output(hidden.transpose(1, 2))
        return result


class AffectAdapter(nn.Module):
    """Curve in, control out, and one gate for each block that hears it.

    Args:
        width: D, the backbone's width.
        blocks: indices of the backbone's blocks after which the control is added.
        hidden: width inside the projector.
        kernel: odd width of the convolutions, in frames.
        dilations: one convolution each, in frames.
        dropout: inside the projector, while training.
    """

    def __init__(
        self,
        width: int,
        blocks: tuple[int, ...],
        hidden: int = 128,
        kernel: int = 3,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 16),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0 or not dilations or not blocks:
            raise ValueError(f"kernel must be odd, dilations and blocks not empty: got {kernel}, {dilations}, {blocks}")
        self.settings = {
            "width": width, "blocks": list(blocks), "hidden": hidden, "kernel": kernel, "dilations": list(dilations),
            "dropout": dropout,
        }  # fmt: skip
        self.width, self.blocks = width, tuple(blocks)
        self.projector = Projector(width, hidden, dropout)
        self.temporal = TemporalAdapter(width, kernel, tuple(dilations))
        self.gates = nn.Parameter(torch.zeros(len(blocks)))
        """Gamma of Eq. 6, zero at the start."""

    @property
    def halo(self) -> int:
        """Frames of the curve that are read on either side of a window."""
        return self.temporal.halo

    def receptive_field_seconds(self, frame_rate_hz: float) -> float:
        """How much of the curve one control vector hears: the halo on both sides and its own frame."""
        return (2 * self.halo + 1) / frame_rate_hz

    def forward(self, affect: Tensor) -> Tensor:
        """C = U + TemporalAdapter(U), U the projected curve (Eq. 5).

        Args:
            affect: the curve at the frame rate, with the halo on both sides, `[B, n + 2 * halo, 2]`.

        Returns:
            One control vector per frame, `[B, n, D]`.
        """
        projected = self.projector(affect)
        stop = projected.shape[1] - self.halo
        control: Tensor = projected[:, self.halo : stop] + self.temporal(projected)
        return control

    @torch.no_grad()
    def control(self, curve: AffectCurve, start: int, frames: int, frame_rate_hz: float) -> Tensor:
        """The control of absolute frames [start, start + frames), the same whatever window asks for it: `[frames, D]`.

        Raises:
            InputError: if the adapter's weights make it infinite or NaN.
        """
        affect = affect_of_frames(curve, start - self.halo, frames + 2 * self.halo, frame_rate_hz)
        control: Tensor = self(torch.from_numpy(affect)[None].to(self.gates.device))[0]
        if not torch.isfinite(control).all():
            raise InputError("the adapter's control is not finite: its weights are damaged; train it again")
        return control

    def save(self, folder: str | Path, about: dict[str, object]) -> None:
        """Write `adapter.safetensors` and `adapter.json`: only the trained parts, and what they were trained on."""
        save_part(folder, "adapter", self.state_dict(), {**about, "settings": self.settings})

    @classmethod
    def load(cls, folder: str | Path) -> AffectAdapter:
        """Read an adapter back.

        Raises:
            InputError: if the folder holds none, or one that does not fit its own settings.
        """
        tensors, about = load_part(folder, "adapter")
        try:
            settings = dict(about["settings"])
            settings["blocks"], settings["dilations"] = tuple(settings["blocks"]), tuple(settings["dilations"])
            adapter = cls(**settings)
            adapter.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"adapter in {Path(folder).name}: {error}; train it again") from error
        return adapter.eval()


def affect_of_frames(curve: AffectCurve, start: int, frames: int, frame_rate_hz: float) -> np.ndarray:
    """Interp of Eq. 5: the curve at absolute frames [start, start + frames), `[frames, 2]`; its ends are held."""
    return curve.at((start + np.arange(frames)) / frame_rate_hz)
