"""Notes to sound: exact lengths, the same samples in any chunks, loudness, pitch, stems, meaningless codes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from narrascore.anchor import MusicalAnchor
from narrascore.errors import InputError
from narrascore.lexicon import STYLES
from narrascore.synthesis.mixing import BLOCK_FRAMES, STEMS, Desk
from narrascore.synthesis.palette import Palette, PaletteTurns
from narrascore.synthesis.performance import perform, read_levels
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_codes import (
    CODEBOOKS,
    DRUMS,
    DYNAMICS,
    MELODY,
    PITCHED,
    TABLE_SIZE,
    Note,
    dynamics_code,
    empty_score,
    write_notes,
)
from tests.synthesis.score_material import write_piece

SAMPLES_PER_FRAME = 1920


@pytest.fixture(scope="module")
def codec() -> ScoreCodec:
    return ScoreCodec()


def piano(codec: ScoreCodec, key_semitones: int = 0) -> ScoreCodec:
    return ScoreCodec(Palette({**STYLES["drama"].palette, "melody": "piano"}, key_semitones), bank=codec.bank)


def one_note(pitch: int = 69, frames: int = 50, level: int | None = None, stop: int | None = None) -> NDArray[np.int16]:
    codes = empty_score(frames)
    write_notes(codes, [Note(0, stop or frames, MELODY, pitch)])
    if level is not None:
        codes[DYNAMICS, 0] = dynamics_code(level)
    return codes


def loudness_db(audio: torch.Tensor) -> float:
    return float(10 * torch.log10(audio.double().square().mean()))


def pre_limiter(codec: ScoreCodec, codes: NDArray[np.int16], block_frames: int = BLOCK_FRAMES) -> NDArray[np.float32]:
    desk = Desk(codec.bank, perform(codes, codec.palette), read_levels(codes), (*PITCHED, *DRUMS))
    return np.concatenate(list(desk.blocks(block_frames)), axis=1)


@pytest.mark.parametrize("frames", [0, 1, 49, 50, 51, 137])
def test_every_frame_is_1920_samples(codec: ScoreCodec, frames: int) -> None:
    audio = codec.decode(write_piece(3)[:, :frames])
    assert audio.shape == (2, frames * SAMPLES_PER_FRAME) and audio.dtype == torch.float32


@pytest.mark.parametrize("chunk_frames", [1, 7, 50, 64, 10_000])
def test_chunks_are_the_whole_bit_for_bit(codec: ScoreCodec, chunk_frames: int) -> None:
    codes = write_piece(2, level=12)[:, :110]
    chunks = list(codec.decode_chunks(torch.from_numpy(codes).long(), chunk_frames))
    assert all(chunk.shape[1] == chunk_frames * SAMPLES_PER_FRAME for chunk in chunks[:-1])
    assert torch.equal(torch.cat(chunks, dim=1), codec.decode(codes))


@pytest.mark.parametrize("block_frames", [3, 17, 400])
def test_notes_and_tails_do_not_feel_the_block_borders(codec: ScoreCodec, block_frames: int) -> None:
    codes = write_piece(3)
    assert np.abs(pre_limiter(codec, codes, block_frames) - pre_limiter(codec, codes)).max() < 2e-6


def test_what_the_bank_rendered_before_changes_nothing(codec: ScoreCodec) -> None:
    codes = write_piece(2, seed=5)
    fresh = ScoreCodec()
    fresh.bank.budget_bytes = 2_000_000  # so small that tones are thrown away and rendered again
    assert torch.equal(codec.decode(codes), fresh.decode(codes))
    assert fresh.bank.kept_bytes < 4_000_000


def test_a_film_may_stop_anywhere_without_changing_what_was_before(codec: ScoreCodec) -> None:
    codes = write_piece(3)
    # The limiter looks 40 ms ahead, and a cut note ends 40 ms of ramp earlier: both stay behind the cut.
    before = pre_limiter(codec, codes[:, :100])[:, : 99 * SAMPLES_PER_FRAME]
    assert np.abs(before - pre_limiter(codec, codes)[:, : before.shape[1]]).max() < 2e-6


def test_each_dynamics_level_is_louder_than_the_one_below(codec: ScoreCodec) -> None:
    loud = [loudness_db(codec.decode(write_piece(1, level=level)[:, :40])) for level in range(16)]
    assert all(b - a > 0.15 for a, b in pairwise(loud))
    assert loud[-1] - loud[0] > 25


def test_a_held_note_follows_the_dynamics_and_a_struck_one_does_not(codec: ScoreCodec) -> None:
    codes = one_note(frames=100)
    codes[DYNAMICS, 0] = dynamics_code(12)
    changed = codes.copy()
    changed[DYNAMICS, 50] = dynamics_code(2)
    later = slice(60 * SAMPLES_PER_FRAME, None)
    for player, falls in ((codec, True), (piano(codec), False)):
        fall_db = loudness_db(player.decode(codes)[:, later]) - loudness_db(player.decode(changed)[:, later])
        assert fall_db > 12 if falls else fall_db < 8  # a struck tone only gets darker


def test_dynamics_stay_in_force_across_chunks(codec: ScoreCodec) -> None:
    codes = write_piece(4, level=2)
    softly = loudness_db(codec.decode(codes)[:, -100_000:])
    codes[DYNAMICS, 0] = dynamics_code(14)
    assert loudness_db(codec.decode(codes)[:, -100_000:]) > softly + 12


@pytest.mark.parametrize("key_semitones", [-5, 0, 3])
def test_a4_sounds_440_hz_times_the_key(codec: ScoreCodec, key_semitones: int) -> None:
    mono = piano(codec, key_semitones).decode(one_note(69, frames=75)).mean(0).double().numpy()
    hz = np.fft.rfftfreq(8 * len(mono), 1 / 48_000)
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 8 * len(mono)))
    strongest_hz = hz[np.argmax(spectrum)]
    assert abs(1200 * np.log2(strongest_hz / (440 * 2 ** (key_semitones / 12)))) < 6


def test_an_onset_comes_within_milliseconds_of_its_frame(codec: ScoreCodec) -> None:
    codes = empty_score(60)
    write_notes(codes, [Note(20, 40, MELODY, 72)])
    first = np.flatnonzero(np.abs(piano(codec).decode(codes).numpy()).max(axis=0) > 1e-3)[0]
    assert abs(first / 48_000 - 20 / 25) < 0.012


def test_a_note_of_a_minute_keeps_sounding(codec: ScoreCodec) -> None:
    audio = codec.decode(one_note(frames=25 * 60))
    seconds = audio.reshape(2, 60, -1).square().mean(dim=(0, 2)).sqrt()
    assert seconds.min() > 0.1 * seconds.max()


def test_stems_add_up_to_the_mix_before_the_limiter(codec: ScoreCodec) -> None:
    codes = write_piece(3, level=14)
    stems = codec.decode_stems(codes)
    assert list(stems) == list(STEMS) and all(stem.abs().max() > 0.01 for stem in stems.values())
    mix = pre_limiter(codec, codes)
    assert np.abs(sum(stem.numpy() for stem in stems.values()) - mix).max() < 1e-5
    chunks = list(codec.decode_stem_chunks(codes, 31))
    assert torch.equal(torch.cat([chunk["bass"] for chunk in chunks], dim=1), stems["bass"])


def test_loudest_music_stays_under_full_scale(codec: ScoreCodec) -> None:
    loudest = codec.decode(write_piece(2, level=15)).numpy()
    finer = np.fft.irfft(np.pad(np.fft.rfft(loudest.astype(np.float64)), ((0, 0), (0, 3 * loudest.shape[1] // 2))))
    assert np.abs(finer * finer.shape[1] / loudest.shape[1]).max() < 10 ** (-1 / 20)
    assert -22 < loudness_db(torch.from_numpy(loudest)) < -8


@pytest.mark.parametrize("seed", range(3))
def test_nonsense_codes_play_without_error(codec: ScoreCodec, seed: int, tmp_path: Path) -> None:
    codes = np.random.default_rng(seed).integers(0, TABLE_SIZE, (CODEBOOKS, 30 + seed))
    if seed == 2:
        codes[:, 1:] = 1  # everything holds for ever
    audio = codec.decode(codes)
    assert audio.shape == (2, (30 + seed) * SAMPLES_PER_FRAME) and bool(audio.isfinite().all())
    codec.write_midi(codes, tmp_path / "nonsense.mid")


def test_audio_cannot_be_encoded(codec: ScoreCodec) -> None:
    with pytest.raises(InputError, match="cannot encode audio"):
        codec.encode(torch.zeros(1, 2, 1920))


def test_wrong_shapes_are_named(codec: ScoreCodec) -> None:
    with pytest.raises(ValueError, match=r"\[11, T\]"):
        codec.decode(np.zeros((8, 10), np.int64))
    with pytest.raises(ValueError, match="chunk_frames"):
        codec.decode_chunks(empty_score(10), 0)


def test_the_anchor_chooses_the_palette_and_the_manifest_says_so(codec: ScoreCodec) -> None:
    chosen = codec.for_anchor(MusicalAnchor(genre="jazz noir score", instruments="saxophone", mood="sad"))
    assert chosen.bank is codec.bank
    palette, font = chosen.describe()["palette"], chosen.describe()["soundfont"]
    assert isinstance(palette, dict) and palette["instruments"]["melody"] == "saxophone"
    assert isinstance(font, dict) and "GPL-2.0" in font["licence"]


def test_a_note_is_played_by_the_palette_it_begins_under_and_rings_out(codec: ScoreCodec) -> None:
    """Two notes, the first held across the border: its sound is the first palette's to its end."""
    first, second = piano(codec).palette, codec.palette
    assert isinstance(first, Palette) and isinstance(second, Palette)
    codes = empty_score(200)
    write_notes(codes, [Note(0, 90, MELODY, 60)])
    turns = PaletteTurns(first, (0, 50), (first, second))
    alone, turned = ScoreCodec(first, bank=codec.bank), ScoreCodec(turns, bank=codec.bank)
    assert torch.equal(alone.decode(codes), turned.decode(codes))
    write_notes(codes, [Note(100, 150, MELODY, 64)])
    border = 99 * SAMPLES_PER_FRAME  # the second note may come a few milliseconds early
    assert torch.equal(alone.decode(codes)[:, :border], turned.decode(codes)[:, :border])
    assert not torch.equal(alone.decode(codes), turned.decode(codes))
    chunks = torch.cat(list(turned.decode_chunks(codes, 37)), dim=1)
    assert torch.equal(chunks, turned.decode(codes))
