"""The note bank: every tone the score needs, rendered once from a sound font and kept.

A tone is dry and held: velocity, release, pan, room and limiter come later (performance.py, mixing.py). A shorter note
is the beginning of a longer one, since a tone does not know when it will end, so one rendering serves every length and
the samples do not depend on what was asked for before.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import InputError
from narrascore.synthesis.soundfont import SoundFont
from narrascore.synthesis.tone import play_zone
from narrascore.synthesis.zones import DRUM_BANK, Zone, find_zones

SAMPLE_RATE_HZ = 48_000
LONGEST_SECONDS = 16.0
"""No tone is longer; performance.py gives longer notes new bows."""
_LENGTHS = tuple(round(SAMPLE_RATE_HZ * seconds) for seconds in (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, LONGEST_SECONDS))
"""A tone is rendered this far at first and, when a longer one is asked for, from there on: kept tones are what takes
memory in a long film, and these steps keep a fifth more than is played, where doublings would keep two fifths."""
_LONGEST_SAMPLES = _LENGTHS[-1]
_REFERENCE_LEVEL = 0.1
"""Weighted root mean square that every instrument's loudest fifth of a second is brought to."""
_REFERENCE_DRUMS = (36, 38)
_LARGEST_TRIM_DB = 15.0
_STAND_INS = (48, 0)
"""Programs that replace one the font lacks: strings, then piano."""


@dataclass(frozen=True)
class Sound:
    """What plays a tone: a General MIDI program, or a drum kit (a program of channel 10)."""

    program: int
    drum: bool = False


class NoteBank:
    """Dry tones by (sound, pitch), with their loudness evened out between instruments.

    Args:
        soundfont: an opened font.
        budget_bytes: the tones kept; the least recently used go first and are rendered again when asked for.
    """

    def __init__(self, soundfont: SoundFont, budget_bytes: int = 192 * 1024**2) -> None:
        self.soundfont = soundfont
        self.budget_bytes = budget_bytes
        self.kept_bytes = 0
        self._tones: OrderedDict[tuple[Sound, int], tuple[int, NDArray[np.float32]]] = OrderedDict()
        self._trims: dict[Sound, tuple[Sound, float]] = {}

    def tone(self, sound: Sound, pitch: int, length_samples: int) -> NDArray[np.float32]:
        """The tone's first `length_samples` or fewer, if it dies away before: `[1 or 2, <= N]`, at the reference level.

        Two channels where the font puts parts of the tone in different places. Empty if the font has nothing there.
        """
        sound, trim = self._stand_in(sound)
        length_samples = min(length_samples, _LONGEST_SAMPLES)
        rendered, tone = self._tones.get((sound, pitch), (0, np.zeros((1, 0), np.float32)))
        if rendered >= length_samples:
            self._tones.move_to_end((sound, pitch))
            return tone[:, :length_samples]
        longer = next(samples for samples in _LENGTHS if samples >= length_samples)
        zones = self._zones(sound, pitch)
        last = min(_LONGEST_SAMPLES, max((zone.lasts_seconds for zone in zones), default=0) * SAMPLE_RATE_HZ)
        more = _render(zones, rendered, min(longer, math.ceil(last))) * np.float32(trim)
        tone = np.concatenate([tone, more], axis=1) if rendered else more
        self._keep((sound, pitch), longer if longer < last else _LONGEST_SAMPLES, tone)
        return tone[:, :length_samples]

    def forget(self) -> None:
        """Let go of all tones; they are rendered again when they are asked for."""
        self._tones.clear()
        self.kept_bytes = 0

    def _keep(self, key: tuple[Sound, int], rendered: int, tone: NDArray[np.float32]) -> None:
        if key in self._tones:
            self.kept_bytes -= self._tones.pop(key)[1].nbytes
        self._tones[key] = (rendered, tone)
        self.kept_bytes += tone.nbytes
        while self.kept_bytes > self.budget_bytes and len(self._tones) > 1:
            self.kept_bytes -= self._tones.popitem(last=False)[1][1].nbytes

    def _zones(self, sound: Sound, pitch: int) -> list[Zone]:
        return find_zones(self.soundfont, DRUM_BANK if sound.drum else 0, sound.program, pitch)

    def _stand_in(self, sound: Sound) -> tuple[Sound, float]:
        """The sound itself or, if the font lacks it, another; and the gain that brings it to the reference level."""
        if sound not in self._trims:
            for other in (sound, *(Sound(0 if sound.drum else program, sound.drum) for program in _STAND_INS)):
                level = self._level(other)
                if level > 1e-6:
                    largest = 10 ** (_LARGEST_TRIM_DB / 20)
                    self._trims[sound] = (other, min(max(_REFERENCE_LEVEL / level, 1 / largest), largest))
                    break
            else:
                if not sound.drum:
                    raise InputError(
                        f"sound font {self.soundfont.path.name}: neither program {sound.program} nor strings nor piano "
                        "sounds; give a General MIDI font"
                    )
                self._trims[sound] = (sound, 1.0)
        return self._trims[sound]

    def _level(self, sound: Sound) -> float:
        if sound.drum:
            return max(_weighted_level(_render(self._zones(sound, key), 0, SAMPLE_RATE_HZ)) for key in _REFERENCE_DRUMS)
        low = sound.program in (*range(32, 40), 42, 43, 47, 57, 58, 67, 70)
        return _weighted_level(_render(self._zones(sound, 45 if low else 65), 0, 3 * SAMPLE_RATE_HZ // 2))


def _render(zones: list[Zone], start: int, stop: int) -> NDArray[np.float32]:
    """`[1 or 2, stop - start]` of one key held down since sample 0.

    A font's own pan counts only between the parts of one tone: where an instrument sits is the mixing desk's.
    """
    channels = 1 if len({zone.pan for zone in zones}) <= 1 else 2
    wave = np.zeros((channels, stop - start), np.float32)
    for zone in zones:
        angle = np.pi / 4 * (1 + zone.pan)
        sides = np.array([np.cos(angle), np.sin(angle)]) * np.sqrt(2) if channels == 2 else np.ones(1)
        wave += play_zone(zone, start, stop, SAMPLE_RATE_HZ) * sides[:, None].astype(np.float32)
    return wave


def _weighted_level(tone: NDArray[np.float32]) -> float:
    """Root mean square of the loudest 200 ms, with the ear's weighting in the manner of ITU-R BS.1770."""
    spectrum = np.fft.rfft(tone.astype(np.float64), axis=1)
    ratio = np.fft.rfftfreq(tone.shape[1], 1 / SAMPLE_RATE_HZ) / np.array([[60.0], [1_500.0]])
    low_cut, shelf = ratio**2 / (1 + ratio**2)
    weighted = np.fft.irfft(spectrum * low_cut * (1 + 0.58 * shelf), tone.shape[1], axis=1)
    windows = (weighted**2).mean(axis=0)[: tone.shape[1] // 4_800 * 4_800].reshape(-1, 4_800).mean(axis=1)
    return float(np.sqrt(((windows[:-1] + windows[1:]) / 2).max()))
