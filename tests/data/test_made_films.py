"""Self-made films: the same seed the same bytes, and brightness alone tells nothing about their affect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from narrascore.data.films import read_films
from narrascore.data.made_films import LUMA, RATE_HZ, draw_curve, draw_pictures, make_films
from narrascore.media.film import Film


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        make_films(tmp_path / folder, 5, 3, seed=4)
    one, two = read_films(tmp_path / "a"), read_films(tmp_path / "b")
    assert [film.split for film in one] == ["train", "train", "train", "validation", "test"]
    for first, second in zip(one, two, strict=True):
        assert first.path.read_bytes() == second.path.read_bytes()
        np.testing.assert_array_equal(first.labels, second.labels)
    other = make_films(tmp_path / "c", 1, 3, seed=5)[0]
    assert other.path.read_bytes() != one[0].path.read_bytes()


def test_a_stopped_call_goes_on_and_keeps_what_is_there(tmp_path: Path) -> None:
    seen = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_films(tmp_path, 5, 2, progress=stop)
    assert seen == [(1, 5), (2, 5)] and not (tmp_path / "films.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.mp4")}
    films = make_films(tmp_path, 5, 2)
    assert len(kept) == 2 and {path: path.stat().st_mtime_ns for path in kept} == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["films.json", "labels.safetensors", *(film.path.name for film in films)]
    )


def test_a_film_lasts_as_long_as_its_labels(tmp_path: Path) -> None:
    film = make_films(tmp_path, 1, 4)[0]
    opened = Film.open(film.path)
    assert opened.duration_seconds == len(film.labels) == 4
    assert (opened.width, opened.height, opened.rate_hz) == (96, 64, RATE_HZ)


def test_no_colour_leaves_the_range_or_brightness_would_follow_the_affect() -> None:
    for valence in (-1, 0, 0.5, 1):
        curve = np.full((12, 2), (valence, 1), dtype=np.float32)
        pictures = np.stack(list(draw_pictures(curve, f"{valence}")))
        assert pictures.min() > 0 and pictures.max() < 255


def test_brightness_tells_neither_dimension_and_neither_tells_the_other() -> None:
    """A correlation that a shot's brightness has by chance has a spread of about one by the root of the shots."""
    curves = [draw_curve(30, f"9/{index}") for index in range(16)]
    brightness = [
        np.array([(picture @ LUMA).mean() for picture in draw_pictures(curve, f"9/{index}")]).reshape(30, RATE_HZ)
        for index, curve in enumerate(curves)
    ]
    lightness, labels = np.concatenate(brightness).mean(axis=1), np.concatenate(curves)
    assert lightness.std() > 15, "or there would be no nuisance to be independent of"
    table = np.corrcoef(np.column_stack([lightness, labels]).T)
    assert np.abs(table[0, 1:]).max() < 0.25, table
    many = np.corrcoef(np.concatenate([draw_curve(40, f"9/{index}") for index in range(300)]).T)
    assert abs(many[0, 1]) < 0.1
    assert labels.std(axis=0).min() > 0.35
