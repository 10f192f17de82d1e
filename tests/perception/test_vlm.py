"""The frozen model against the library's own video path, and what one state depends on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrascore.errors import InputError, UsageError
from narrascore.perception.pixels import frame_size, to_patches
from narrascore.perception.prompts import film_strip, opening
from narrascore.perception.vlm import FrozenVLM, pool_frames
from tests.perception.clips import texture
from tests.perception.tiny_vlm import WIDTH, tiny_vlm_folder

PRIMER = "Feel it."
SIZE = frame_size(84, 56, 84 * 56)
TOKENS = 6


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> FrozenVLM:
    return FrozenVLM.from_pretrained(tiny_vlm_folder(tmp_path_factory.mktemp("vlm")), dtype=torch.float32)


def pictures(count: int) -> list[NDArray[np.uint8]]:
    colours = np.random.default_rng(5).integers(40, 216, (count, 3)).tolist()
    return [texture(seed, tuple(colour), *SIZE) for seed, colour in enumerate(colours)]


def states_of(vlm: FrozenVLM, images: list[NDArray[np.uint8]], primer: str = PRIMER, start: int = 0) -> Tensor:
    seconds = [float(start + index) for index in range(len(images))]
    return vlm.read(seconds, [vlm.see(image, SIZE) for image in images], vlm.begin(opening(primer)))


def library_states(vlm: FrozenVLM, images: list[NDArray[np.uint8]], start: int = 0) -> Tensor:
    """One prompt string and the video inputs of the library's processor, built by hand, through its own forward."""
    config = vlm.model.config
    mark = vlm.tokenizer.convert_ids_to_tokens(config.video_token_id) * TOKENS
    text = opening(PRIMER) + film_strip([start + second for second in range(len(images))], [mark] * len(images)) + "\n"
    ids = torch.tensor([vlm.tokenizer(text, add_special_tokens=False).input_ids])
    with torch.no_grad():
        out = vlm.model.model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values_videos=torch.cat([to_patches(image, SIZE) for image in images]),
            video_grid_thw=torch.tensor([[len(images), SIZE[0] // 14, SIZE[1] // 14]]),
            video_merge_sizes=torch.tensor([2]),
            video_compression_mask=torch.ones(len(images) * TOKENS, dtype=torch.bool),
        )
    visual: Tensor = out.last_hidden_state[ids == config.video_token_id]
    return visual.view(len(images), TOKENS, WIDTH).mean(dim=1)


@contextmanager
def poisoned_text(vlm: FrozenVLM) -> Iterator[list[int]]:
    """NaN in the last layer wherever a position was fed a word's embedding; yields how many there were."""
    words = vlm.model.get_input_embeddings().weight
    counts: list[int] = []

    def poison(module: object, args: object, kwargs: dict[str, Tensor], output: dict[str, Tensor]) -> None:
        fed = kwargs["inputs_embeds"][0]
        is_text = (fed[:, None] == words[None]).all(dim=2).any(dim=1)
        output["last_hidden_state"][0, is_text] = torch.nan
        counts.append(int(is_text.sum()))

    hook = vlm.model.model.language_model.register_forward_hook(poison, with_kwargs=True)
    try:
        yield counts
    finally:
        hook.remove()


def test_states_are_the_librarys_own_video_paths(vlm: FrozenVLM) -> None:
    images = pictures(5)
    torch.testing.assert_close(states_of(vlm, images, start=7), library_states(vlm, images, start=7), rtol=0, atol=2e-5)


def test_only_visual_positions_are_averaged(vlm: FrozenVLM) -> None:
    images = pictures(3)
    with poisoned_text(vlm) as counts:
        states = states_of(vlm, images)
    clocks = len("Time 0.0s:,Time 1.0s:,Time 2.0s:")  # a byte is a token here
    assert counts == [len("<s>system\n<e>\n<s>user\n") - 6 + len(PRIMER), clocks]
    torch.testing.assert_close(states, states_of(vlm, images), rtol=0, atol=0)


def test_each_frame_gets_the_mean_of_its_own_tokens() -> None:
    hidden = torch.tensor([[torch.nan], [1.0], [3.0], [torch.nan], [10.0]], dtype=torch.bfloat16)
    visual = ~hidden[:, 0].isnan()
    pooled = pool_frames(hidden, visual, [2, 1])
    assert pooled.tolist() == [[2.0], [10.0]]
    assert pooled.dtype == torch.float32
    for tokens in ([2], [3, 0], [2, 2], []):
        with pytest.raises(ValueError, match="3 visual positions"):
            pool_frames(hidden, visual, tokens)


def test_the_primer_precedes_the_film_and_changes_every_state(vlm: FrozenVLM) -> None:
    images = pictures(3)
    plain, primed = states_of(vlm, images, ""), states_of(vlm, images)
    assert float((plain - primed).abs().amax(dim=1).min()) > 0.01


def test_a_frame_knows_the_past_and_its_clock_and_not_the_future(vlm: FrozenVLM) -> None:
    images = pictures(4)
    states = states_of(vlm, images)
    torch.testing.assert_close(states_of(vlm, images[:3]), states[:3], rtol=0, atol=1e-5)
    others = states_of(vlm, [images[3], *images[1:]])
    assert float((others - states)[1:].abs().amax(dim=1).min()) > 0.001
    later = states_of(vlm, images, start=20)
    assert float((later - states).abs().amax(dim=1).min()) > 0.001


def test_frame_by_frame_equals_the_full_pass(vlm: FrozenVLM) -> None:
    images = pictures(6)
    cache = vlm.begin(opening(PRIMER))
    rows = [
        vlm.read([float(second)], [vlm.see(image, SIZE)], cache, first=second == 0)
        for second, image in enumerate(images)
    ]
    torch.testing.assert_close(torch.cat(rows), states_of(vlm, images), rtol=0, atol=2e-5)


def test_pieces_are_tokenised_as_the_whole(vlm: FrozenVLM) -> None:
    frame = vlm.image_mark * TOKENS
    pieces = [opening(PRIMER), film_strip([9.0], [frame]), film_strip([10.0, 11.0], [frame] * 2, first=False)]
    ids = [token for piece in pieces for token in vlm.tokenizer(piece, add_special_tokens=False).input_ids]
    assert ids == vlm.tokenizer("".join(pieces), add_special_tokens=False).input_ids


def test_as_many_frames_fit_as_the_context_holds(vlm: FrozenVLM) -> None:
    text = opening(PRIMER)
    fitting = vlm.frames_that_fit(text, TOKENS)
    used = len(vlm.tokenizer(text).input_ids) + fitting * (TOKENS + len(",Time 99999.0s:"))
    assert used <= vlm.context_tokens < used + TOKENS + len(",Time 99999.0s:")


def test_an_answer_is_the_librarys_greedy_one(vlm: FrozenVLM) -> None:
    images = pictures(2)
    answer = vlm.answer(
        [(0.0, images[0]), (7.0, images[1])], "What music?", max_new_tokens=12, frame_pixels=SIZE[0] * SIZE[1]
    )
    frames = [vlm.image_mark * TOKENS] * 2
    text = f"<|im_start|>user\n{film_strip([0, 7], frames)}\nWhat music?<|im_end|>\n<|im_start|>assistant\n"
    ids = torch.tensor([vlm.tokenizer(text, add_special_tokens=False).input_ids])
    reply = vlm.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12,
        pixel_values=torch.cat([to_patches(image, SIZE) for image in images]),
        image_grid_thw=torch.tensor([[1, SIZE[0] // 14, SIZE[1] // 14]] * 2), image_merge_sizes=torch.tensor([2, 2]),
        eos_token_id=vlm.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]),
    )  # fmt: skip
    assert answer == vlm.tokenizer.decode(reply[0, ids.shape[1] :], skip_special_tokens=True).strip()
    assert answer


def test_an_answer_without_pictures_and_one_that_does_not_fit(vlm: FrozenVLM) -> None:
    assert isinstance(vlm.answer([], "What music?", max_new_tokens=2), str)
    with pytest.raises(UsageError, match="the model holds 1024"):
        vlm.answer([], "What music?", max_new_tokens=1024)


def test_a_tokenizer_without_the_picture_token_is_refused(vlm: FrozenVLM) -> None:
    before = vlm.model.config.image_token_id
    vlm.model.config.image_token_id = 9999
    try:
        with pytest.raises(InputError, match="no token 9999"):
            FrozenVLM(vlm.model, vlm.tokenizer)
    finally:
        vlm.model.config.image_token_id = before
