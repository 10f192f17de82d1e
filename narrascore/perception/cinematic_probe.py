"""Valence and arousal from what the embedded eye saw, by published models of film and colour.

Sources:
    Hanjalic & Xu 2005, Affective video content representation and modeling, IEEE Trans. Multimedia 7(1): arousal is a
        mean of motion activity, of the density of cuts exp(-shot length / constant), and of sound energy, smoothed in
        time by a Kaiser window. Equal weights here. The picture alone has no sound, so the change of light and
        contrast, the picture's own loudness, takes the third place.
    Valdez & Mehrabian 1994, Effects of color on emotions, J. Exp. Psych.: General 123(4): for standardised brightness B
        and saturation S, pleasure = .69 B + .22 S and arousal = -.31 B + .60 S; blue is among the most pleasant hues,
        yellow and green-yellow the least. Detenber, Simons & Reiss 2000 find the same sign for colour in film clips:
        coloured ones are more pleasant and more exciting than the same in black and white.
    Wilms & Oberfeld 2018, Color and emotion, Psychological Research 82: arousal rises from blue over green to red;
        blue is the most pleasant hue where colours are saturated. They also find bright colours more arousing, against
        Valdez & Mehrabian, whose coefficient is kept.
    Cutting, Brunick & DeLong 2011, Visual activity in Hollywood film, Projections 5(1), and Cutting et al. 2011,
        Quicker, faster, darker, i-Perception 2: motion as 1 - r of neighbouring pictures, higher in action films.

Coefficients and forms are theirs. What they leave to each application, where zero lies and how steep a component is,
is fixed here once for all films, marked "ours" below: no constant ever depends on the film.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.perception.cinematic import STATE_NAMES, cut_times

PLEASURE_OF_BRIGHTNESS, PLEASURE_OF_SATURATION = 0.69, 0.22  # Valdez & Mehrabian 1994
AROUSAL_OF_BRIGHTNESS, AROUSAL_OF_SATURATION = -0.31, 0.60  # Valdez & Mehrabian 1994

KAISER_SHAPE = 5.0  # the window is Hanjalic & Xu's
SMOOTHING_SECONDS = 13  # ours: music has to turn within a phrase or two

# Ours: what an ordinary film looks like, as mean and spread, for the standardised variables of Valdez & Mehrabian.
TYPICAL_BRIGHTNESS, SPREAD_OF_BRIGHTNESS = 0.36, 0.15
TYPICAL_SATURATION, SPREAD_OF_SATURATION = 0.14, 0.10
MOST_SPREADS = 2.5

# Ours: each dynamic component is 1 - exp(-x / constant), or for cuts exp(-x / constant), so it lies in [0, 1).
MOTION_CONSTANT = 0.12  # 1 - r over an eighth of a second: a filmed talking head has about 0.02, traffic close by 0.3
SHOT_CONSTANT_SECONDS = 6.0  # a shot of half a second counts 0.92, of five seconds 0.43, of twenty 0.04
CONTRAST_CHANGE_CONSTANT = 0.25  # per second, in units of the full range of luma
OPEN_SHOT_SECONDS = 12.0  # the first and the last shot are taken to be at least this long: a clip may begin inside one

# Ours: a dialogue in shots of five seconds has a mean component of about a quarter and lies at arousal 0.
DYNAMICS_EXPONENT = 0.5
COLOUR_SLOPE = 0.8  # ordinary films stay in the straight part of tanh
DYNAMICS_SHARE, COLOUR_SHARE = 0.85, 0.25

# Directions from Wilms & Oberfeld 2018 and Valdez & Mehrabian 1994, on the hue circle with red at 0 degrees; sizes
# ours: small beside brightness and saturation, whose effects Valdez & Mehrabian call strong and consistent.
PLEASANT_HUE_DEGREES = 240.0  # blue; its opposite is yellow
AROUSING_HUE_DEGREES = 30.0  # red and orange before green, blue last
HUE_WEIGHT = 0.3
FULL_HUE = 0.3  # length of the mean colour vector from which on a hue has its whole weight


class CinematicProbe:
    """Turns the states of `CinematicEye` into an affect curve, by fixed coefficients."""

    name = "cinematic"

    def __call__(self, states: NDArray[np.float32]) -> AffectCurve:
        """Read valence and arousal off each second.

        The Kaiser window is symmetrical: a value sees 6 seconds back and 6 ahead, cut off at the film's ends.

        Args:
            states: `[F, 11]`, columns as in `cinematic.STATE_NAMES`.

        Returns:
            A curve of F rows at 1 Hz.

        Raises:
            ValueError: if the states are not the embedded eye's.
        """
        if states.ndim != 2 or states.shape[1] != len(STATE_NAMES):
            raise ValueError(
                f"the cinematic probe reads [F, {len(STATE_NAMES)}] states of the cinematic eye: got {states.shape}; "
                "another eye needs a probe of its own"
            )
        state = {name: states[:, column].astype(np.float64) for column, name in enumerate(STATE_NAMES)}
        values = np.stack([read_valence(state), read_arousal(state)], axis=1)
        return AffectCurve(np.clip(smooth(values), -1, 1).astype(np.float32))

    def describe(self) -> dict[str, object]:
        """For the manifest."""
        return {"probe": self.name}


def read_valence(state: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Pleasure of the picture's colours, `[F]` in (-1, 1), before smoothing."""
    brightness, saturation = _standardise(state)
    pleasure = PLEASURE_OF_BRIGHTNESS * brightness + PLEASURE_OF_SATURATION * saturation
    return np.asarray(np.tanh(COLOUR_SLOPE * pleasure + HUE_WEIGHT * _towards(PLEASANT_HUE_DEGREES, state)))


def read_arousal(state: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Arousal by motion, cuts, contrast change and colour, `[F]` about [-1.1, 1.1], before smoothing."""
    brightness, saturation = _standardise(state)
    colour = AROUSAL_OF_BRIGHTNESS * brightness + AROUSAL_OF_SATURATION * saturation
    colour = np.tanh(COLOUR_SLOPE * colour + HUE_WEIGHT * _towards(AROUSING_HUE_DEGREES, state))
    motion = 1 - np.exp(-state["motion"] / MOTION_CONSTANT)
    contrast_change = 1 - np.exp(-state["contrast_change"] / CONTRAST_CHANGE_CONSTANT)
    dynamics = (motion + cut_density(state) + contrast_change) / 3
    return np.asarray(DYNAMICS_SHARE * (2 * dynamics**DYNAMICS_EXPONENT - 1) + COLOUR_SHARE * colour)


def cut_density(state: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """exp(-shot length / constant) of Hanjalic & Xu, averaged over the shots in each second by their time in it.

    A film of a single shot has no cutting rhythm at all, however short it is: its density is 0.

    Args:
        state: the columns `cuts`, `first_cut_seconds` and `last_cut_seconds`, `[F]` each.

    Returns:
        `[F]` in [0, 1).
    """
    rows = len(state["cuts"])
    cuts = cut_times(state["cuts"], state["first_cut_seconds"], state["last_cut_seconds"])
    if not cuts:
        return np.zeros(rows)
    borders = np.array([0.0, *cuts, float(rows)])
    lengths = np.diff(borders)
    lengths[[0, -1]] = np.maximum(lengths[[0, -1]], OPEN_SHOT_SECONDS)
    density_of_shots = np.exp(-lengths / SHOT_CONSTANT_SECONDS)
    # time integral of the step function, read at whole seconds
    integral = np.concatenate([[0.0], np.cumsum(density_of_shots * np.diff(borders))])
    return np.diff(np.interp(np.arange(rows + 1), borders, integral))


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kaiser-weighted mean over 13 s around each row of `[F, 2]`, over what there is of it at the ends."""
    kernel = np.kaiser(SMOOTHING_SECONDS, KAISER_SHAPE)
    half = SMOOTHING_SECONDS // 2
    padded = np.pad(values, ((half, half), (0, 0)))
    weight = np.convolve(np.pad(np.ones(len(values)), half), kernel, mode="valid")
    smoothed = [np.convolve(padded[:, column], kernel, mode="valid") / weight for column in range(values.shape[1])]
    return np.stack(smoothed, axis=1)


def _standardise(state: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    brightness = (state["brightness"] - TYPICAL_BRIGHTNESS) / SPREAD_OF_BRIGHTNESS
    saturation = (state["saturation"] - TYPICAL_SATURATION) / SPREAD_OF_SATURATION
    return np.clip(brightness, -MOST_SPREADS, MOST_SPREADS), np.clip(saturation, -MOST_SPREADS, MOST_SPREADS)


def _towards(hue_degrees: float, state: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """How far the mean colour leans to a hue, `[F]` in [-1, 1]."""
    angle = np.deg2rad(hue_degrees)
    projection = (state["hue_cos"] * np.cos(angle) + state["hue_sin"] * np.sin(angle)) / FULL_HUE
    return np.asarray(np.clip(projection, -1, 1))
