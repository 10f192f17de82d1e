"""Collapsed windows are found and drawn again; calm music is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore.affect import AffectCurve
from narrascore.lexicon import STYLES
from narrascore.synthesis.collapse import Collapse, find_collapse
from narrascore.synthesis.composing import MOST_REDRAWS, compose_window, noise_of
from narrascore.synthesis.decoding import Sampling, generate
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_codes import BASS, DRUMS_LOW, INNER, MELODY, Note, empty_score, write_notes
from narrascore.windows import Window
from recipes.embedded.composer import compose_piece
from tests.synthesis.tiny import sleepy, tiny_encodec_musicgen, tiny_score_musicgen

FRAMES = 450
"""18 s at 25 Hz: what a window adds."""


@pytest.fixture(scope="module")
def codec() -> ScoreCodec:
    return ScoreCodec()


@pytest.fixture(scope="module")
def musicgen(tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    """Untrained notes by a model that would rather rest: about half of its windows of 8 s have a silence of 4 s."""
    folder = tiny_score_musicgen(tmp_path_factory.mktemp("sleepy"), window_seconds=8.0, prompt_seconds=2.0)
    return sleepy(FrozenMusicGen.from_pretrained(folder))


def played(*notes: Note, frames: int = FRAMES) -> torch.Tensor:
    codes = empty_score(frames)
    write_notes(codes, list(notes))
    return torch.from_numpy(codes)


def steps(start: int, stop: int, every: int = 75) -> list[Note]:
    """Calm music: a scale, a note every 3 s, held to the next."""
    return [Note(at, min(at + every, stop), MELODY, 60 + at // every) for at in range(start, stop, every)]


def found(codec: ScoreCodec, codes: torch.Tensor, first: int = 0, *, goes_on: bool = True) -> Collapse | None:
    return find_collapse(codec, codes, first, film_goes_on=goes_on)


def test_calm_music_is_no_collapse(codec: ScoreCodec) -> None:
    assert found(codec, played(*steps(0, FRAMES))) is None
    assert found(codec, played(*steps(0, FRAMES, every=90))) is None


@pytest.mark.parametrize("arousal", [-1.0, 1.0])
@pytest.mark.parametrize("style", list(STYLES))
def test_the_composers_pieces_are_no_collapse(codec: ScoreCodec, style: str, arousal: float) -> None:
    curve = AffectCurve(np.stack([np.linspace(-1, 1, 60), np.full(60, arousal)], axis=1).astype(np.float32))
    codes = torch.from_numpy(compose_piece(curve, style, 7, 60).codes)
    for first in (0, 300, 600, 1050):
        window = codes[:, max(0, first - 300) : first + FRAMES]
        assert found(codec, window, min(first, 300)) is None


def test_silence_is_found_wherever_it_is(codec: ScoreCodec) -> None:
    for start in (0, 75, 300):
        codes = played(*steps(0, start), *steps(start + 100, FRAMES))
        assert found(codec, codes) == Collapse("silence", 4.0)
    assert found(codec, played(*steps(0, 75), *steps(174, FRAMES))) is None  # 3.96 s


def test_an_ending_is_a_collapse_only_while_the_film_goes_on(codec: ScoreCodec) -> None:
    codes = played(*steps(0, FRAMES - 60))
    assert found(codec, codes) == Collapse("an ending", 2.4)
    assert found(codec, codes, goes_on=False) is None


@pytest.mark.parametrize("notes", [
    [Note(0, FRAMES, INNER[0], 60)],
    [Note(at, at + 5, DRUMS_LOW, 36) for at in range(0, FRAMES, 10)],
    [Note(0, FRAMES, BASS, 36), *[Note(at, at + 5, MELODY, 72) for at in range(0, FRAMES, 10)]],
], ids=["a chord", "one drum", "a drone and one note"])  # fmt: skip
def test_what_says_one_thing_is_held(codec: ScoreCodec, notes: list[Note]) -> None:
    assert found(codec, played(*notes)) == Collapse("one held note", 18.0)


def test_what_the_prompt_began_still_sounds(codec: ScoreCodec) -> None:
    codes = played(Note(0, 300 + 90, MELODY, 60), *steps(300 + 90, 300 + FRAMES), frames=300 + FRAMES)
    assert found(codec, codes, 300) is None
    assert found(codec, codes[:, 300:]) is None  # 3.6 s of holding nothing
    silent = played(*steps(0, 250), *steps(300, 300 + FRAMES), frames=300 + FRAMES)
    assert found(codec, silent, 300) is None  # the prompt's own silence is not this window's


def test_a_new_part_shorter_than_the_bounds_is_never_a_collapse(codec: ScoreCodec) -> None:
    for frames in (0, 1, 99):
        assert found(codec, played(frames=frames), goes_on=False) is None


def test_sound_that_stands_still_or_loops_is_found_and_noise_is_not(tmp_path: Path) -> None:
    codec = FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(tmp_path)).codec
    noise = torch.randint(0, 64, (4, 1800), generator=torch.Generator().manual_seed(0))  # 18 s at 100 Hz

    def judge(codes: torch.Tensor) -> str | None:
        collapse = find_collapse(codec, codes, 0, film_goes_on=True)
        return None if collapse is None else collapse.what

    assert judge(noise) is None
    still = noise.clone()
    still[:, 500:1000] = noise[:, 500:501]
    assert judge(still) == "silence"
    ended = noise.clone()
    ended[:, 1500:] = noise[:, 1500:1501]
    assert judge(ended) == "an ending"
    assert judge(noise[:, :130].repeat(1, 14)) == "one held note"  # a loop of 1.3 s
    shimmering = noise.clone()
    shimmering[0] = 7  # what the first codebook says never changes, what refines it does
    assert judge(shimmering) == "one held note"


def test_a_collapsed_window_is_the_next_seeds_that_does_not(musicgen: FrozenMusicGen) -> None:
    curve, window, sampling = AffectCurve([[0, 0]] * 9), Window(0, 0, 200, 0, last=False), Sampling(128, 1.0, 1.0, 1.0)
    redrawn = 0
    for seed in "abcde":
        made = compose_window(musicgen, None, "sad piano", curve, window, None, seed, sampling)
        draws = [
            generate(musicgen.engine, musicgen.delays, musicgen.encode_text(["sad piano"]), 200,
                     [noise_of(name)], sampling, held_code=musicgen.codec.held_code)[0]
            for name in (seed, *(f"{seed}/{draw}" for draw in range(1, MOST_REDRAWS + 1)))[: len(made.collapses) + 1]
        ]  # fmt: skip
        collapses = [find_collapse(musicgen.codec, codes, 0, film_goes_on=True) for codes in draws]
        *thrown, kept = range(len(draws))
        assert all(collapses[draw] for draw in thrown)
        redrawn += len(thrown)
        if collapses[kept] is None:
            assert made.collapses == tuple(str(collapses[draw]) for draw in thrown)
            assert torch.equal(made.codes, draws[kept])
    assert redrawn > 0


def test_if_all_draws_collapse_the_least_is_kept_and_said(musicgen: FrozenMusicGen) -> None:
    curve, window = AffectCurve([[0, 0]] * 9), Window(0, 0, 120, 0, last=False)
    sampling = Sampling(2, 0.3, 1.0, 1.0)  # rests alone
    made = compose_window(musicgen, None, "sad piano", curve, window, None, "s", sampling)
    assert len(made.collapses) == MOST_REDRAWS + 1
    assert made.collapses[-1].startswith("all 4 draws collapsed; number ")
    least = find_collapse(musicgen.codec, made.codes, 0, film_goes_on=True)
    assert least is not None and made.collapses[-1].endswith(str(least))
    assert all(float(line.split()[-2]) >= least.seconds for line in made.collapses[:-1])


def test_without_chance_there_is_one_draw(musicgen: FrozenMusicGen) -> None:
    curve, window = AffectCurve([[0, 0]] * 9), Window(0, 0, 120, 0, last=False)
    made = compose_window(musicgen, None, "sad piano", curve, window, None, "s", Sampling(temperature=0.0))
    assert len(made.collapses) == 1
