"""The score codec as the library sees it: a model without weights, so that a MusicGen folder can name it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from narrascore.synthesis.score_codes import CODEBOOKS, FRAME_RATE_HZ, TABLE_SIZE


class ScoreCodecConfig(PretrainedConfig):
    """What the library asks of a codec's configuration."""

    model_type = "narrascore_score_codec"

    def __init__(self, sampling_rate: int = 48000, audio_channels: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sampling_rate = sampling_rate
        self.audio_channels = audio_channels
        self.frame_rate = FRAME_RATE_HZ
        self.num_codebooks = CODEBOOKS
        self.codebook_size = TABLE_SIZE


class ScoreCodecModel(PreTrainedModel):
    """The place of EnCodec in a checkpoint whose codes are notes; `score_codec.ScoreCodec` does the work."""

    config_class = ScoreCodecConfig
    config: ScoreCodecConfig
    main_input_name = "input_values"
    base_model_prefix = "score_codec"

    def __init__(self, config: ScoreCodecConfig) -> None:
        super().__init__(config)
        self.register_buffer("_device_anchor", torch.zeros(0), persistent=False)

    def encode(self, *args: object, **kwargs: object) -> Tensor:
        """Audio has no way into a score; notes come from the composer."""
        raise NotImplementedError("the score codec cannot encode audio: its codes are notes, written by the composer")


AutoConfig.register(ScoreCodecConfig.model_type, ScoreCodecConfig)
AutoModel.register(ScoreCodecConfig, ScoreCodecModel)
