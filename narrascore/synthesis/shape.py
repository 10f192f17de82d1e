"""How a music model divides a film and how wide its sound is, told by its settings before any weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import MusicgenConfig
from transformers.utils import logging as library_logging

from narrascore.errors import InputError
from narrascore.hub import read_card
from narrascore.synthesis.musicgen import MUSICGEN_WINDOW
from narrascore.synthesis.score_model import ScoreCodecConfig


@dataclass(frozen=True)
class MusicShape:
    """What is known of a music model that is not loaded.

    Attributes:
        name: by its card, else as it was asked for.
        window_frames, prompt_frames: of one window, and how many of them the window before has made.
        frame_rate_hz: of its codes.
        sound_bytes_per_second: of its music as 24-bit WAV.
        notes: whether its codes are notes.
    """

    name: str
    window_frames: int
    prompt_frames: int
    frame_rate_hz: float
    sound_bytes_per_second: float
    notes: bool

    @classmethod
    def of(cls, name: str, folder: Path | None) -> MusicShape:
        """Read a checkpoint's settings; where it is not on this machine, MusicGen's own stand in.

        Raises:
            InputError: if the folder is no music model's.
        """
        if folder is None:
            return cls(name, 1500, 600, 50.0, 32_000 * 3.0, notes=False)
        if not (folder / "config.json").is_file():
            raise InputError(f"{name}: not a MusicGen checkpoint in safetensors (no config.json)")
        library_logging.set_verbosity_error()
        config = MusicgenConfig.from_pretrained(folder, local_files_only=True)
        codec, card = config.audio_encoder, {**MUSICGEN_WINDOW, **read_card(folder)}
        notes, rate_hz = isinstance(codec, ScoreCodecConfig), float(codec.frame_rate)
        channels = codec.audio_channels if notes else config.decoder.audio_channels
        return cls(
            str(card.get("name", name)),
            round(float(card["window_seconds"]) * rate_hz),
            round(float(card["prompt_seconds"]) * rate_hz),
            rate_hz,
            float(codec.sampling_rate * channels * 3),
            notes,
        )
