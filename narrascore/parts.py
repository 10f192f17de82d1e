"""What a user can choose about the four parts of a system; it loads nothing, so a command line may import it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from narrascore.perception.anchor_settings import AnchorSettings

Off = Literal["off"]


@dataclass(frozen=True, kw_only=True)
class SystemSettings:
    """A system and what of it is replaced; None is the system's own.

    Attributes:
        system: `embedded` (in the package), `paper` (from the hub), or the folder of a music model.
        eye: `cinematic`, `vlm`, or the folder or id of a VideoLLaMA3.
        probe: folder of a trained probe.
        music: `embedded`, `musicgen`, a folder or an id on the hub.
        adapter: folder of a trained adapter.
        steer: False plays the music model alone, the adapter's gates closed (the paper's "w/o NAR").
        anchor: who conceives the music asked for, and by which instruction.
        device: `cpu`, `cuda`, `mps` or `auto`.
        dtype: of the music model and of the vlm eye.
        soundfont: SF2 file for music models that write notes.
        text_guidance: how much the sentence is insisted on; 1 is off.
        control_guidance: how much the curve is insisted on, likewise; `off` is the paper's form, anything else costs a
            third row of decoding.
        offline: never ask the hub, nor any other host.
        require_commercial: refuse weights whose licence does not allow commercial use.
    """

    system: str = "embedded"
    eye: str | None = None
    probe: Path | None = None
    music: str | None = None
    adapter: Path | None = None
    steer: bool = True
    anchor: AnchorSettings = field(default_factory=AnchorSettings)
    device: str = "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    soundfont: Path | None = None
    text_guidance: float | Off | None = None
    control_guidance: float | Off | None = None
    offline: bool = False
    require_commercial: bool = False
