"""The embedded eye: colour, light, motion and cutting rhythm, second by second, from the pixels alone.

It looks at eight pictures a second, 128 pixels high, each averaged down to 64 before it is measured: a shot of a
quarter of a second still shows up as two pictures, brisk motion still leaves neighbours alike, 128 pixels are enough
for the keyframes, and all measures of a picture together take a fraction of the time of decoding it.

Nothing here is scaled by the film: a second reads the same in any film of any length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrascore.media.film import Film
from narrascore.perception.keyframes import KeyframePicker
from narrascore.perception.reading import FilmReading

RATE_HZ = 8
HEIGHT = 128

STATE_NAMES = (
    "motion",  # 1 - r of neighbouring pictures within a shot (the visual activity of Cutting, Brunick & DeLong 2011)
    "cuts",  # hard cuts in this second
    "first_cut_seconds",  # from the second's start to its first cut, 0 without one
    "last_cut_seconds",  # ... to its last cut
    "brightness",  # mean of gamma-coded luma, 0 to 1: close to Munsell value / 10
    "contrast",  # its standard deviation over the picture
    "contrast_change",  # by how much brightness and contrast moved in this second, up and down added up
    "saturation",  # mean of max(R, G, B) - min(R, G, B), 0 to 1: stands for Munsell chroma
    "hue_cos",  # mean colour vector: towards red (0 degrees) ...
    "hue_sin",  # ... and towards yellow-green (90 degrees); its length is the saturation where all hues agree
    "colour_variance",  # how far the pixels' colour vectors spread around that mean
)

# A cut is a picture unlike the one before, in a neighbourhood that changes far less. A whip pan (high, high, high) and
# a flash (high on its first and on its last picture) have no such peak, so they count as motion and contrast change.
#
#   change   pan  ▆▇▆▇▆▆      flash  ▁▁██▁▁      cut  ▁▂█▂▁▁
# The change is 1 - r plus RECOLOURING times the mean distance by which colour values moved: structure alone misses a
# cut inside fast motion, colour alone one between two shots of the same place. A lamp that is switched on moves every
# value but keeps the structure, so it is no cut.
RECOLOURING = 8.0
CUT_CHANGE = 0.6
CUT_PEAK = 1.5
CUT_STRUCTURE = 0.3

FLAT_CONTRAST = 0.03  # below it a picture has no structure to compare, so its colours alone decide
NOISE = (3.0 / 255) ** 2  # luma variance that counts as noise, so that grain on a dark wall is not motion


class CinematicEye:
    """Reads a film in one pass with memory that does not grow with it, but for 11 numbers a second."""

    name = "cinematic"

    def read(self, film: Film, progress: Callable[[float], None] | None = None) -> FilmReading:
        """Watch the film once.

        Args:
            film: opened, and read once from its start to its end.
            progress: called about once a film second with the share that is done, in [0, 1].

        Returns:
            States `[F, 11]` in the order of `STATE_NAMES`, and keyframes 128 pixels high.
        """
        duration_seconds = max(float(film.duration_seconds), 1 / RATE_HZ)
        picker = KeyframePicker()
        seconds = _Seconds()
        before: _Look | None = None
        for index, frame in enumerate(film.frames(RATE_HZ, height=HEIGHT)):
            look = _look(frame.image)
            seconds.add(look, _compare(before, look))
            if index % RATE_HZ == 0:
                picker.offer(frame.seconds, frame.image)
                if progress is not None:
                    progress(min(1.0, index / RATE_HZ / duration_seconds))
            before = look
        if progress is not None:
            progress(1.0)
        return FilmReading(seconds.finish(), self.name, picker.keyframes())

    def describe(self) -> dict[str, object]:
        """What its states depend on, for caches and for the probes that are trained on them."""
        return {"eye": self.name, "rate_hz": RATE_HZ, "height": HEIGHT, "states": list(STATE_NAMES)}


def cut_times(
    counts: NDArray[np.floating], first_seconds: NDArray[np.floating], last_seconds: NDArray[np.floating]
) -> list[float]:
    """Film times of the hard cuts, in order, from three columns of the states, `[F]` each; cuts between the first and
    the last of a second are taken as evenly spaced."""
    return [
        second + float(at)
        for second, (count, first, last) in enumerate(zip(counts, first_seconds, last_seconds, strict=True))
        for at in np.linspace(first, last, int(count))
    ]


class _Look(NamedTuple):
    """One picture's measures."""

    luma: NDArray[np.float64]  # [P], 0 to LUMA_RANGE
    colour_shares: NDArray[np.float64]  # [3, 32] cumulative histogram of R, G, B
    measures: NDArray[np.float64]  # [6] brightness, contrast, saturation, hue_cos, hue_sin, colour_variance


class _Step(NamedTuple):
    """What changed from one picture to the next."""

    change: float  # how unlike they are, in the way that a cut makes them
    motion: float  # 1 - r
    contrast_change: float


# Rows: Rec. 709 luma; the colour vector of the hue hexagon, whose angle is the hue and whose length the saturation.
# In whole numbers, so that sums are exact in float64 and the same in any order: on any machine, with any threads.
MIXES = np.array([[54.0, 183.0, 19.0], [2.0, -1.0, -1.0], [0.0, 1.0, -1.0]])
LUMA_RANGE = 256.0 * 255
COS_RANGE, SIN_RANGE = 2.0 * 255, 255 / np.sqrt(0.75)


def _look(image: NDArray[np.uint8]) -> _Look:
    channels = _halve(image)
    pixels = channels.shape[1]
    mixed = MIXES @ channels.astype(np.float64)
    means = mixed.sum(axis=1) / pixels
    variances = np.array([row @ row for row in mixed]) / pixels - means**2
    saturation = int(channels.max(axis=0).sum()) - int(channels.min(axis=0).sum())
    measures = np.array(
        [
            means[0] / LUMA_RANGE,
            np.sqrt(max(variances[0], 0.0)) / LUMA_RANGE,
            saturation / pixels / 255,
            means[1] / COS_RANGE,
            means[2] / SIN_RANGE,
            variances[1] / COS_RANGE**2 + variances[2] / SIN_RANGE**2,
        ]
    )
    bins = (channels >> 3) + np.array([[0], [32], [64]], dtype=np.uint16)
    counts = np.bincount(bins.ravel(), minlength=96).reshape(3, 32)
    return _Look(mixed[0], np.cumsum(counts, axis=1) / pixels, measures)


def _halve(image: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Mean of 2 x 2 pixels, as `[3, P]` channels; a picture of one pixel a side stays as it is."""
    height, width = (side // 2 for side in image.shape[:2])
    if height == 0 or width == 0:
        return np.ascontiguousarray(image.reshape(-1, 3).T, dtype=np.uint16)
    pairs = image[: 2 * height : 2, : 2 * width].astype(np.uint16)
    pairs += image[1 : 2 * height : 2, : 2 * width]
    halved = np.empty((3, height, width), dtype=np.uint16)
    np.add(pairs[:, ::2].transpose(2, 0, 1), pairs[:, 1::2].transpose(2, 0, 1), out=halved)
    halved >>= 2
    return halved.reshape(3, -1)


def _compare(before: _Look | None, now: _Look) -> _Step:
    if before is None or len(before.luma) != len(now.luma):
        return _Step(0.0, 0.0, 0.0)
    contrasts = float(before.measures[1]), float(now.measures[1])
    covariance = float(before.luma @ now.luma) / len(now.luma) / LUMA_RANGE**2 - before.measures[0] * now.measures[0]
    # NOISE pulls r towards 1, the more so the flatter the pictures are
    motion = 1 - (covariance + NOISE) / (contrasts[0] * contrasts[1] + NOISE)
    # between two cumulative histograms lies the distance that the values moved, as a share of their range
    change = RECOLOURING * float(np.abs(now.colour_shares - before.colour_shares).mean())
    if min(contrasts) >= FLAT_CONTRAST:
        change = change + motion if motion > CUT_STRUCTURE else motion
    contrast_change = np.abs(now.measures[:2] - before.measures[:2]).sum()
    return _Step(change, min(max(motion, 0.0), 1.0), float(contrast_change))


class _Seconds:
    """Gathers pictures into seconds; one step behind, for a cut is known by the step after it."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.float32]] = []
        self._changes = [0.0, 0.0]  # of the step before the waiting one, and of the waiting one
        self._waiting: tuple[_Look, _Step] | None = None
        self._count = 0  # pictures that left the waiting place
        self._start()

    def add(self, look: _Look, step: _Step) -> None:
        """Take in the next picture and what changed towards it."""
        self._settle(step.change)
        self._changes = [self._changes[1], step.change]
        self._waiting = look, step

    def finish(self) -> NDArray[np.float32]:
        """`[F, 11]`; a film without a single picture is one second of black."""
        self._settle(0.0)
        if self._pictures or not self._rows:
            self._close()
        return np.stack(self._rows)

    def _start(self) -> None:
        self._measures = np.zeros(6)
        self._contrast_change = 0.0
        self._motion: list[float] = []
        self._cuts: list[float] = []
        self._pictures = 0

    def _settle(self, change_after: float) -> None:
        if self._waiting is None:
            return
        look, step = self._waiting
        is_cut = step.change > max(CUT_CHANGE, CUT_PEAK * self._changes[0], CUT_PEAK * change_after)
        self._measures += look.measures
        self._contrast_change += step.contrast_change
        if is_cut:
            self._cuts.append((self._count % RATE_HZ) / RATE_HZ)
        elif self._count > 0:
            self._motion.append(step.motion)
        self._pictures += 1
        self._count += 1
        self._waiting = None
        if self._pictures == RATE_HZ:
            self._close()

    def _close(self) -> None:
        brightness, contrast, saturation, cos, sin, variance = self._measures / max(self._pictures, 1)
        contrast_change = self._contrast_change * RATE_HZ / max(self._pictures, 1)
        motion = float(np.mean(self._motion)) if self._motion else 0.0
        first, last = (self._cuts[0], self._cuts[-1]) if self._cuts else (0.0, 0.0)
        row = (motion, len(self._cuts), first, last, brightness, contrast, contrast_change, saturation, cos, sin)
        self._rows.append(np.array([*row, variance], dtype=np.float32))
        self._start()
