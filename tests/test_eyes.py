"""The eye and the probe of a system: by name, folder or id, and the paper's perception from a film to its music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore import Pipeline
from narrascore.errors import InputError, UsageError
from narrascore.eyes import VLM, load_probe, look_with, vlm_source
from narrascore.media.film import Film
from narrascore.parts import EyeSettings, VlmSettings
from narrascore.perception.anchor_settings import AnchorSettings
from narrascore.perception.cinematic import STATE_NAMES, CinematicEye
from narrascore.perception.probe import AffectProbe, ProbeEnsemble
from narrascore.perception.vlm import FrozenVLM
from narrascore.perception.vlm_eye import VlmEye
from tests.films import write_clip
from tests.perception.tiny_vlm import tiny_vlm_folder
from tests.systems import tiny_system_folder

HOW = VlmSettings(dtype="float32", window_seconds=2, overlap_seconds=1, frame_pixels=28 * 28 * 2)


def train_nothing(folder: Path, eye: CinematicEye | VlmEye, width: int) -> Path:
    """A probe as training leaves it, its weights those of the start."""
    probe = AffectProbe(width, hidden=8)
    probe.save(folder, {"eye": eye.describe(), "data": "none"})
    return folder


def test_an_eye_is_named_by_word_folder_or_id(tmp_path: Path) -> None:
    assert vlm_source("cinematic") is None
    assert vlm_source("vlm") == VLM
    assert vlm_source(str(tmp_path)) == str(tmp_path)
    assert vlm_source("lkhl/VideoLLaMA3-7B-Image-HF") == "lkhl/VideoLLaMA3-7B-Image-HF"
    with pytest.raises(UsageError, match="choose cinematic, vlm"):
        vlm_source("third")


def test_the_papers_perception_goes_from_a_film_to_its_music(tmp_path: Path) -> None:
    folder, music = tiny_vlm_folder(tmp_path / "vlm", context_tokens=8192), tiny_system_folder(tmp_path / "music")
    settings = EyeSettings(primer="Feel the film.", vlm=HOW)
    vlm = FrozenVLM.from_pretrained(folder, dtype=torch.float32, name=str(folder))
    probe = train_nothing(tmp_path / "probe", look_with(vlm, settings), vlm.width)
    choices = {"eye": str(folder), "vlm": HOW, "primer": "Feel the film.", "probe": probe}
    pipeline = Pipeline.from_pretrained(music, **choices)
    assert pipeline.warnings == []
    film = Film.open(write_clip(tmp_path / "a.mp4", 4.0, sound=False))
    reading = pipeline.read(film)
    assert reading.windows == ((0, 2), (1, 3), (2, 4))
    curve, spread = pipeline.read_affect(reading), pipeline.read_spread(reading)
    assert len(curve) == 4 and spread is not None and spread.shape == (4, 2) and (spread > 0).all()
    anchor = pipeline.read_anchor(reading, curve)
    assert anchor.notes["reply 1"] is not None and anchor.sentence
    assert pipeline.compose(film.duration_seconds, curve, anchor).shape[1] == 400
    assert pipeline.describe()["eye"]["mode"] == "windows"  # type: ignore[index]
    with pytest.raises(InputError, match="primer"):
        Pipeline.from_pretrained(music, **{**choices, "primer": "Name what you see."})
    assert Pipeline.from_pretrained(music, **{**choices, "primer": "", "allow_mode_mismatch": True}).warnings == []


def test_without_a_probe_the_cinematic_eye_reads_the_curve_and_the_vlm_conceives(tmp_path: Path) -> None:
    folder, music = tiny_vlm_folder(tmp_path / "vlm", context_tokens=8192), tiny_system_folder(tmp_path / "music")
    pipeline = Pipeline.from_pretrained(music, eye=str(folder), vlm=HOW)
    assert pipeline.eye.name == "cinematic"
    assert [warning for warning in pipeline.warnings if "no trained probe" in warning]
    assert pipeline.describe()["anchor"]["reader"] == "vlm"  # type: ignore[index]
    unneeded = Pipeline.from_pretrained(music, eye="vlm", anchor=AnchorSettings(reader="none"), offline=True)
    assert unneeded.eye.name == "cinematic", "no weights are asked for that nobody looks with"


def test_several_probes_are_averaged_and_their_disagreement_is_the_spread(tmp_path: Path) -> None:
    eye = CinematicEye()
    for name in ("a", "b"):
        train_nothing(tmp_path / "probes" / name, eye, len(STATE_NAMES))
    probe = load_probe(str(tmp_path / "probes"), eye)
    assert isinstance(probe, ProbeEnsemble)
    states = np.random.default_rng(0).normal(size=(5, len(STATE_NAMES))).astype(np.float32)
    members = np.stack([member(states).values for member in probe.probes])
    np.testing.assert_allclose(probe(states).values, members.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(probe.spread(states), members.std(axis=0), atol=1e-6)
    with pytest.raises(InputError, match=r"probe\.json"):
        load_probe(tmp_path, eye)
