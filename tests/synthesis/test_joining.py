from __future__ import annotations

import numpy as np
import pytest
import torch

from narrascore.synthesis import joining
from narrascore.synthesis.joining import Patch, cut_patch, find_join, lay_over, splice_notes
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_codes import (
    BASS,
    HOLD,
    MELODY,
    PULSE,
    Note,
    bar_starts,
    empty_score,
    pulse_code,
    read_notes,
    write_notes,
)
from tests.synthesis.tiny import tiny_encodec_musicgen, with_sound

FRAMES = 400


def bars(shift: int, pitches: tuple[int, ...], frames_per_sixteenth: int = 3) -> torch.Tensor:
    """A score in 4/4 whose bars begin at `shift`, one long note a bar."""
    codes = empty_score(FRAMES)
    for index, frame in enumerate(range(shift, FRAMES, frames_per_sixteenth)):
        codes[PULSE, frame] = pulse_code(frames_per_sixteenth, index % 16, index // 16 % 4)
    bar = 16 * frames_per_sixteenth
    notes = [
        Note(start, min(start + bar, FRAMES), voice, pitches[index % len(pitches)])
        for index, start in enumerate(range(shift, FRAMES, bar))
        for voice in (BASS, MELODY)
    ]
    write_notes(codes, notes)
    return torch.from_numpy(codes)


@pytest.fixture(scope="module")
def notes() -> ScoreCodec:
    return ScoreCodec()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    return FrozenMusicGen.from_pretrained(with_sound(tiny_encodec_musicgen(tmp_path_factory.mktemp("tiny"))))


def test_notes_are_joined_at_the_bar_line_where_both_agree(notes: ScoreCodec) -> None:
    kept = bars(0, (60, 62, 64, 65))
    new = bars(0, (71, 73, 64, 65))
    frame, distance = find_join(notes, kept, new, 30, 200)
    assert frame in bar_starts(kept.numpy())
    assert frame == 144  # pitches are the same on both sides of the fourth bar line alone
    assert distance == 0
    shifted, off = find_join(notes, kept, bars(7, (60, 62, 64, 65)), 30, 200)
    assert shifted in bar_starts(kept.numpy()) and off > 0


def test_without_bar_lines_notes_are_joined_all_the_same(notes: ScoreCodec) -> None:
    kept = torch.from_numpy(empty_score(FRAMES))
    frame, distance = find_join(notes, kept, kept, 30, 60)
    assert frame == 30 and 0 <= distance <= 1


def test_spliced_notes_leave_all_others_as_they_are() -> None:
    kept, new = bars(0, (60, 62, 64, 65)), bars(0, (48, 50, 52, 53))
    spliced = splice_notes(kept, new, 100, 160)
    assert torch.equal(spliced[:, :100], kept[:, :100])
    assert torch.equal(spliced[:, 100:160], new[:, 100:160])
    assert torch.equal(spliced[:, 161:], kept[:, 161:])
    assert kept[MELODY, 160] == HOLD
    held = [note for note in read_notes(spliced.numpy()) if note.voice == MELODY and note.start <= 160 < note.stop]
    assert [(note.start, note.pitch) for note in held] == [(160, 65)]  # struck anew where the kept music sets in


def test_sound_is_joined_where_it_is_the_same(sound: FrozenMusicGen) -> None:
    kept, new = (torch.randint(64, (4, 300), generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    new[:, 120:220] = kept[:, 120:220]
    frame, distance = find_join(sound.codec, kept, new, 60, 240)
    assert 160 <= frame <= 180  # half a second before and after is equal here, but for what the decoder hears around
    assert distance < find_join(sound.codec, kept, new, 60, 80)[1] / 2


def test_a_patch_changes_nothing_outside_itself(sound: FrozenMusicGen) -> None:
    codec = sound.codec
    per_frame = round(codec.sample_rate_hz / codec.frame_rate_hz)
    kept, new = (torch.randint(64, (4, 500), generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    new[:, :130] = kept[:, :130]
    plain = torch.cat(list(codec.decode_chunks(kept, 150)), dim=1)
    patch = cut_patch(codec, new, 130, 320)
    laid = torch.cat(list(lay_over(codec, codec.decode_chunks(kept, 150), patch, 500, 150)), dim=1)
    assert torch.equal(laid[:, : 130 * per_frame], plain[:, : 130 * per_frame])
    assert torch.equal(laid[:, 320 * per_frame :], plain[:, 320 * per_frame :])
    fade = round(joining.FADE_SECONDS * codec.sample_rate_hz)
    own = torch.cat(list(codec.decode_chunks(patch.codes.long(), 150)), dim=1)
    inside = slice(130 * per_frame + fade, 320 * per_frame - fade)
    begins = patch.left * per_frame
    assert torch.equal(laid[:, inside], own[:, inside.start - begins : inside.stop - begins])
    assert not torch.equal(laid, plain)


def test_cross_fades_are_smooth_and_absent_at_the_ends_of_the_film(sound: FrozenMusicGen) -> None:
    codec = sound.codec
    per_frame = round(codec.sample_rate_hz / codec.frame_rate_hz)
    codes = torch.randint(64, (4, 60), generator=torch.Generator().manual_seed(2))
    own = codec.decode(codes)
    silence = [torch.zeros(1, 25 * per_frame), torch.zeros(1, 35 * per_frame)]
    whole = torch.cat(list(lay_over(codec, silence, Patch(0, 60, 0, codes), 60, 60)), dim=1)
    assert torch.equal(whole, own)
    part = torch.cat(list(lay_over(codec, silence, Patch(10, 50, 0, codes), 60, 60)), dim=1)
    share = (part / own)[0, 10 * per_frame : 50 * per_frame].numpy()
    fade = round(joining.FADE_SECONDS * codec.sample_rate_hz)
    share = share[np.abs(own[0, 10 * per_frame : 50 * per_frame].numpy()) > 1e-4]
    assert share[0] < 0.1 and share[-1] < 0.1
    assert (np.diff(share[: fade // 2]) > -1e-3).all()
    assert np.median(share) == pytest.approx(1)


def test_the_measure_is_told_by_its_name() -> None:
    assert joining.bray_curtis(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0
    assert joining.bray_curtis(np.array([1.0, 0.0]), np.array([0.0, 3.0])) == 1
    assert joining.bray_curtis(np.zeros(2), np.zeros(2)) == 0
