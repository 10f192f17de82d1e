"""What music the whole film asks for, read from its affect, pace and palette: paper 3.4 without a language model.

Every word comes from `narrascore.lexicon`, so the embedded music model knows it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.lexicon import STYLES, Style, nearest_mood, nearest_pace
from narrascore.perception.cinematic import STATE_NAMES
from narrascore.perception.reading import FilmReading

PALETTE_WEIGHT = 0.25  # a palette that fits or not moves a style by at most this much on the valence-arousal plane


@dataclass(frozen=True)
class Palette:
    """How a film looks and moves, each in [-1, 1]; or how a style likes its films to, 0 where it does not mind."""

    dark: float = 0.0
    colourful: float = 0.0
    warm: float = 0.0  # red and orange against blue
    cutting: float = 0.0


# Conventions of film genres, not measurements: low-key and grey for noir and suspense, cold light for electronic
# scores, full colour for comedy, and so on. Each style differs from its neighbours on the valence-arousal plane.
PALETTE_OF_STYLE: dict[str, Palette] = {
    "ambient": Palette(warm=-0.5, cutting=-1.0),
    "minimal": Palette(dark=-0.5, colourful=-1.0, cutting=-0.5),
    "romance": Palette(colourful=0.5, warm=1.0, cutting=-0.5),
    "drama": Palette(warm=0.5),
    "epic": Palette(colourful=0.5, cutting=-0.5),
    "action": Palette(dark=0.5, cutting=1.0),
    "suspense": Palette(dark=1.0, warm=-0.5, cutting=-0.5),
    "electronic": Palette(colourful=0.5, warm=-1.0, cutting=0.5),
    "noir": Palette(dark=1.0, colourful=-1.0),
    "folk": Palette(dark=-0.5, colourful=0.5, warm=0.5),
    "comedy": Palette(dark=-1.0, colourful=1.0, cutting=0.5),
    "rock": Palette(colourful=-0.5, cutting=1.0),
}


def conceive_anchor(reading: FilmReading, curve: AffectCurve) -> MusicalAnchor:
    """Choose genre, instruments, mood and pace for the whole film.

    The genre is the style with the smallest distance to the film's mean valence and arousal, less `PALETTE_WEIGHT`
    times how well its palette fits the film's; the instruments are those of the style, bent by the affect; the mood is
    the two words next to the mean, the pace the phrase next to the mean arousal. The same film gives the same words.

    Args:
        reading: of the cinematic eye.
        curve: the film's affect, of any rate.

    Raises:
        ValueError: if the reading is another eye's.
    """
    if reading.states.shape[1] != len(STATE_NAMES):
        raise ValueError(
            f"an anchor is conceived from the cinematic eye's {len(STATE_NAMES)} states: the eye {reading.eye!r} gave "
            f"{reading.states.shape[1]}"
        )
    valence, arousal = (float(mean) for mean in curve.values.mean(axis=0, dtype=np.float64))
    palette = read_palette(reading)
    name = choose_style(valence, arousal, palette)
    mood = nearest_mood(valence, arousal)
    second_mood = nearest_mood(valence, arousal, skip=frozenset({mood}))
    return MusicalAnchor(
        genre=STYLES[name].phrase,
        instruments=_join(choose_instruments(STYLES[name], valence, arousal)),
        mood=f"{mood} and {second_mood}",
        pace=nearest_pace(arousal),
        reader="cinematic",
        keyframe_seconds=tuple(seconds for seconds, _ in reading.keyframes),
        notes={
            "style": name,
            "overall": f"valence {valence:+.2f}, arousal {arousal:+.2f}",
            "palette": ", ".join(
                f"{axis} {value:+.2f}" for axis, value in zip(Palette.__annotations__, astuple(palette), strict=True)
            ),
        },
    )


def read_palette(reading: FilmReading) -> Palette:
    """The film's mean look on four axes, each squeezed into [-1, 1] by fixed constants."""
    state = dict(zip(STATE_NAMES, reading.states.mean(axis=0, dtype=np.float64), strict=True))
    warmth = state["hue_cos"] * np.cos(np.pi / 6) + state["hue_sin"] * np.sin(np.pi / 6)
    cuts_hz = state["cuts"]  # one in five seconds is ordinary, one in two seconds is quick
    return Palette(
        dark=float(np.tanh((0.36 - state["brightness"]) / 0.12)),
        colourful=float(np.tanh((state["saturation"] - 0.14) / 0.10)),
        warm=float(np.tanh(warmth / 0.08)),
        cutting=float(np.tanh((cuts_hz - 0.2) / 0.2)),
    )


def choose_style(valence: float, arousal: float, palette: Palette) -> str:
    """The style nearest by affect, its palette's fit counted in; the first of the lexicon where two are equal."""

    def distance(name: str) -> float:
        away = np.hypot(STYLES[name].affect[0] - valence, STYLES[name].affect[1] - arousal)
        return float(away - PALETTE_WEIGHT * _fit(PALETTE_OF_STYLE[name], palette))

    return min(STYLES, key=distance)


def choose_instruments(style: Style, valence: float, arousal: float) -> list[str]:
    """The style's melody, inner voice and bass, bent by the affect, with percussion where the film is lively.

    Calm films get slow strings and, if pleasant, a harp; tense ones tremolo strings. A style without strings keeps its
    own.
    """
    inner = style.palette["inner"]
    if inner == "strings" and arousal < -0.4:
        inner = "harp" if valence > 0.4 else "slow strings"
    if inner == "strings" and valence < -0.2 and arousal > 0.2:
        inner = "tremolo strings"
    chosen = [style.palette["melody"], inner, style.palette["bass"]]
    if arousal < 0 and style.palette["counter"] not in chosen:
        chosen.insert(1, style.palette["counter"])
    if arousal > 0.2:
        chosen.append(style.palette["percussion"])
    return list(dict.fromkeys(chosen))


def _fit(wanted: Palette, seen: Palette) -> float:
    """The mean product over the axes that a style minds, in [-1, 1]; 0 for one that minds none."""
    axes = [(want, see) for want, see in zip(astuple(wanted), astuple(seen), strict=True) if want]
    return float(sum(want * see for want, see in axes)) / max(len(axes), 1)


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
