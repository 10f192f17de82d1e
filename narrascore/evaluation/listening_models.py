"""Embedders with trained weights, all of them transformers' own classes: EnCodec, CLAP, AST and PE-AV.

Weights are looked for where a constructor says (a folder or an id on the hub) when the first clip comes, so a command
may name models that are not at hand: asking them for features is what fails. A checkpoint whose weights do not all fill
the model is refused, since the library would fill the rest at random.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    ASTForAudioClassification,
    AutoConfig,
    AutoFeatureExtractor,
    ClapModel,
    EncodecModel,
    MusicgenForConditionalGeneration,
    PeAudioModel,
)
from transformers.utils import logging as library_logging

from narrascore.errors import ModelUnavailableError
from narrascore.evaluation.clips import CLIP_SECONDS, Sound
from narrascore.evaluation.embedders import Kind, SoundEmbedder
from narrascore.files import fingerprint
from narrascore.hub import commit_of, find_checkpoint


class PretrainedEmbedder(SoundEmbedder):
    """A model of the library's with the feature extractor that was saved beside it.

    Args:
        weights: a folder or an id on the hub.
        revision: branch, tag or commit of an id.
        offline: open no socket; weights that are not on this machine are an error once they are needed.
        device: of the model.
        window_seconds: of a clip.
    """

    def __init__(
        self,
        weights: str | Path,
        *,
        revision: str | None = None,
        offline: bool = True,
        device: str = "cpu",
        window_seconds: float = CLIP_SECONDS,
    ) -> None:
        super().__init__(window_seconds)
        self.weights, self.revision, self.offline, self.device = str(weights), revision, offline, device

    @cached_property
    def folder(self) -> Path:
        return find_checkpoint(self.weights, revision=self.revision, offline=self.offline)

    @cached_property
    def model(self) -> Any:
        return self._load().eval().requires_grad_(False).to(self.device)

    @cached_property
    def extractor(self) -> Any:
        """Turns a clip into the model's input, as it was trained on."""
        try:
            return AutoFeatureExtractor.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise _not_a(self.name, self.weights, error) from error

    def command(self, folder: Path, reference: Path) -> str:
        if self.revision is None:
            return f"narrascore download {self.weights}"
        return f"hf download {self.weights} --revision {self.revision} --include '*.json' '*.safetensors'"

    def describe(self) -> dict[str, object]:
        marks = [fingerprint(path) for path in sorted(self.folder.glob("*.safetensors"))]
        return super().describe() | {"commit": commit_of(self.folder), "weights": marks}

    @torch.inference_mode()
    def embed(self, clip: Sound) -> NDArray[np.float64]:
        row: NDArray[np.float64] = self._look(clip).double().cpu().numpy()
        return row

    def _load(self) -> Any:
        raise NotImplementedError

    def _look(self, clip: Sound) -> Tensor:
        """A clip `[N]` as a row `[D]`."""
        raise NotImplementedError

    def _inputs(self, clip: Sound) -> Any:
        return self.extractor(clip, sampling_rate=self.sample_rate_hz, return_tensors="pt").to(self.device)

    def _whole(self, kind: Any) -> Any:
        """The checkpoint as this class of the library's, every weight of it read from safetensors."""
        library_logging.set_verbosity_error()
        library_logging.disable_progress_bar()
        try:
            model, report = kind.from_pretrained(
                self.folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
            raise _not_a(self.name, self.weights, error) from error
        absent = [*report["missing_keys"], *report["mismatched_keys"]]
        if absent:
            raise _not_a(self.name, self.weights, f"{len(absent)} weights are missing, {absent[0]} among them")
        return model


class EncodecLatents(PretrainedEmbedder):
    """Mean and spread over time of what EnCodec's encoder makes of the sound, before it is quantised, `[2 D]`.

    Args:
        weights: of a MusicGen, whose codec is taken, or of an EnCodec.
    """

    name = "EnCodec"

    def __init__(self, weights: str | Path = "facebook/musicgen-small", **how: Any) -> None:
        super().__init__(weights, **how)

    @property
    def sample_rate_hz(self) -> int:  # type: ignore[override]
        return int(self.model.config.sampling_rate)

    def _load(self) -> Any:
        if _model_type(self.folder) == "musicgen":
            return self._whole(MusicgenForConditionalGeneration).audio_encoder
        return self._whole(EncodecModel)

    def _look(self, clip: Sound) -> Tensor:
        channels = self.model.config.audio_channels
        sound = torch.from_numpy(clip).to(self.device).expand(1, channels, -1)
        latents: Tensor = self.model.encoder(sound)[0]
        return torch.cat([latents.mean(dim=1), latents.std(dim=1)])


class ClapEmbedding(PretrainedEmbedder):
    """CLAP's audio embedding, of unit length."""

    name = "CLAP"
    sample_rate_hz = 48_000

    def __init__(self, weights: str | Path = "laion/larger_clap_music", **how: Any) -> None:
        super().__init__(weights, **how)

    def _load(self) -> Any:
        return self._whole(ClapModel)

    def _look(self, clip: Sound) -> Tensor:
        row: Tensor = self.model.get_audio_features(**self._inputs(clip)).pooler_output[0]
        return row


class AstLogits(PretrainedEmbedder):
    """The 527 AudioSet classes' logits, by the Audio Spectrogram Transformer."""

    name = "AST"
    kind: Kind = "logits"
    sample_rate_hz = 16_000

    def __init__(self, weights: str | Path = "MIT/ast-finetuned-audioset-10-10-0.4593", **how: Any) -> None:
        super().__init__(weights, **how)

    def _load(self) -> Any:
        return self._whole(ASTForAudioClassification)

    def _look(self, clip: Sound) -> Tensor:
        row: Tensor = self.model(**self._inputs(clip)).logits[0]
        return row


class PerceptionEncoderAudio(PretrainedEmbedder):
    """The sound's half of PE-AV, the space that it shares with pictures."""

    name = "PE-AV"
    sample_rate_hz = 48_000

    def __init__(self, weights: str | Path = "facebook/pe-av-large", **how: Any) -> None:
        super().__init__(weights, **how)

    def _load(self) -> Any:
        return self._whole(PeAudioModel)

    def _look(self, clip: Sound) -> Tensor:
        row: Tensor = self.model.get_audio_embeds(**self._inputs(clip))[0]
        return row


def _model_type(folder: Path) -> str:
    try:
        return str(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False).model_type)
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailableError(f"{folder}: not a checkpoint that is known here ({_first_line(error)})") from error


def _not_a(name: str, weights: str, reason: object) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{weights}: cannot be read as {name} ({_first_line(reason)}); give the folder of a whole checkpoint in "
        "safetensors"
    )


def _first_line(reason: object) -> str:
    return (str(reason).strip().splitlines() or [type(reason).__name__])[0][:160]
