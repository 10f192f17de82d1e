"""The part of a system that watches: which eye, and which probe reads its states."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from narrascore.errors import InputError, UsageError
from narrascore.hub import ID, UNKNOWN_LICENCE, find_checkpoint, licence_of
from narrascore.parts import EyeSettings, VlmSettings
from narrascore.perception.cinematic import CinematicEye
from narrascore.perception.probe import AffectProbe, ProbeEnsemble
from narrascore.perception.vlm import FrozenVLM
from narrascore.perception.vlm_eye import VlmEye

VLM = "DAMO-NLP-SG/VideoLLaMA3-2B"
"""What `vlm` means: the paper's backbone, with the weights of its video stage."""


def vlm_source(eye: str) -> str | None:
    """The folder or id of the VideoLLaMA3 that an eye's name stands for; None for the cinematic eye.

    Raises:
        UsageError: if it stands for nothing.
    """
    if eye == "cinematic":
        return None
    if eye == "vlm":
        return VLM
    if Path(eye).is_dir() or ID.fullmatch(eye):
        return eye
    raise UsageError(f"eye {eye!r}: choose cinematic, vlm, or the folder or id of a VideoLLaMA3")


def load_vlm(source: str, settings: VlmSettings, *, device: str, offline: bool) -> FrozenVLM:
    """Load a VideoLLaMA3.

    Raises:
        ModelUnavailableError: if it is not at hand.
        InputError: if the folder holds no such model.
    """
    folder = find_checkpoint(source, revision=settings.revision, offline=offline)
    vlm = FrozenVLM.from_pretrained(folder, dtype=getattr(torch, settings.dtype), device=device, name=source)
    if (stated := licence_of(source)) != UNKNOWN_LICENCE:
        vlm.origin["licence"] = stated
    return vlm


def look_with(vlm: FrozenVLM | None, settings: EyeSettings) -> CinematicEye | VlmEye:
    """The eye that a loaded model makes, or the cinematic one without a model."""
    if vlm is None:
        return CinematicEye()
    how = {name: value for name, value in asdict(settings.vlm).items() if name not in ("revision", "dtype")}
    return VlmEye(vlm, settings.primer, **how)


def load_probe(
    folder: str | Path, eye: CinematicEye | VlmEye, *, allow_mode_mismatch: bool = False
) -> AffectProbe | ProbeEnsemble:
    """Load a trained probe, or the several of a folder's subfolders.

    Raises:
        InputError: if there is none, or it was trained for another eye or mode.
    """
    folder = Path(folder)
    parts = [folder] if (folder / "probe.json").is_file() else sorted(p.parent for p in folder.glob("*/probe.json"))
    if not parts:
        raise InputError(f"{folder}: holds no probe.json; give the folder that train-probe wrote")
    probes = [AffectProbe.load(part, eye.describe(), allow_mode_mismatch=allow_mode_mismatch) for part in parts]
    return probes[0] if len(probes) == 1 else ProbeEnsemble(probes)
