"""What a codec owes the rest of the system, and EnCodec behind that contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor
from transformers import EncodecModel

from narrascore.anchor import MusicalAnchor
from narrascore.windows import chunks_with_context

CONTEXT_SECONDS = 1.0
"""EnCodec is not causal and holds an LSTM: a chunk is decoded with this much on either side, then cut."""


class Codec(Protocol):
    """Codes to sound, for EnCodec and for notes alike."""

    @property
    def frame_rate_hz(self) -> float: ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def codebooks(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def held_code(self) -> int | None:
        """The code that goes on with what a frame before began; None where every frame stands for itself."""

    def encode(self, audio: Tensor) -> Tensor:
        """`[B, C, N]` -> `[B, K, T]`."""

    def decode(self, codes: Tensor) -> Tensor:
        """`[K, T]` -> `[C, N]`, N a whole number of frames."""

    def decode_chunks(self, codes: Tensor, chunk_frames: int) -> Iterator[Tensor]:
        """The samples of `decode`, in order, `[C, n]` at a time."""

    def silence(self, frames: int) -> Tensor:
        """`[K, frames]`, int16: what stands in a film's codes where there is no music."""

    def for_anchor(self, anchor: MusicalAnchor) -> Codec:
        """The codec that plays what this anchor asks for."""

    def begun_at(self, frame: int) -> Codec:
        """The codec of codes that begin with this frame of the anchor's film."""

    def describe(self) -> dict[str, object]:
        """What the manifest says of it: licences, instruments, sound font."""


class EncodecCodec:
    """Frozen EnCodec; the sentence is no business of its own, so `for_anchor` is itself.

    Args:
        model: the library's model, moved to `device`; on Apple's MPS it silently gives garbage, so it stays on the CPU
            there.
        codebooks: K of the music model, both channels' together.
        channels: 1, or 2 where even codebooks are left and odd ones right.
    """

    held_code = None

    def __init__(self, model: EncodecModel, codebooks: int, channels: int, device: str = "cpu") -> None:
        self.device = "cpu" if device.startswith("mps") else device
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.codebooks, self.channels = codebooks, channels
        self.sample_rate_hz = int(model.config.sampling_rate)
        self.frame_rate_hz = float(model.config.frame_rate)

    @property
    def samples_per_frame(self) -> int:
        return round(self.sample_rate_hz / self.frame_rate_hz)

    @torch.inference_mode()
    def encode(self, audio: Tensor) -> Tensor:
        """`[B, C, N]` at `sample_rate_hz` -> codes `[B, K, T]`, channels interleaved codebook by codebook."""
        parts = []
        for channel in range(self.channels):
            mono = audio[:, channel : channel + 1].to(self.device)
            codes = self.model.encode(mono, bandwidth=self.model.config.target_bandwidths[-1]).audio_codes[0]
            parts.append(codes[:, : self.codebooks // self.channels])
        return torch.stack(parts, dim=2).flatten(1, 2).cpu()

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """`[K, T]` -> `[C, T * samples_per_frame]`, in one piece."""
        per_channel = [codes[channel :: self.channels] for channel in range(self.channels)]
        batch = torch.stack(per_channel).long().to(self.device)
        audio = self.model.decode(batch[None], [None]).audio_values
        samples: Tensor = audio[:, 0, : codes.shape[-1] * self.samples_per_frame]
        return samples.float().cpu()

    def decode_chunks(self, codes: Tensor, chunk_frames: int) -> Iterator[Tensor]:
        """As `decode`, with bounded memory; the joins lie within `CONTEXT_SECONDS` of neighbours on both sides."""
        context = round(CONTEXT_SECONDS * self.frame_rate_hz)
        for left, start, stop, right in chunks_with_context(codes.shape[-1], chunk_frames, context):
            audio = self.decode(codes[:, left:right])
            yield audio[:, (start - left) * self.samples_per_frame : (stop - left) * self.samples_per_frame]

    def silence(self, frames: int) -> Tensor:
        """Zeros `[K, frames]`, which only fill the place: no code of EnCodec's is silent, so they are not decoded."""
        return torch.zeros(self.codebooks, frames, dtype=torch.int16)

    def for_anchor(self, anchor: MusicalAnchor) -> EncodecCodec:
        return self

    def begun_at(self, frame: int) -> EncodecCodec:
        return self

    def describe(self) -> dict[str, object]:
        return {"codec": "EnCodec", "sample_rate_hz": self.sample_rate_hz, "channels": self.channels}
