"""Small films drawn by rule, whose affect is therefore known: for tests, for a first training, for checking the path.

Coloured figures drift over a plain ground, shot after shot. Every second is drawn from its own (valence, arousal),
which is its label. What the rule says, and what each part stands for:

    arousal   speed of the figures      motion excites (Detenber, Simons & Reiss 2000; Hanjalic & Xu 2005)
              length of the shots       brisk cutting excites (Hanjalic & Xu 2005), from 8 s down to 1 s
              flicker of the light      change of light is the picture's own loudness
              number of figures         crowded pictures arouse more than empty ones (Berlyne 1971)
              contrast of the figures   flat light calms, harsh light excites (Zettl, Sight Sound Motion, 1973)
    valence   hue                       blue is the most pleasant, yellow-green the least (Valdez & Mehrabian 1994)
              saturation                pleasure rises with it (likewise)
              outline of the figures    round ones please, jagged ones do not (Bar & Neta 2006)
    neither   brightness                each shot has its own, drawn apart from the curve; flicker goes evenly up and
                                        down around it. Speeds, hues and the rest stray a little from shot to shot too

Colours are luma plus a chroma that has none, so the mean brightness of a second is exactly what was drawn for its
shot: whoever looks at brightness alone learns nothing. It is a rule, not a feeling: nobody watched these films.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrascore.data.films import FILMS_FILE, LABELS_FILE, LabelledFilm, write_films
from narrascore.media.drawn import write_pictures

WIDTH, HEIGHT, RATE_HZ = 96, 64, 8
RULE = 1
"""Part of every film's name: another rule makes other films."""

LUMA = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709
BRIGHTNESS = (0.33, 0.56)
UNPLEASANT_HUE, PLEASANT_HUE = 70.0, 240.0  # degrees: yellow-green over green and cyan to blue
SHOT_SECONDS = (8.0, 1.0)  # at arousal -1 and 1
SPEED = (1.0, 56.0)  # pixels a second
FIGURES = (2, 9)
CONTRAST = (0.3, 2.0)  # times a figure's own
FLICKER = 0.06  # up and down, at arousal 1
SHUTTER_STEPS = 3  # places within a picture's time over which a moving figure is smeared

Map = NDArray[np.float64]


def make_films(
    folder: str | Path, count: int, seconds: int, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> list[LabelledFilm]:
    """Draw a set of films with their labels; those that are there already are kept, so a stopped call goes on.

    Of five films three are for training, one for validation and one for the test. The name of a film says what it was
    drawn from, so two calls with other settings do not disturb each other's films; `films.json` lists the last call's.

    Args:
        folder: made if need be.
        count: films, at least 5 for each split to have one.
        seconds: of each.
        seed: another seed is other films.
        progress: told (films done, films in all).

    Returns:
        The films, as `read_films(folder)` gives them.
    """
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    films = []
    for index in range(count):
        name = f"made{RULE}-{seed}-{index:03d}-{seconds}s"
        curve = draw_curve(seconds, f"{seed}/{index}")
        path = folder / f"{name}.mp4"
        if not path.is_file():
            write_pictures(path, draw_pictures(curve, f"{seed}/{index}"), RATE_HZ)
        split = ("train", "train", "train", "validation", "test")[index % 5]
        films.append(LabelledFilm(name, path, curve, split))
        if progress is not None:
            progress(index + 1, count)
    # Whole files are moved in, labels first, so that another process never reads half a set.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".set-") as fresh:
        write_films(fresh, films)
        for file in (LABELS_FILE, FILMS_FILE):
            (Path(fresh) / file).replace(folder / file)
    return films


def draw_curve(seconds: int, seed: str) -> NDArray[np.float32]:
    """Valence and arousal of each second, `[seconds, 2]` in [-1, 1]: slow waves about a level, some with one turn.

    The two are drawn apart from each other, so neither tells the other.
    """
    curve = np.empty((seconds, 2), dtype=np.float32)
    for column, dimension in enumerate(("valence", "arousal")):
        random = _random(f"{seed}/{dimension}")
        time = np.arange(seconds) + 0.5
        waves = [random.uniform(0.3, 0.8) * np.sin(2 * np.pi * (time / random.uniform(12, 60) + random.random()))
                 for _ in range(2)]  # fmt: skip
        turn = random.choice([-1.0, 0.0, 1.0]) * (time > random.uniform(0.2, 0.8) * seconds)
        level = random.uniform(-0.5, 0.5)
        curve[:, column] = np.clip(level + np.sum(waves, axis=0) + turn - turn.mean(), -1, 1)
    return curve


def draw_pictures(curve: NDArray[np.float32], seed: str) -> Iterator[NDArray[np.uint8]]:
    """The film of a curve, `RATE_HZ` pictures `[HEIGHT, WIDTH, 3]` a second."""
    random = _random(f"{seed}/pictures")
    shot, age_seconds = _Shot.draw(random), 0.0
    for valence, arousal in curve.astype(np.float64):
        figures = [figure.outlined(valence) for figure in shot.figures]
        for tick in range(RATE_HZ):
            if age_seconds >= shot.patience * _between(SHOT_SECONDS, arousal, geometric=True):
                shot, age_seconds = _Shot.draw(random), 0.0
                figures = [figure.outlined(valence) for figure in shot.figures]
            shot.move(_between(SPEED, arousal, geometric=True) / RATE_HZ)
            yield _paint(shot, figures, valence, arousal, tick)
            age_seconds += 1 / RATE_HZ


@dataclass
class _Figure:
    """One figure of a shot; its outline follows the valence, its place the arousal."""

    size: float  # mean radius in pixels
    points: int
    turn: float  # radians
    way: Map  # [2] direction, a unit vector
    place: Map  # [2] row and column of its middle
    luma: float  # brighter or darker than the ground by this
    hue_offset: float  # degrees

    def outlined(self, valence: float) -> Map:
        """`[S, S]` of 0 and 1: a disc at valence 1, a star with long points at -1."""
        reach = int(np.ceil(1.6 * self.size))
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        angle = self.points * (np.arctan2(rows, columns) + self.turn) / (2 * np.pi)
        teeth = 4 * np.abs(angle - np.floor(angle) - 0.5) - 1  # a zigzag from -1 to 1 around the middle
        return np.asarray(np.hypot(rows, columns) <= self.size * (1 + 0.3 * (1 - valence) * teeth), dtype=np.float64)


@dataclass
class _Shot:
    """What stays the same until the next cut."""

    figures: list[_Figure]
    brightness: float
    hue_offset: float  # degrees
    saturation_offset: float
    patience: float  # how many times as long as usual it lasts
    haste: float  # how many times as fast as usual its figures are
    flicker: float  # how much of the usual flicker it has
    step: float = 0.0  # pixels moved towards the present picture

    @classmethod
    def draw(cls, random: np.random.Generator) -> _Shot:
        figures = []
        for _ in range(FIGURES[1]):
            way = random.uniform(0, 2 * np.pi)
            figures.append(
                _Figure(
                    size=random.uniform(6, 10),
                    points=int(random.integers(5, 9)),
                    turn=random.uniform(0, 2 * np.pi),
                    way=np.array([np.sin(way), np.cos(way)]),
                    place=random.uniform((0, 0), (HEIGHT, WIDTH)),
                    luma=random.choice([-1, 1]) * random.uniform(0.05, 0.085),
                    hue_offset=random.uniform(-12, 12),
                )
            )
        return cls(
            figures,
            brightness=random.uniform(*BRIGHTNESS),
            hue_offset=random.uniform(-15, 15),
            saturation_offset=random.uniform(-0.1, 0.1),
            patience=random.uniform(0.7, 1.3),
            haste=random.uniform(0.6, 1.6),
            flicker=random.uniform(0.3, 1),
        )

    def move(self, step: float) -> None:
        self.step = self.haste * step
        for figure in self.figures:
            figure.place = figure.place + self.step * figure.way


def _paint(shot: _Shot, outlines: list[Map], valence: float, arousal: float, tick: int) -> NDArray[np.uint8]:
    """One picture; tick counts within its second, and the light goes up and down by turns."""
    saturation = 0.55 + 0.35 * valence + shot.saturation_offset
    hue = UNPLEASANT_HUE + (PLEASANT_HUE - UNPLEASANT_HUE) * (valence + 1) / 2 + shot.hue_offset
    picture = np.empty((HEIGHT, WIDTH, 3))
    picture[:] = 0.5 * saturation * _chroma(hue)
    count = round(_between(FIGURES, arousal))
    for figure, outline in zip(shot.figures[:count], outlines, strict=False):
        reach = len(outline) // 2
        cover = np.zeros((HEIGHT, WIDTH))
        for part in range(SHUTTER_STEPS):
            row, column = np.rint(figure.place - figure.way * shot.step * part / SHUTTER_STEPS).astype(int)
            rows = np.arange(row - reach, row + reach + 1) % HEIGHT
            columns = np.arange(column - reach, column + reach + 1) % WIDTH
            cover[np.ix_(rows, columns)] += outline / SHUTTER_STEPS
        colour = _between(CONTRAST, arousal) * figure.luma + saturation * _chroma(hue + figure.hue_offset)
        picture += cover[:, :, None] * (colour - picture)
    flicker = shot.flicker * FLICKER * (arousal + 1) / 2 * (1 if tick % 2 else -1)
    picture += shot.brightness + flicker - (picture @ LUMA).mean()
    return np.asarray(np.clip(np.rint(255 * picture), 0, 255), dtype=np.uint8)


def _chroma(hue_degrees: float) -> Map:
    """`[3]`: a colour's offset from grey of the same luma, small enough never to leave the range of a picture."""
    turn = (hue_degrees / 60 + np.array([0.0, 4.0, 2.0])) % 6
    colour = np.clip(np.abs(turn - 3) - 1, 0, 1)
    return np.asarray(0.20 * (colour - colour @ LUMA))


def _between(ends: tuple[float, float], affect: float, *, geometric: bool = False) -> float:
    """From the first end at -1 to the second at 1, in equal differences or in equal ratios."""
    share = (affect + 1) / 2
    if geometric:
        return float(ends[0] * (ends[1] / ends[0]) ** share)
    return float(ends[0] + (ends[1] - ends[0]) * share)


def _random(seed: str) -> np.random.Generator:
    digest = hashlib.sha256(f"narrascore made film {RULE} {seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
