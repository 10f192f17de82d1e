"""Joins that cannot be heard: windows share their tokens, chunks their neighbourhood, sound feels neither."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.synthesis import composing
from narrascore.synthesis.adapter import affect_of_frames
from narrascore.synthesis.codec import EncodecCodec
from narrascore.synthesis.decoding import generate
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_codes import BASS, MELODY, Note, empty_score, write_notes
from narrascore.windows import continuation_windows
from tests.synthesis.score_material import write_piece
from tests.systems import tiny_pipeline

CURVE = AffectCurve(np.array([[0.5, -0.5], [-0.5, 0.9], [0.1, 0.3]]))


def test_each_window_begins_with_the_last_tokens_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, whole_windows = tiny_pipeline(tmp_path), []

    def watched(*args: Any, **options: Any) -> torch.Tensor:
        whole_windows.append(generate(*args, **options))
        return whole_windows[-1]

    monkeypatch.setattr(composing, "generate", watched)
    codes = pipeline.compose(Fraction(13, 10), CURVE, MusicalAnchor(prompt="calm strings"))
    windows = continuation_windows(130, 40, 15)
    assert [one.shape[-1] for one in whole_windows] == [window.frames for window in windows]
    for before, after in pairwise(whole_windows):
        assert torch.equal(after[0, :, :15], before[0, :, -15:])
    for window, made in zip(windows, whole_windows, strict=True):
        assert torch.equal(codes[:, window.start : window.stop].long(), made[0])


@pytest.mark.parametrize("seed", range(3))
def test_sound_decoded_in_chunks_is_that_of_one_decode_at_every_border(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    codec = tiny_pipeline(tmp_path).musicgen.codec
    assert isinstance(codec, EncodecCodec)
    frames, chunk = int(random.integers(300, 600)), int(random.integers(60, 250))
    codes = torch.from_numpy(random.integers(0, 64, (codec.codebooks, frames)))
    whole = codec.decode(codes)
    parts = torch.cat(list(codec.decode_chunks(codes, chunk)), dim=1)
    assert parts.shape == whole.shape
    error = (parts - whole).reshape(codec.channels, frames, -1).square().mean(dim=(0, 2)).sqrt()  # of each frame
    assert 20 * torch.log10(error.max() / whole.square().mean().sqrt() + 1e-12) < -60


@pytest.mark.parametrize("seed", range(3))
def test_notes_and_tails_carry_over_any_border_bit_for_bit(seed: int) -> None:
    random, codec = np.random.default_rng(seed), ScoreCodec()
    codes = np.concatenate(
        [write_piece(2, seed=seed)[:, :100], empty_score(60), write_piece(2, seed=seed)[:, :60]], axis=1
    )
    write_notes(codes, [Note(10, 205, BASS, 38), Note(95, 104, MELODY, 74)])  # held over every border; a tail over one
    whole, chunk = codec.decode(codes), int(random.integers(5, 110))
    assert torch.equal(torch.cat(list(codec.decode_chunks(codes, chunk)), dim=1), whole)
    quiet = whole[:, 170 * codec.samples_per_frame :][:, : codec.samples_per_frame]
    assert quiet.abs().max() > 1e-3  # what was begun long before still sounds


@pytest.mark.parametrize("seed", range(8))
def test_what_steers_a_frame_is_the_same_in_every_window(seed: int) -> None:
    random = np.random.default_rng(seed)
    curve = AffectCurve(random.uniform(-1, 1, (int(random.integers(1, 300)), 2)))
    rate_hz, window = float(random.choice([25, 50, 100])), int(random.integers(20, 700))
    total, prompt, tail = int(random.integers(1, 3000)), int(random.integers(0, window)), int(random.integers(0, 11))
    prompt = min(prompt, window - 10)
    film = affect_of_frames(curve, 0, total + tail, rate_hz)
    for one in continuation_windows(total, window, prompt):
        heard = affect_of_frames(curve, one.start, one.frames + tail, rate_hz)
        assert np.array_equal(heard, film[one.start : one.stop + tail])
