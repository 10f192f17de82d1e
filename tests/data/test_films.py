from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from narrascore.data.films import LabelledFilm, read_films, write_films
from narrascore.errors import InputError


def film(name: str, seconds: int, split: str = "train") -> LabelledFilm:
    labels = np.linspace(-1, 1, 2 * seconds, dtype=np.float32).reshape(seconds, 2)
    return LabelledFilm(name, Path(f"{name}.mp4"), labels, split)


def test_a_set_comes_back_as_it_was_written(tmp_path: Path) -> None:
    films = [film("a", 40), film("b", 7, "test")]
    write_films(tmp_path, films)
    back = read_films(tmp_path)
    assert [f.id for f in back] == ["a", "b"]
    np.testing.assert_array_equal(back[1].labels, films[1].labels)
    assert [f.id for f in read_films(tmp_path, "test")] == ["b"]


def test_clips_lie_within_the_labelled_seconds_and_cover_them() -> None:
    labels = film("a", 100).labels.copy()
    labels[:12] = np.nan
    labels[90:, 1] = np.nan
    labelled = LabelledFilm("a", Path("a.mp4"), labels, "train")
    assert labelled.clips() == [(12, 42), (27, 57), (42, 72), (57, 87), (60, 90)]
    assert LabelledFilm("s", Path("s.mp4"), labels[12:30], "train").clips() == [(0, 18)]
    assert LabelledFilm("n", Path("n.mp4"), labels[:12], "train").clips() == []


def test_a_folder_that_holds_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="prepare one first"):
        read_films(tmp_path)
