from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from narrascore.perception.cinematic import STATE_NAMES, CinematicEye
from narrascore.perception.cinematic_probe import CinematicProbe
from tests.perception.clips import Picture, cutting, pan, texture, write_film


def read(path: Path, pictures: list[Picture], rate_hz: int = 8) -> NDArray[np.float32]:
    return CinematicEye().read(write_film(path, pictures, rate_hz)).states


def column(states: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    return states[:, STATE_NAMES.index(name)]


def affect(states: NDArray[np.float32]) -> tuple[float, float]:
    curve = CinematicProbe()(states)
    return float(np.median(curve.valence)), float(np.median(curve.arousal))


def test_still_is_calm_and_fast_cutting_action_is_aroused(tmp_path: Path) -> None:
    _, still = affect(read(tmp_path / "still.mkv", pan(texture(1, (60, 60, 60)), 0, 8)))
    _, action = affect(read(tmp_path / "action.mkv", cutting(9, 0.5, (150, 90, 60), speed=40)))
    assert still < -0.75
    assert action > 0.6


def test_an_ordinary_dialogue_lies_in_the_middle(tmp_path: Path) -> None:
    states = read(tmp_path / "dialogue.mkv", cutting(30, 5, (100, 90, 85), speed=12))
    assert 0.01 < column(states, "motion").mean() < 0.05  # what a filmed talking head has
    assert -0.2 < affect(states)[1] < 0.2


def test_arousal_rises_with_speed_and_with_cutting(tmp_path: Path) -> None:
    grey = (110, 110, 110)
    by_speed = [affect(read(tmp_path / f"{v}.mkv", pan(texture(2), v, 6)))[1] for v in (0, 8, 20, 60)]
    by_cutting = [affect(read(tmp_path / f"c{s}.mkv", cutting(12, s, grey, 4)))[1] for s in (12, 4, 1.5, 0.5)]
    assert min(np.diff(by_speed)) > 0.1
    assert min(np.diff(by_cutting)) > 0.1


def test_bright_saturated_is_pleasant_and_dark_grey_is_not(tmp_path: Path) -> None:
    dark, _ = affect(read(tmp_path / "dark.mkv", pan(texture(3, (35, 35, 35)), 4, 8)))
    middle, _ = affect(read(tmp_path / "middle.mkv", pan(texture(3, (100, 92, 84)), 4, 8)))
    bright, _ = affect(read(tmp_path / "bright.mkv", pan(texture(3, (80, 190, 255)), 4, 8)))
    assert dark < -0.5 < middle - 0.3
    assert bright > 0.5 > middle + 0.2


def test_a_longer_film_reads_the_same_in_its_first_half(tmp_path: Path) -> None:
    half = cutting(6, 1.5, (140, 90, 60), speed=20)
    once = read(tmp_path / "once.mkv", half)
    twice = read(tmp_path / "twice.mkv", half + half)
    assert len(twice) == 12
    np.testing.assert_array_equal(twice[:6], once)


def test_what_follows_half_a_window_later_hardly_moves_the_curve(tmp_path: Path) -> None:
    calm = pan(texture(4), 3, 24)
    alone = CinematicProbe()(read(tmp_path / "calm.mkv", calm))
    before_storm = CinematicProbe()(read(tmp_path / "storm.mkv", calm + cutting(9, 0.5, (150, 60, 60), 40)))
    # only the length of the shot is known better: it ends somewhere
    np.testing.assert_allclose(before_storm.valence[:17], alone.valence[:17], atol=1e-6)
    np.testing.assert_allclose(before_storm.arousal[:17], alone.arousal[:17], atol=0.05)
    assert before_storm.arousal.max() - before_storm.arousal.min() > 0.6


def test_cuts_are_counted_and_placed(tmp_path: Path) -> None:
    shots = [pan(texture(10 + i), 10, seconds) for i, seconds in enumerate((1.5, 0.25, 0.5, 2.75))]
    states = read(tmp_path / "cuts.mkv", [picture for shot in shots for picture in shot])
    assert column(states, "cuts").tolist() == [0, 2, 1, 0, 0]
    assert column(states, "first_cut_seconds").tolist() == [0, 0.5, 0.25, 0, 0]
    assert column(states, "last_cut_seconds").tolist() == [0, 0.75, 0.25, 0, 0]


@pytest.mark.parametrize("speed", [2, 10, 40, 150])
def test_a_pan_of_any_speed_is_no_cut(tmp_path: Path, speed: float) -> None:
    states = read(tmp_path / "pan.mkv", pan(texture(5, width=320), speed, 6))
    assert column(states, "cuts").sum() == 0
    assert column(states, "motion").min() > 0


def test_a_fade_and_a_lamp_are_no_cuts(tmp_path: Path) -> None:
    picture = texture(6, (150, 140, 130))
    fade = [(picture * share).astype(np.uint8) for share in np.linspace(0, 1, 16)]
    lamp = [picture // 2] * 8 + [picture] * 8
    states = read(tmp_path / "light.mkv", fade + lamp[::-1] + lamp)
    assert column(states, "cuts").sum() == 0
    assert column(states, "contrast_change")[:2].min() > 0.2
    assert column(states, "motion").max() < 0.05


def test_a_flash_of_one_frame_changes_the_light_but_is_neither_cut_nor_motion(tmp_path: Path) -> None:
    pictures = [texture(7)] * 96  # 4 s at 24 Hz
    pictures[36] = np.full_like(pictures[0], 255)  # on the eye's grid: 1.5 s
    states = read(tmp_path / "flash.mkv", pictures, rate_hz=24)
    assert column(states, "cuts").sum() == 0
    assert column(states, "motion").max() < 0.05
    assert column(states, "contrast_change").tolist()[1] > 0.5
    assert column(states, "contrast_change")[[0, 2, 3]].max() < 0.01


def test_hue_is_read_on_a_circle(tmp_path: Path) -> None:
    colours = {(200, 80, 80): 0, (80, 200, 80): 120, (80, 80, 200): 240}
    for colour, degrees in colours.items():
        states = read(tmp_path / "hue.mkv", [np.full((32, 32, 3), colour, np.uint8)] * 8)
        hue = np.rad2deg(np.arctan2(column(states, "hue_sin"), column(states, "hue_cos"))) % 360
        assert min(abs(hue[0] - degrees), 360 - abs(hue[0] - degrees)) < 2
        assert column(states, "saturation")[0] == pytest.approx(120 / 255, abs=0.01)


@pytest.mark.parametrize(("pictures", "seconds"), [(1, 1), (8, 1), (9, 2), (20, 3)])
def test_one_row_for_every_second_begun(tmp_path: Path, pictures: int, seconds: int) -> None:
    film = write_film(tmp_path / "short.mkv", [texture(8)] * pictures)
    reading = CinematicEye().read(film)
    assert reading.eye == "cinematic"
    assert reading.states.shape == (-(-film.duration_seconds // 1), len(STATE_NAMES))
    assert reading.states.dtype == np.float32
    assert len(reading) == seconds or film.still


@pytest.mark.parametrize("size", [(8, 8), (11, 333), (301, 17)])
def test_odd_sizes_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    states = read(tmp_path / "odd.mkv", [picture] * 8)
    assert column(states, "motion").max() < 0.01


def test_progress_rises_to_one(tmp_path: Path) -> None:
    shares: list[float] = []
    reading = CinematicEye().read(write_film(tmp_path / "p.mkv", [texture(9)] * 40), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [seconds for seconds, _ in reading.keyframes] == [0, 1, 2, 3, 4]
    assert reading.keyframes[0][1].shape == (128, 228, 3)
