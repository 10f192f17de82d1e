"""Score codes: what is cut out of a piece sounds as it did there, and a language model learns to begin with it."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascore.synthesis.performance import read_levels
from narrascore.synthesis.score_codes import HOLD, PITCHED, PULSE, Note, bar_starts, cut_out, read_notes
from recipes.embedded.train import Pieces, openings
from tests.synthesis.score_material import write_piece

PIECE = write_piece(4, frames_per_sixteenth=3)
FRAMES = PIECE.shape[1]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, FRAMES - 1), st.integers(1, FRAMES))
def test_what_is_cut_out_sounds_as_it_did_in_its_piece(start: int, length: int) -> None:
    stop = min(start + length, FRAMES)
    clipped = [
        Note(max(note.start, start) - start, min(note.stop, stop) - start, note.voice, note.pitch, note.strong)
        for note in read_notes(PIECE)
        if note.start < stop and note.stop > start
    ]
    cut = cut_out(PIECE, start, stop)
    assert read_notes(cut) == sorted(clipped)
    np.testing.assert_array_equal(read_levels(cut), read_levels(PIECE)[start:stop])


def test_bars_begin_where_the_pulse_says() -> None:
    assert bar_starts(PIECE).tolist() == [0, 48, 96, 144]


def test_a_film_begins_with_a_bar_that_sounds() -> None:
    silent = PIECE.copy()
    silent[list(PITCHED), 48:96] = 0
    assert openings(PIECE) == [0, 48, 96, 144]
    assert openings(silent) == [0, 96, 144]


def test_crops_begin_as_films_do_or_as_continued_windows_do() -> None:
    pieces = Pieces.__new__(Pieces)
    pieces.codes, pieces.captions, pieces.openings = [PIECE], [["calm"]], [openings(PIECE)]
    crops = torch.cat([pieces.batch(f"test/{i}", 16, 60)[0] for i in range(16)])
    begun = crops[:, :, 0] != HOLD
    sounding = begun[:, list(PITCHED)].any(dim=1) & begun[:, PULSE]
    assert 0.5 < sounding.float().mean() < 0.75  # every other one, and those that happen to start with a bar
    assert (crops[sounding][:, PULSE, 0] >= 2).all()
