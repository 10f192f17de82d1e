"""What a user can choose about the four parts of a system; it loads nothing, so a command line may import it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from narrascore.perception.anchor_settings import AnchorSettings

Off = Literal["off"]


@dataclass(frozen=True)
class VlmSettings:
    """How the eye `vlm` looks (paper 3.3 and 3.6). A probe is used with the settings that it was trained with.

    Attributes:
        revision: of its checkpoint on the hub.
        dtype: of its weights.
        mode: `windows` that overlap, or `streaming`, one context that grows and then goes on with its last overlap.
        window_seconds, overlap_seconds: of the windows.
        frame_pixels: budget of each frame; 784 px are a visual token.
        max_frames: the most in one context; None is as many as fit.
    """

    revision: str | None = None
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    mode: Literal["windows", "streaming"] = "windows"
    window_seconds: int = 30
    overlap_seconds: int = 15
    frame_pixels: int = 420 * 224
    max_frames: int | None = None


@dataclass(frozen=True, kw_only=True)
class EyeSettings:
    """Which eye looks, and how.

    Attributes:
        eye: `cinematic`, `vlm`, or the folder or id of a VideoLLaMA3; None is the system's own.
        primer: text of the semantic primer (Eq. 2) for the eye vlm; empty for none.
        vlm: how it looks.
        device: `cpu`, `cuda`, `mps` or `auto`.
        offline: never ask the hub, nor any other host.
    """

    eye: str | None = None
    primer: str = ""
    vlm: VlmSettings = field(default_factory=VlmSettings)
    device: str = "cpu"
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class SystemSettings(EyeSettings):
    """A system and what of it is replaced; None is the system's own.

    Attributes:
        system: `embedded` (in the package), `paper` (from the hub), or the folder of a music model.
        probe: folder of a trained probe, or of several, one a subfolder, which are then averaged.
        allow_mode_mismatch: use a probe with its eye in another mode than it was trained with.
        music: `embedded`, `musicgen`, a folder or an id on the hub.
        adapter: folder of a trained adapter.
        steer: False plays the music model alone, the adapter's gates closed (the paper's "w/o NAR").
        anchor: who conceives the music asked for, and by which instruction.
        dtype: of the music model.
        engine: how the music model is played: exactly, or from matrices held in bf16 or int8; `auto` is int8
            for a small one and bf16 for a large one, where the processor computes bf16.
        soundfont: SF2 file for music models that write notes.
        text_guidance: how much the sentence is insisted on; 1 is off.
        control_guidance: how much the curve is insisted on, likewise; `off` is the paper's form, anything else costs a
            third row of decoding.
        require_commercial: refuse weights whose licence does not allow commercial use.
    """

    system: str = "embedded"
    probe: Path | None = None
    allow_mode_mismatch: bool = False
    music: str | None = None
    adapter: Path | None = None
    steer: bool = True
    anchor: AnchorSettings = field(default_factory=AnchorSettings)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    engine: Literal["auto", "exact", "bf16", "int8"] = "auto"
    soundfont: Path | None = None
    text_guidance: float | Off | None = None
    control_guidance: float | Off | None = None
    require_commercial: bool = False
