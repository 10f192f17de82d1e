from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.models.video_llama_3.image_processing_pil_video_llama_3 import (
    VideoLlama3ImageProcessorPil,
    smart_resize,
)

from narrascore.perception.pixels import FRAME_PIXELS, TOKEN_PIXELS, frame_size, to_patches, tokens_of
from tests.perception.clips import texture

SHAPES = [(1920, 1080), (1920, 804), (640, 480), (1080, 1920), (720, 720), (1280, 692), (840, 448), (7680, 4320)]


@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_size_is_the_librarys_for_pictures_above_the_budget(width: int, height: int) -> None:
    expected = smart_resize(height, width, factor=TOKEN_PIXELS, min_pixels=0, max_pixels=FRAME_PIXELS)
    assert frame_size(width, height) == expected


def test_sizes_are_multiples_of_28_within_the_budget_and_keep_the_aspect() -> None:
    rng = np.random.default_rng(0)
    for width, height in rng.integers(1, 5000, (500, 2)).tolist():
        size = frame_size(width, height)
        assert tokens_of(size) <= 120
        assert size[0] % TOKEN_PIXELS == size[1] % TOKEN_PIXELS == 0
        if 1 / 3 < width / height < 3:
            assert abs(np.log(size[1] / size[0] * height / width)) < 0.19  # less than one token of side at worst
            assert tokens_of(size) > 80


def test_a_small_copy_of_a_film_has_as_many_tokens_as_a_large_one() -> None:
    assert {frame_size(16 * scale, 9 * scale) for scale in (5, 20, 80, 240)} == {(224, 392)}
    assert frame_size(420, 224) == (224, 420)
    assert tokens_of((224, 420)) == 120


def test_a_budget_below_one_token_is_refused() -> None:
    with pytest.raises(ValueError, match="one token"):
        frame_size(10, 10, 783)
    assert frame_size(10, 4000, 784) == (28, 28)


def test_patches_are_the_librarys_own() -> None:
    image = texture(1, (120, 90, 200), height=224, width=392)
    ours = to_patches(image, (224, 392))
    library = VideoLlama3ImageProcessorPil(merge_size=2, size={"shortest_edge": 1, "longest_edge": FRAME_PIXELS})
    theirs = library(images=[image], return_tensors="pt")
    assert theirs.image_grid_thw.tolist() == [[1, 16, 28]]
    torch.testing.assert_close(ours, theirs.pixel_values, rtol=0, atol=1e-6)


def test_scaled_patches_are_the_librarys_within_two_grey_levels() -> None:
    image = texture(2, (120, 90, 200), height=540, width=960)
    ours = to_patches(image, frame_size(960, 540))
    library = VideoLlama3ImageProcessorPil(merge_size=2, size={"shortest_edge": 1, "longest_edge": FRAME_PIXELS})
    theirs = library(images=[image], return_tensors="pt").pixel_values
    assert float((ours - theirs).abs().max()) <= 2 * 2 / 255 + 1e-6  # both bicubic on whole grey levels
