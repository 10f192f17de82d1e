"""Music and film sound taken apart: Demucs, fed piece by piece (paper 4.1). The only module that knows it.

    separator = Separator.from_pretrained("htdemucs")
    for block in separator.remove_vocals(blocks):  # blocks: [C, n] float32 at separator.sample_rate_hz
        ...                                        # [C, n] float32, as many samples in all as went in

What goes in has the model's own rate and channels (44.1 kHz stereo for htdemucs), since decoders resample anyway:
`read_audio(film, sample_rate_hz=separator.sample_rate_hz, layout="stereo")` for a film's track. Without its vocals a
mixture keeps its music and noises, whatever the model thinks of them; `separate` gives every source by itself.

Demucs sees a segment at a time (7.8 s for htdemucs), overlapping its neighbours by a quarter, and cross-fades them with
triangles. The same segments are cut here from a stream, so that the result is the library's own for the whole file, to
rounding, while two segments are held instead of a film (the library takes 6.4 GB for an hour):

    mixture    ============================================>
    segment 0  /\/\/\/\/\/\/\/\
    segment 1              /\/\/\/\/\/\/\/\
    given out  |----------|                     once segment 1 begins, what lies before it is final

One thing differs: the library's command first subtracts a file's mean and divides it by its loudness, which a stream
does not know. The model does so for every segment, so that this changes nothing that can be heard (a test states the
bound).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers.utils import cached_file

from narrascore.errors import InputError, ModelUnavailableError
from narrascore.hub import UNKNOWN_LICENCE, licence_of
from narrascore.windows import triangular_weights

Block = NDArray[np.float32]

HUB = {"htdemucs": ("adefossez/HTDemucs", "955717e8.safetensors")}
"""Name -> the author's repository on the hub and the weights in it (MIT), as safetensors."""

CLASSES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs")
"""What a weights file may ask to be built; the file names its class, and a stranger's could name anything."""

OVERLAP = 0.25
VOICES = "vocals"


class Separator:
    """A frozen hybrid Demucs.

    Args:
        model: a `HTDemucs` or `HDemucs` with a source named `vocals`.
        name: of the weights, for manifests and for keys of what was made with them.
        device: where it runs.
        licence: of the weights.

    Attributes:
        sources: names of what it tells apart.
        sample_rate_hz, channels: of the blocks it takes and gives.
    """

    def __init__(self, model: Any, name: str = "unnamed", device: str = "cpu", licence: str = UNKNOWN_LICENCE) -> None:
        if VOICES not in model.sources:
            raise ValueError(f"the model must separate {VOICES}: it separates {', '.join(model.sources)}")
        self.model = model.eval().requires_grad_(False).to(device)
        self.name, self.device, self.licence = name, device, licence
        self.sources = tuple(str(source) for source in model.sources)
        self.sample_rate_hz, self.channels = int(model.samplerate), int(model.audio_channels)
        self._segment = int(model.samplerate * model.segment)
        self._stride = int((1 - OVERLAP) * self._segment)
        self._weights = torch.from_numpy(triangular_weights(self._segment)).float()

    @classmethod
    def from_pretrained(cls, name: str | Path = "htdemucs", *, offline: bool = False, device: str = "cpu") -> Separator:
        """Load Demucs from the hub or from this machine.

        Args:
            name: `htdemucs`, or a safetensors file of Demucs' own export, or a folder that holds one.
            offline: open no socket; what is not on this machine is an error.
            device: where it runs.

        Raises:
            ModelUnavailableError: if the weights cannot be had.
            InputError: if the file is not what Demucs exports.
        """
        path = _fetch(*HUB[str(name)], offline) if str(name) in HUB else _find(Path(name))
        licence = licence_of(HUB[str(name)][0] if str(name) in HUB else path.parent)
        made = f"{Path(name).name}/{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
        return cls(_load(path), made, device, licence)

    def remove_vocals(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Mixture less voices, in bounded memory: `[C, n]` float32, as many samples in all; see `separate`."""
        voices = self.sources.index(VOICES)
        for mix, sources in self.separate(blocks):
            yield mix - sources[voices]

    @torch.inference_mode()
    def separate(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, Block]]:
        """Each source by itself, in bounded memory. They do not add up to the mixture, nor does Demucs promise it.

        Args:
            blocks: `[C, n]` float32 at `sample_rate_hz`, of any lengths; a whole piece is `[piece]`.

        Yields:
            The mixture `[C, n]`, and `[S, C, n]` float32 in the order of `sources`; as many samples in all.

        Raises:
            ValueError: if a block does not have the model's channels.
        """
        # `mix` starts at the sample `begin`, half a segment before the one that is due at `offset`: the last segment
        # is shorter than the model's and is filled up with what lies before it.
        mix, begin, offset = torch.zeros(self.channels, 0), 0, 0
        sums, weight = torch.zeros(len(self.sources), self.channels, self._segment), torch.zeros(self._segment)
        for block in blocks:
            if block.ndim != 2 or block.shape[0] != self.channels:
                raise ValueError(f"blocks must be [{self.channels}, n]: got {block.shape}")
            mix = torch.cat([mix, torch.from_numpy(np.ascontiguousarray(block, np.float32))], dim=1)
            while begin + mix.shape[1] >= offset + self._segment:
                sums, weight, made = self._next(mix, offset - begin, sums, weight)
                yield made
                offset += self._stride
                cut = max(0, offset - self._segment // 2 - begin)
                mix, begin = mix[:, cut:].clone(), begin + cut
        while begin + mix.shape[1] > offset:
            sums, weight, made = self._next(mix, offset - begin, sums, weight)
            yield made
            offset += self._stride

    def _next(self, mix: Tensor, at: int, sums: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, tuple[Block, Block]]:
        """One segment more: the sums of weighted sources and weights from the next one on, and what is final."""
        found = self._sources(mix, at)
        length = found.shape[-1]
        sums[..., :length] += found * self._weights[:length]
        weight[:length] += self._weights[:length]
        done = min(self._stride, length)
        made = mix[:, at : at + done].numpy(), (sums[..., :done] / weight[:done]).numpy()
        sums = torch.cat([sums[..., self._stride :], torch.zeros(*sums.shape[:2], self._stride)], dim=-1)
        return sums, torch.cat([weight[self._stride :], torch.zeros(self._stride)]), made

    def _sources(self, mix: Tensor, at: int) -> Tensor:
        """Sources `[S, C, n]` of the segment that starts at sample `at` of `mix`."""
        from demucs.apply import TensorChunk, apply_model

        chunk: Any = TensorChunk(mix[None], at, self._segment)  # type: ignore[no-untyped-call]
        sources: Tensor = apply_model(self.model, chunk, shifts=0, split=False, device=self.device)
        return sources[0].cpu()

    def describe(self) -> dict[str, object]:
        """For the manifest."""
        return {"separation": self.name, "overlap": OVERLAP}


def _fetch(repository: str, file: str, offline: bool) -> Path:
    try:
        path = cached_file(repository, file, local_files_only=offline)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:160]
        raise ModelUnavailableError(
            f"{repository}: {file} cannot be had ({reason}); where there is a connection, fetch it with `narrascore "
            f"download {repository}`, or give its folder by separation=FOLDER; without it `prepare` takes "
            "separation=none, and `score` leaves out --stems"
        ) from error
    return Path(str(path))


def _find(path: Path) -> Path:
    found = [path] if path.is_file() else sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if len(found) != 1:
        there = f"it holds {len(found)}" if path.is_dir() else "there is no such file or folder"
        raise InputError(
            f"separation {path}: one safetensors file of Demucs is wanted, {there}; give {', '.join(HUB)}, such a file "
            "or its folder, or none"
        )
    return found[0]


def _load(path: Path) -> Any:
    """Build the model that a weights file describes, if it is one of Demucs' own classes."""
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
        # The library would import whatever class the file names, and for quantised weights further ones.
        if said.get("klass") not in CLASSES or "structure" in said:
            raise InputError(
                f"{path}: not a hybrid Demucs (it says {said.get('klass')!r}); {' and '.join(CLASSES)} are read"
            )
        from demucs.hf import load_safetensors_model

        return load_safetensors_model(path)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"{path}: not weights that Demucs exported ({reason}); fetch them anew") from error
