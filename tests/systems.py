"""Tiny real systems: a MusicGen over EnCodec with short windows, and its adapter with open gates."""

from __future__ import annotations

import json
from pathlib import Path

from narrascore.pipeline import Pipeline
from narrascore.synthesis.musicgen import FrozenMusicGen
from tests.synthesis.tiny import open_adapter, tiny_encodec_musicgen, with_sound

WINDOW_SECONDS, PROMPT_SECONDS = 0.4, 0.15


def tiny_system_folder(folder: Path) -> Path:
    """A music model and its adapter as `Pipeline.from_pretrained` takes them: 40 frames a window, 15 of them prompt."""
    with_sound(tiny_encodec_musicgen(folder))
    card = {
        "name": "tiny", "licence": "none", "window_seconds": WINDOW_SECONDS, "prompt_seconds": PROMPT_SECONDS,
        "sampling": {"top_k": 40, "text_guidance": 1.0, "control_guidance": 1.0},
    }  # fmt: skip
    (folder / "narrascore.json").write_text(json.dumps(card), encoding="utf-8")
    open_adapter(FrozenMusicGen.from_pretrained(folder)).save(folder, {})
    return folder


def tiny_pipeline(folder: Path) -> Pipeline:
    """The tiny system, loaded; the folder is filled if it is empty."""
    if not (folder / "config.json").is_file():
        tiny_system_folder(folder)
    return Pipeline.from_pretrained(folder)
