"""A glance at tracking while an adapter is trained: a few short windows, made in one batch, and what they say.

Too little music for a figure to be reported; `narrascore evaluate` measures. Its curves are not those of a report, so
that looking often does not choose what is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrascore.evaluation.audio_loudness import audio_loudness
from narrascore.evaluation.audio_onsets import audio_onset_rate
from narrascore.evaluation.curves import EvaluationCurve, evaluation_curves
from narrascore.evaluation.tracking import pearson
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.composing import noise_of
from narrascore.synthesis.decoding import generate
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.note_features import read_features
from narrascore.synthesis.score_codec import ScoreCodec

CURVES_SEED = 90_210
"""Apart from the seeds of reports, which are small."""
NOTE_PAIRS = (("arousal", "dynamics"), ("arousal", "onsets"), ("valence", "mode"))
AUDIO_PAIRS = (("arousal", "loudness"), ("arousal", "onsets"))


def glance_at(musicgen: FrozenMusicGen, *, windows: int = 6, seconds: int = 20) -> Callable[[AffectAdapter], str]:
    """A function that makes music with an adapter under held-out curves and says how well it follows, in one line.

    Args:
        musicgen: plays, by its own sampling and guidance.
        windows: how many curves.
        seconds: of each; cut to the model's own window.
    """
    seconds = min(seconds, int(musicgen.window_seconds))
    curves = evaluation_curves(windows, CURVES_SEED, (seconds, seconds)) if seconds >= 8 else []

    return partial(_glance, musicgen, curves)


def follow(
    musicgen: FrozenMusicGen, adapter: AffectAdapter, curves: list[EvaluationCurve]
) -> dict[tuple[str, str], float]:
    """Mean correlation of what is heard with what was asked for, by (dimension, feature).

    Notes are read off the codes; other codes are decoded, and loudness and onsets are measured in the sound.

    Args:
        curves: of one length, within the model's window.
    """
    codes = _play(musicgen, adapter, curves)
    pairs = NOTE_PAIRS if isinstance(musicgen.codec, ScoreCodec) else AUDIO_PAIRS
    found: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
    for asked, played in zip(curves, codes, strict=True):
        features = _features(musicgen, played)
        for dimension, feature in pairs:
            wanted = asked.curve.valence if dimension == "valence" else asked.curve.arousal
            rows = min(len(wanted), len(features[feature]))
            found[dimension, feature].append(pearson(wanted[:rows], features[feature][:rows]))
    return {pair: float(np.nanmean(values)) for pair, values in found.items()}


def _play(musicgen: FrozenMusicGen, adapter: AffectAdapter, curves: list[EvaluationCurve]) -> Tensor:
    """One window for each curve, `[B, K, T]`."""
    frames = round(curves[0].duration_seconds * musicgen.frame_rate_hz)
    reach = frames + max(musicgen.delays)
    control = torch.stack([adapter.control(asked.curve, 0, reach, musicgen.frame_rate_hz) for asked in curves])
    return generate(
        musicgen.engine,
        musicgen.delays,
        musicgen.encode_text([asked.anchor.sentence for asked in curves]),
        frames,
        [noise_of(f"glance {asked.name}") for asked in curves],
        musicgen.sampling,
        adapter=adapter,
        control=control,
        held_code=musicgen.codec.held_code,
    ).cpu()


def _features(musicgen: FrozenMusicGen, codes: Tensor) -> dict[str, NDArray[np.float64]]:
    if isinstance(musicgen.codec, ScoreCodec):
        return read_features(codes.numpy())
    sound, rate_hz = musicgen.codec.decode(codes), musicgen.codec.sample_rate_hz
    return {"loudness": audio_loudness([sound], rate_hz), "onsets": audio_onset_rate(sound, rate_hz)}


def _glance(musicgen: FrozenMusicGen, curves: list[EvaluationCurve], adapter: AffectAdapter) -> str:
    if not curves:
        return f"not measured: a window of {musicgen.window_seconds:g} s is too short for a curve"
    found = follow(musicgen, adapter, curves)
    values = ", ".join(f"{dimension}-{feature} {value:+.2f}" for (dimension, feature), value in found.items())
    return f"{values} (mean Pearson over {len(curves)} windows of {curves[0].duration_seconds} s)"
