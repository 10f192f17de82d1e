"""What music the whole film asks for, read from its affect, pace and palette: paper 3.4 without a language model.

Every word of the music comes from `narrascore.lexicon`, so the embedded music model knows it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.lexicon import STYLES, Style, nearest_mood, nearest_pace
from narrascore.perception.anchor_settings import InstructionName
from narrascore.perception.cinematic import STATE_NAMES
from narrascore.perception.reading import FilmReading

PALETTE_WEIGHT = 0.25  # a palette that fits or not moves a style by at most this much on the valence-arousal plane
NAMED_FROM = 0.33  # a look further out than this on its axis is worth a word in a caption
LITTLE_MOTION, MUCH_MOTION = 0.02, 0.12  # a filmed talking head, and halfway to traffic close by


@dataclass(frozen=True)
class Palette:
    """How a film looks and moves, each in [-1, 1]; or how a style likes its films to, 0 where it does not mind."""

    dark: float = 0.0
    colourful: float = 0.0
    warm: float = 0.0  # red and orange against blue
    cutting: float = 0.0


NEUTRAL = Palette()
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


class CinematicAnchorReader:
    """Reads the anchor off the cinematic eye's states, by fixed rules.

    Args:
        instruction: `hmc` for the four musical fields, `plain` for a caption of how the film looks.
    """

    def __init__(self, instruction: InstructionName = "hmc") -> None:
        self.instruction = instruction

    def __call__(self, reading: FilmReading, curve: AffectCurve) -> MusicalAnchor:
        """What music the whole film asks for; the same film gives the same words."""
        if self.instruction == "hmc":
            anchor = conceive_anchor(reading, curve)
        else:
            anchor = MusicalAnchor(
                caption=describe_picture(reading),
                reader="cinematic",
                keyframe_seconds=tuple(seconds for seconds, _ in reading.keyframes),
                notes={"palette": _palette_note(read_palette(reading))},
            )
        return replace(anchor, notes={**anchor.notes, "instruction": self.instruction})

    def describe(self) -> dict[str, object]:
        """For the manifest."""
        return {"reader": "cinematic", "instruction": self.instruction}


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
    palette = read_palette(reading)
    anchor = conceive_from_curve(curve, palette)
    return replace(
        anchor,
        reader="cinematic",
        keyframe_seconds=tuple(seconds for seconds, _ in reading.keyframes),
        notes={**anchor.notes, "palette": _palette_note(palette)},
    )


def conceive_from_curve(curve: AffectCurve, palette: Palette = NEUTRAL) -> MusicalAnchor:
    """The same from the curve alone, whichever eye it came from, unless a palette is given."""
    valence, arousal = (float(mean) for mean in curve.values.mean(axis=0, dtype=np.float64))
    name = choose_style(valence, arousal, palette)
    mood = nearest_mood(valence, arousal)
    second_mood = nearest_mood(valence, arousal, skip=frozenset({mood}))
    return MusicalAnchor(
        genre=STYLES[name].phrase,
        instruments=_join(choose_instruments(STYLES[name], valence, arousal)),
        mood=f"{mood} and {second_mood}",
        pace=nearest_pace(arousal),
        reader="curve",
        notes={"style": name, "overall": f"valence {valence:+.2f}, arousal {arousal:+.2f}"},
    )


def describe_picture(reading: FilmReading) -> str:
    """A plain caption of how a film looks, without a word on music: the most that this eye can say.

    Raises:
        ValueError: if the reading is another eye's.
    """
    palette = read_palette(reading)
    motion = float(reading.states[:, STATE_NAMES.index("motion")].mean(dtype=np.float64))
    look = [
        _side(palette.dark, "bright", "dark"),
        _side(palette.colourful, "muted", "colourful"),
        _side(palette.warm, "cold-toned", "warm-toned"),
    ]
    words = ", ".join(word for word in look if word) or "plain"
    shots = _side(palette.cutting, "long shots", "short shots") or "shots of middling length"
    movement = "hardly any" if motion < LITTLE_MOTION else "a lot of" if motion > MUCH_MOTION else "some"
    return f"A {words} picture in {shots} with {movement} movement."


def read_palette(reading: FilmReading) -> Palette:
    """The film's mean look on four axes, each squeezed into [-1, 1] by fixed constants.

    Raises:
        ValueError: if the reading is another eye's.
    """
    if reading.states.shape[1] != len(STATE_NAMES):
        raise ValueError(
            f"a palette is read off the cinematic eye's {len(STATE_NAMES)} states: the eye {reading.eye!r} gave "
            f"{reading.states.shape[1]}"
        )
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


def _side(value: float, low: str, high: str) -> str:
    """The word for where a value in [-1, 1] lies, or none near the middle."""
    return high if value > NAMED_FROM else low if value < -NAMED_FROM else ""


def _palette_note(palette: Palette) -> str:
    return ", ".join(
        f"{axis} {value:+.2f}" for axis, value in zip(Palette.__annotations__, astuple(palette), strict=True)
    )


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
