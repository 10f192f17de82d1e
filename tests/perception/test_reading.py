from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from narrascore.errors import InputError
from narrascore.perception.keyframes import KeyframePicker
from narrascore.perception.reading import CONFIG_FILE, FilmReading


def plain(red: int) -> NDArray[np.uint8]:
    return np.full((12, 20, 3), (red, 128, 0), dtype=np.uint8)


def test_a_reading_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    states = np.random.default_rng(0).normal(size=(7, 11)).astype(np.float32)
    reading = FilmReading(states, "cinematic", [(0.5, plain(1)), (3.25, plain(2))])
    reading.save(tmp_path / "new")
    back = FilmReading.load(tmp_path / "new")
    np.testing.assert_array_equal(back.states, states)
    assert back.eye == "cinematic"
    assert [seconds for seconds, _ in back.keyframes] == [0.5, 3.25]
    np.testing.assert_array_equal(back.keyframes[1][1], plain(2))


def test_overlapping_windows_come_back_with_their_own_rows(tmp_path: Path) -> None:
    states = np.arange(14, dtype=np.float32)[:, None]
    FilmReading(states, "vlm", windows=((0, 8), (4, 10))).save(tmp_path)
    back = FilmReading.load(tmp_path)
    assert len(back) == 10
    rows = [(start, rows[:, 0].tolist()) for start, rows in back.by_window()]
    assert rows == [(0, list(range(8))), (4, list(range(8, 14)))]
    with pytest.raises(ValueError, match="a row of states for each second"):
        FilmReading(states, "vlm", windows=((0, 8), (4, 11)))


def test_a_broken_reading_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="read the film again"):
        FilmReading.load(tmp_path)
    FilmReading(np.zeros((2, 3), np.float32), "cinematic").save(tmp_path)
    (tmp_path / CONFIG_FILE).write_text("[]")
    with pytest.raises(InputError, match="read the film again"):
        FilmReading.load(tmp_path)


def test_a_reading_without_rows_or_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="R >= 1"):
        FilmReading(np.zeros((0, 11), np.float32), "cinematic")
    with pytest.raises(ValueError, match="finite"):
        FilmReading(np.full((2, 11), np.nan, np.float32), "cinematic")


def test_rare_pictures_survive_among_many_like_ones() -> None:
    picker = KeyframePicker(limit=8)
    rare = {37: 60, 150: 120, 333: 255}
    for second in range(500):
        picker.offer(second, plain(rare.get(second, 0)))
    times = [seconds for seconds, _ in picker.keyframes()]
    assert len(times) == 8
    assert times == sorted(times)
    assert set(rare) < set(times)


def test_a_film_that_never_changes_is_shown_from_start_to_end() -> None:
    picker = KeyframePicker(limit=8)
    for second in range(200):
        picker.offer(second, plain(0))
    times = [seconds for seconds, _ in picker.keyframes()]
    assert len(times) == 8
    assert times[0] < 40
    assert times[-1] > 160


def test_the_picker_keeps_copies() -> None:
    picker = KeyframePicker()
    picture = plain(0)
    picker.offer(0.0, picture)
    picture[:] = 9
    assert picker.keyframes()[0][1].max() == 128


@pytest.mark.parametrize("limit", [1, 2])
def test_small_limits_hold(limit: int) -> None:
    picker = KeyframePicker(limit)
    for second in range(5):
        picker.offer(second, plain(40 * second))
    assert len(picker.keyframes()) == limit


def test_features_decide_where_an_eye_has_some() -> None:
    picker = KeyframePicker(limit=8)
    rare = {37: 1, 150: 2, 333: 3}
    for second in range(500):
        feature = np.eye(4, dtype=np.float32)[rare.get(second, 0)] * (1 + second % 7)  # length means nothing
        picker.offer(second, plain(0), feature)
    times = [seconds for seconds, _ in picker.keyframes()]
    assert len(times) == 8
    assert times == sorted(times)
    assert set(rare) < set(times)
