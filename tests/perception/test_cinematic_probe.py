from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from narrascore.perception import cinematic_probe as probe
from narrascore.perception.cinematic import STATE_NAMES


def states(rows: int = 1, **columns: float) -> NDArray[np.float32]:
    table = np.zeros((rows, len(STATE_NAMES)), dtype=np.float32)
    table[:, STATE_NAMES.index("brightness")] = probe.TYPICAL_BRIGHTNESS
    table[:, STATE_NAMES.index("saturation")] = probe.TYPICAL_SATURATION
    for name, value in columns.items():
        table[:, STATE_NAMES.index(name)] = value
    return table


def as_state(table: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    return {name: table[:, i].astype(float) for i, name in enumerate(STATE_NAMES)}


def test_the_coefficients_are_those_of_valdez_and_mehrabian() -> None:
    brighter = states(brightness=probe.TYPICAL_BRIGHTNESS + probe.SPREAD_OF_BRIGHTNESS)
    more_saturated = states(saturation=probe.TYPICAL_SATURATION + probe.SPREAD_OF_SATURATION)

    def pleasure(table: NDArray[np.float32]) -> float:
        return float(np.arctanh(probe.read_valence(as_state(table)))[0] / probe.COLOUR_SLOPE)

    def excitement(table: NDArray[np.float32]) -> float:
        of_colour = probe.read_arousal(as_state(table))[0] - probe.read_arousal(as_state(states()))[0]
        return float(np.arctanh(of_colour / probe.COLOUR_SHARE) / probe.COLOUR_SLOPE)

    assert pleasure(states()) == pytest.approx(0, abs=1e-6)
    assert pleasure(brighter) == pytest.approx(0.69, abs=1e-5)
    assert pleasure(more_saturated) == pytest.approx(0.22, abs=1e-5)
    assert excitement(brighter) == pytest.approx(-0.31, abs=1e-5)
    assert excitement(more_saturated) == pytest.approx(0.60, abs=1e-5)


def test_cut_density_integrates_the_shots_of_each_second() -> None:
    table = states(rows=40)
    for second in range(14, 26):
        table[second, STATE_NAMES.index("cuts")] = 2
        table[second, STATE_NAMES.index("first_cut_seconds")] = 0.0
        table[second, STATE_NAMES.index("last_cut_seconds")] = 0.5
    density = probe.cut_density(as_state(table))
    assert density[14:25] == pytest.approx(np.exp(-0.5 / probe.SHOT_CONSTANT_SECONDS))
    assert density[:14] == pytest.approx(np.exp(-14 / probe.SHOT_CONSTANT_SECONDS))


def test_a_film_of_one_short_shot_has_no_cutting_rhythm() -> None:
    assert probe.cut_density(as_state(states(rows=3))).max() == 0


def test_smoothing_keeps_constants_up_to_both_ends_and_weighs_symmetrically() -> None:
    np.testing.assert_allclose(probe.smooth(np.full((5, 2), 0.4)), 0.4)
    impulse = np.zeros((41, 2))
    impulse[20] = 1
    response = probe.smooth(impulse)[:, 0]
    np.testing.assert_allclose(response, response[::-1])
    assert response.argmax() == 20
    assert np.count_nonzero(response) == probe.SMOOTHING_SECONDS


def test_red_excites_more_than_blue_and_blue_pleases_more_than_yellow() -> None:
    def towards(degrees: float) -> NDArray[np.float32]:
        angle = np.deg2rad(degrees)
        curve = probe.CinematicProbe()(states(hue_cos=0.3 * np.cos(angle), hue_sin=0.3 * np.sin(angle)))
        return np.array(curve.values[0])

    red, yellow, green, blue = (towards(degrees) for degrees in (0, 60, 120, 240))
    assert red[1] > green[1] > blue[1]
    assert blue[0] > green[0] > yellow[0]


def test_any_state_gives_a_curve_in_range() -> None:
    extreme = np.random.default_rng(0).uniform(0, 1, (50, len(STATE_NAMES))).astype(np.float32)
    extreme[:, STATE_NAMES.index("cuts")] = np.random.default_rng(1).integers(0, 5, 50)
    extreme[:, STATE_NAMES.index("last_cut_seconds")] += extreme[:, STATE_NAMES.index("first_cut_seconds")]
    extreme[:, 2:4] /= 2
    curve = probe.CinematicProbe()(extreme)
    assert len(curve) == 50
    assert curve.rate_hz == 1.0


def test_states_of_another_eye_are_refused() -> None:
    with pytest.raises(ValueError, match="cinematic eye"):
        probe.CinematicProbe()(np.zeros((4, 1536), dtype=np.float32))
