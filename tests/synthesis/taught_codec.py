"""A tiny MusicGen whose EnCodec tells sounds apart: codebooks filled from what its encoder makes of a melody.

Without it the codebooks of a model built from a config are zero, and every sound is the code 0. Its tokenizer ends each
sentence as T5's does, the empty one too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, MusicgenForConditionalGeneration

from narrascore.media.samples import resampled
from tests.media.songs import RATE_HZ, melody
from tests.synthesis.tiny import tiny_encodec_musicgen


def tiny_taught_musicgen(folder: Path) -> Path:
    """As `tiny_encodec_musicgen`; entry i of codebook k is the k-th residual of the i-th of 64 moments of a melody."""
    tiny_encodec_musicgen(folder)
    model = MusicgenForConditionalGeneration.from_pretrained(folder)
    codec = model.audio_encoder
    sound = list(resampled([melody(20, seed=9)[:1]], "mono", RATE_HZ, codec.config.sampling_rate))
    with torch.no_grad():
        states = codec.encoder(torch.from_numpy(np.concatenate(sound, axis=1))[None])[0].T
        residual = states[torch.randperm(len(states), generator=torch.Generator().manual_seed(0))]
        for layer in codec.quantizer.layers:
            layer.codebook.embed.copy_(residual[: len(layer.codebook.embed)])
            nearest = torch.cdist(residual, layer.codebook.embed).argmin(dim=1)
            residual = (residual - layer.codebook.embed[nearest])[len(layer.codebook.embed) :]
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    end = (tokenizer.eos_token, tokenizer.eos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(f"$A {end[0]}", special_tokens=[end])
    tokenizer.save_pretrained(folder)
    return folder
