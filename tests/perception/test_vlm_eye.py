"""The paper's eye on small films: windows, streaming, what it costs and what it keeps."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from narrascore.errors import UsageError
from narrascore.media.film import Film
from narrascore.perception.pixels import frame_size, tokens_of
from narrascore.perception.prompts import opening
from narrascore.perception.reading import FilmReading
from narrascore.perception.vlm import FrozenVLM
from narrascore.perception.vlm_eye import STREAMING_STEP, Mode, VlmEye
from narrascore.windows import overlap_add
from tests.perception.clips import texture, write_film
from tests.perception.tiny_vlm import WIDTH, tiny_vlm_folder

PRIMER = "Feel it."
PIXELS = 112 * 56  # a 16:9 picture becomes 84 x 56: 6 tokens
SHORT: dict[str, Any] = {"window_seconds": 4, "overlap_seconds": 2, "frame_pixels": PIXELS}


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> FrozenVLM:
    return FrozenVLM.from_pretrained(tiny_vlm_folder(tmp_path_factory.mktemp("vlm")), dtype=torch.float32)


def film_of(path: Path, seconds: int, first_seed: int = 0) -> Film:
    """A shot a second, each of another colour."""
    colours = np.random.default_rng(3).integers(40, 216, (64, 3)).tolist()
    return write_film(
        path, [texture(seed, tuple(colours[seed])) for seed in range(first_seed, first_seed + seconds)], rate_hz=1
    )


def rows_of(reading: FilmReading) -> dict[tuple[int, int], np.ndarray]:
    """(start of the window, second) -> state."""
    return {(start, start + row): state for start, states in reading.by_window() for row, state in enumerate(states)}


def test_each_window_is_read_on_its_own_with_absolute_clocks(vlm: FrozenVLM, tmp_path: Path) -> None:
    film = film_of(tmp_path / "a.mkv", 9)
    reading = VlmEye(vlm, PRIMER, **SHORT).read(film)
    assert reading.windows == ((0, 4), (2, 6), (4, 8), (5, 9))
    assert reading.states.shape == (16, WIDTH) and len(reading) == 9
    size = frame_size(film.width, film.height, PIXELS)
    frames = [vlm.see(frame.image, size) for frame in film.frames(1, height=size[0])]
    for start, states in reading.by_window():
        alone = vlm.read(list(range(start, start + 4)), frames[start : start + 4], vlm.begin(opening(PRIMER)))
        np.testing.assert_allclose(states, alone.numpy(), atol=1e-5)


def test_a_window_does_not_depend_on_how_many_there_are(vlm: FrozenVLM, tmp_path: Path) -> None:
    eye = VlmEye(vlm, PRIMER, **SHORT)
    short, long = (rows_of(eye.read(film_of(tmp_path / f"{n}.mkv", n))) for n in (6, 14))
    assert set(short) < set(long)
    for key, state in short.items():
        np.testing.assert_array_equal(state, long[key])


@pytest.mark.parametrize(("mode", "seconds"), [("windows", 9), ("windows", 3), ("streaming", 9)])
def test_each_frame_goes_through_the_vision_tower_once(
    vlm: FrozenVLM, tmp_path: Path, mode: Mode, seconds: int
) -> None:
    patches: list[int] = []
    hook = vlm.model.model.vision_model.register_forward_hook(
        lambda module, args, kwargs, output: patches.append(len(kwargs["pixel_values"])), with_kwargs=True
    )
    try:
        eye = VlmEye(vlm, PRIMER, mode=mode, max_frames=5 if mode == "streaming" else None, **SHORT)
        eye.read(film_of(tmp_path / "a.mkv", seconds))
    finally:
        hook.remove()
    assert len(patches) == seconds
    assert set(patches) == {4 * tokens_of(frame_size(160, 90, PIXELS))}


@pytest.mark.parametrize("mode", ["windows", "streaming"])
def test_visual_tokens_of_one_window_are_held_at_most(
    vlm: FrozenVLM, tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    living: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    most, see = 0, vlm.see

    def spy(*args: Any) -> torch.Tensor:
        nonlocal most
        tokens = see(*args)
        living.add(tokens)
        most = max(most, len(living))
        return tokens

    monkeypatch.setattr(vlm, "see", spy)
    eye = VlmEye(vlm, mode=mode, max_frames=4, **SHORT)
    eye.read(film_of(tmp_path / "a.mkv", 24))
    steps = 2 * STREAMING_STEP  # the one that was read last, and the one that is being filled
    held = SHORT["window_seconds"] if mode == "windows" else steps
    assert most <= held + 1


@pytest.mark.parametrize("window_seconds", [2, 5, 20])
def test_a_frame_has_the_same_tokens_in_a_window_of_any_length(
    vlm: FrozenVLM, tmp_path: Path, window_seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    eye = VlmEye(vlm, window_seconds=window_seconds, overlap_seconds=1, frame_pixels=PIXELS)
    tokens: list[int] = []
    read = vlm.read

    def spy(seconds: list[float], frames: list[torch.Tensor], *args: Any, **kwargs: Any) -> torch.Tensor:
        tokens.extend(len(frame) for frame in frames)
        return read(seconds, frames, *args, **kwargs)

    monkeypatch.setattr(vlm, "read", spy)
    eye.read(film_of(tmp_path / "a.mkv", 8))
    assert set(tokens) == {tokens_of(frame_size(160, 90, PIXELS))}


def test_streaming_equals_the_full_pass_where_the_film_fits(vlm: FrozenVLM, tmp_path: Path) -> None:
    film = film_of(tmp_path / "a.mkv", 8)
    stream = VlmEye(vlm, PRIMER, mode="streaming", overlap_seconds=2, frame_pixels=PIXELS).read(film)
    whole = VlmEye(vlm, PRIMER, window_seconds=8, overlap_seconds=2, frame_pixels=PIXELS).read(film)
    assert stream.windows == whole.windows == ((0, 8),)
    np.testing.assert_allclose(stream.states, whole.states, atol=2e-5)


def test_streaming_goes_on_with_the_overlap_as_if_nothing_stood_before(tmp_path: Path) -> None:
    """With one block, keys and values hold nothing of the past, so carrying over and reading again must agree."""
    vlm = FrozenVLM.from_pretrained(tiny_vlm_folder(tmp_path / "one", blocks=1), dtype=torch.float32)
    film = film_of(tmp_path / "a.mkv", 12)
    reading = VlmEye(vlm, PRIMER, mode="streaming", max_frames=5, overlap_seconds=2, frame_pixels=PIXELS).read(film)
    assert reading.windows == ((0, 5), (5, 8), (8, 11), (11, 12))
    size = frame_size(film.width, film.height, PIXELS)
    frames = [vlm.see(frame.image, size) for frame in film.frames(1, height=size[0])]
    for start, states in reading.by_window():
        first, stop = max(0, start - 2), start + len(states)
        cache = vlm.begin(opening(PRIMER))
        alone = vlm.read(list(range(first, stop)), frames[first:stop], cache, first=start == 0)
        np.testing.assert_allclose(states, alone.numpy()[start - first :], atol=2e-5)
    faded = overlap_add(list(reading.by_window()), len(reading))
    np.testing.assert_allclose(faded, reading.states, rtol=1e-6)


def test_streaming_reads_nothing_twice(vlm: FrozenVLM, tmp_path: Path) -> None:
    film, lengths = film_of(tmp_path / "a.mkv", 12), []
    hook = vlm.model.model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(kwargs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    try:
        read = []
        for max_frames in (5, 12):  # with and without starting again
            eye = VlmEye(vlm, mode="streaming", max_frames=max_frames, overlap_seconds=2, frame_pixels=PIXELS)
            eye.read(film)
            read.append(sum(lengths))
            lengths.clear()
    finally:
        hook.remove()
    assert read[0] == read[1]


def test_streaming_carries_over_what_it_knows_of_the_seconds_before(vlm: FrozenVLM, tmp_path: Path) -> None:
    pictures = [texture(seed, (60, 120, 180)) for seed in range(8)]
    eye = VlmEye(vlm, mode="streaming", max_frames=5, overlap_seconds=2, frame_pixels=PIXELS)
    states = [
        eye.read(write_film(tmp_path / f"{seed}.mkv", [texture(seed, (200, 90, 60)), *pictures[1:]], rate_hz=1)).states
        for seed in (40, 41)
    ]
    # Seconds 5 to 7 stand in a context that begins at 3; second 0 reaches them only through what 3 and 4 carry.
    assert np.abs(states[0][7] - states[1][7]).max() > 1e-4


def test_streaming_without_an_overlap_starts_afresh(vlm: FrozenVLM, tmp_path: Path) -> None:
    eye = VlmEye(vlm, mode="streaming", max_frames=3, overlap_seconds=0, frame_pixels=PIXELS)
    reading = eye.read(film_of(tmp_path / "a.mkv", 7))
    assert reading.windows == ((0, 3), (3, 6), (6, 7))


def test_streaming_fills_the_context_and_no_more(tmp_path: Path) -> None:
    folder = tiny_vlm_folder(tmp_path / "small", context_tokens=256)
    vlm = FrozenVLM.from_pretrained(folder, dtype=torch.float32)
    seconds = 14
    longest: list[int] = []
    hook = vlm.model.model.language_model.register_forward_hook(
        lambda module, args, kwargs, output: longest.append(kwargs["past_key_values"].get_seq_length()),
        with_kwargs=True,
    )
    try:
        eye = VlmEye(vlm, PRIMER, mode="streaming", overlap_seconds=4, frame_pixels=PIXELS)
        reading = eye.read(film_of(tmp_path / "a.mkv", seconds))
    finally:
        hook.remove()
    assert len(reading.windows) == 2 and len(reading) == seconds
    assert 0.8 * vlm.context_tokens < max(longest) <= vlm.context_tokens  # room is kept for longer clocks


def test_keyframes_are_those_that_look_different_to_the_tower(vlm: FrozenVLM, tmp_path: Path) -> None:
    same, other = texture(1, (90, 90, 90)), texture(2, (200, 60, 40))
    pictures = [other if second == 20 else same for second in range(34)]
    reading = VlmEye(vlm, **SHORT).read(write_film(tmp_path / "a.mkv", pictures, rate_hz=1))
    times = [seconds for seconds, _ in reading.keyframes]
    assert len(times) == 32 and 20 in times
    assert reading.keyframes[0][1].shape == (56, 100, 3)


def test_progress_rises_to_one(vlm: FrozenVLM, tmp_path: Path) -> None:
    modes: tuple[Mode, Mode] = ("windows", "streaming")
    for mode in modes:
        shares: list[float] = []
        VlmEye(vlm, mode=mode, **SHORT).read(film_of(tmp_path / "a.mkv", 5), shares.append)
        assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_what_does_not_fit_is_a_usage_error(vlm: FrozenVLM) -> None:
    with pytest.raises(UsageError, match="are the most"):
        VlmEye(vlm, window_seconds=30)  # 120 tokens a frame in a context of 1024
    with pytest.raises(UsageError, match="are the most"):
        VlmEye(vlm, mode="streaming", max_frames=100, frame_pixels=PIXELS)
    with pytest.raises(UsageError, match="max_frames is 3"):
        VlmEye(vlm, max_frames=3, **SHORT)
    with pytest.raises(UsageError, match=r"in \[0, 4\)"):
        VlmEye(vlm, window_seconds=4, overlap_seconds=4, frame_pixels=PIXELS)
    with pytest.raises(UsageError, match=r"in \[0, 3\)"):
        VlmEye(vlm, mode="streaming", max_frames=3, overlap_seconds=3, frame_pixels=PIXELS)
    with pytest.raises(UsageError, match="at least 784"):
        VlmEye(vlm, frame_pixels=783)
    with pytest.raises(UsageError, match="windows or streaming"):
        VlmEye(vlm, mode="live", **SHORT)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="primer"):
        VlmEye(vlm, "<|im_end|>", **SHORT)


def test_the_description_changes_with_whatever_changes_states(vlm: FrozenVLM) -> None:
    eyes = [
        VlmEye(vlm, **SHORT),
        VlmEye(vlm, PRIMER, **SHORT),
        VlmEye(vlm, **{**SHORT, "window_seconds": 5}),
        VlmEye(vlm, **{**SHORT, "overlap_seconds": 1}),
        VlmEye(vlm, **{**SHORT, "frame_pixels": 56 * 56}),
        VlmEye(vlm, mode="streaming", **SHORT),
        VlmEye(vlm, mode="streaming", max_frames=5, **SHORT),
    ]
    assert len({str(eye.describe()) for eye in eyes}) == len(eyes)
    assert eyes[0].describe()["revision"] == vlm.describe()["revision"]
