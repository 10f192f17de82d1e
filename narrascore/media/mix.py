"""Music under the film's own sound: by how much, when it gives way, and how loud the whole may be.

film's sound --+--------------------------------- x film gain --+--> + --> limiter --> the mix
               '--> side chain --> duck --.                     |
music -----> x music gain --> x fades --> x ------> stem -------'
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from narrascore.media.ahead import ahead
from narrascore.media.audio import read_audio, read_wav, sound_track
from narrascore.media.duck import SideChain, Track, duck, gains_between
from narrascore.media.film import Film
from narrascore.media.limiter import MARGIN_DB, limited
from narrascore.media.loudness import Loudness, measure_loudness, rounded
from narrascore.media.mix_settings import MixSettings
from narrascore.media.samples import BLOCK_SAMPLES, SAMPLE_RATE_HZ, Block, channels_of, exactly, usual_layout
from narrascore.memory import return_freed_memory
from narrascore.windows import samples_of

Mode = Literal["duck", "mix", "replace"]
Levels = dict[str, float | str | list[float | None] | None]
Stretches = Sequence[tuple[Fraction | float, Fraction | float]]

QUIETEST_MUSIC_LUFS = -30.0
"""Under near-silent sound the music does not sink with it; under soft speech it then ducks deeper by as much."""

ALONE_LUFS = -16.0
"""Music without other sound: the level that streaming services bring music to."""

SILENT_LUFS = -50.0
"""Sound below this is room noise; the music is then treated as if it were alone."""

MAX_GAIN_DB = 30.0
"""More would amplify nothing but a noise floor."""

MAX_LIMITED_DB = 15.0
"""A limiter that takes more off than this flattens everything around a peak: the loudness is then given up instead."""

NEAR_ENOUGH_LU = 0.1
PASSES = 6
"""Limiting costs loudness, which more gain gives back; so many rounds at most are heard for it."""

# The encoder after us writes these as they are. Side speakers stand in the places of the back ones, in the same order.
_KEPT_LAYOUTS = {name: name for name in ("stereo", "2.1", "3.0", "quad", "4.0", "5.0", "5.1", "7.1")}
_KEPT_LAYOUTS |= {"5.0(side)": "5.0", "5.1(side)": "5.1"}


@dataclass(frozen=True, eq=False)
class Mix:
    """A mix whose levels are chosen and whose samples are made when they are read, as often as you like.

    Attributes:
        layout: FFmpeg's name of its channels; the film's own where it has left and right, else stereo.
        sample_rate_hz: of the blocks.
        samples: in all, to the film's picture.
        film_db, music_db: gains that hold all the way.
        duck_db: `[S + 1]`, the music's further gain at every edge between steps of 20 ms; None where it has none.
        ceiling_db: of the limiter; None where none is needed.
        levels: what was measured and chosen, for the manifest; None stands for silence.
        heard: (start, stop) in seconds of where there is music; None is everywhere. Elsewhere nothing is added to the
            film's sound, nor what a change of rate rings.
    """

    film: Film
    music: Path
    mode: Mode
    settings: MixSettings
    layout: str
    sample_rate_hz: int
    samples: int
    film_db: float
    music_db: float
    duck_db: Track | None
    ceiling_db: float | None
    levels: Levels
    heard: Stretches | None = None

    @property
    def channels(self) -> int:
        return channels_of(self.layout)

    def blocks(self, block_samples: int = BLOCK_SAMPLES) -> Iterator[Block]:
        """The mix, `[C, n]` float32 in [-1, 1], `samples` in all."""
        return self._limited(self._sum(block_samples), self.channels, block_samples)

    def music_blocks(self, block_samples: int = BLOCK_SAMPLES) -> Iterator[Block]:
        """The music as it is in the mix, `[2, n]`: with the film's sound at its gain it gives the mix, but for what
        the limiter takes off the peaks of both together."""
        return self._limited(self._music(block_samples), 2, block_samples)

    def measure(self, *, peaks: bool = True) -> Loudness:
        """Hear it through: its loudness and, unless they are of no interest, its true peak."""
        return measure_loudness(ahead(self.blocks()), self.sample_rate_hz, self.layout, peaks=peaks)

    def _limited(self, blocks: Iterator[Block], channels: int, block_samples: int) -> Iterator[Block]:
        if self.ceiling_db is None:
            return blocks
        return exactly(limited(blocks, channels, self.ceiling_db), channels, self.samples, block_samples)

    def _sum(self, block_samples: int) -> Iterator[Block]:
        music = self._music(block_samples)
        if self.mode == "replace":
            yield from music
            return
        sound = read_audio(
            self.film, self.settings.track, sample_rate_hz=self.sample_rate_hz, layout=self.layout,
            block_samples=block_samples,
        )  # fmt: skip
        for own, block in zip(sound, music, strict=True):
            mixed = own * np.float32(10 ** (self.film_db / 20))
            mixed[:2] += block  # every layout kept begins with left and right
            yield mixed

    def _music(self, block_samples: int) -> Iterator[Block]:
        read = read_wav(self.music, sample_rate_hz=self.sample_rate_hz, block_samples=block_samples)
        position = 0
        for block in exactly(read, 2, self.samples, block_samples):
            yield block * self._music_gain(position, block.shape[1])
            position += block.shape[1]

    def _music_gain(self, position: int, samples: int) -> Block:
        """The music's factor at every sample from `position` on, `[n]`."""
        gain = np.full(samples, 10 ** (self.music_db / 20), np.float32)
        at = np.arange(position, position + samples)
        for seconds, distance in (
            (self.settings.fade_in_seconds, at),
            (self.settings.fade_out_seconds, self.samples - 1 - at),
        ):
            fade = min(round(seconds * self.sample_rate_hz), self.samples // 2)
            if fade:
                gain *= (np.sin(np.pi / 2 * np.minimum(distance / fade, 1)) ** 2).astype(np.float32)
        if self.heard is not None:
            rate_hz = self.sample_rate_hz
            gain *= np.any([(round(a * rate_hz) <= at) & (at < round(b * rate_hz)) for a, b in self.heard], axis=0)
        if self.duck_db is not None:
            gain *= gains_between(self.duck_db, position, samples, self.sample_rate_hz)
        return gain


def mix_film(
    film: Film,
    music_wav: str | Path,
    mode: Mode = "duck",
    settings: MixSettings | None = None,
    *,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    heard: Stretches | None = None,
) -> Mix:
    """Choose the levels of music and film sound in passes over both, keeping neither in memory.

    - mix: the music's integrated loudness goes `music_below_lu` below the film sound's, but not under -30 LUFS. Where
      the film's sound is silent (below -50 LUFS), as in replace.
    - duck: the same, and the music gives way to speech and effects (duck.py).
    - replace: the music alone.
    - With a loudness in the settings the whole is brought to it by one gain, and by a limiter where peaks would pass
      the limit. Without one, the film's sound keeps its level, both are turned down together by as much as a peak would
      pass the limit, and music that stands alone is brought to -16 LUFS.

    5.1 stays 5.1 with the music in left and right; mono becomes stereo at equal loudness.

    Args:
        film: an opened film; a loudness that cannot be reached is among its warnings.
        music_wav: mono or stereo, any rate; cut or filled with silence to the film's length.
        mode: "duck", "mix" or "replace".
        settings: of the mix.
        sample_rate_hz: of the mix.
        heard: where there is music, as for `Mix`. The loudness of music is that of its cues: the measure's gate leaves
            silence out.

    Raises:
        InputError: if the film has no such track, or the music cannot be read.
        ValueError: for another mode.
    """
    if mode not in ("duck", "mix", "replace"):
        raise ValueError(f"mode must be 'duck', 'mix' or 'replace': got {mode!r}")
    settings = settings or MixSettings()
    layout, own, powers = "stereo", -math.inf, None
    if mode != "replace":
        found = sound_track(film, settings.track)
        layout = _KEPT_LAYOUTS.get(usual_layout(found.layout, found.channels), "stereo")
        sound = read_audio(film, settings.track, sample_rate_hz=sample_rate_hz, layout=layout)
        chain = SideChain(sample_rate_hz, layout)
        own = measure_loudness(chain.listen(sound), sample_rate_hz, layout, peaks=False).lufs
        powers = chain.powers
    is_alone = own < SILENT_LUFS
    samples = samples_of(film.duration_seconds, sample_rate_hz)
    flat = Mix(
        film, Path(music_wav), "replace", settings, "stereo", sample_rate_hz, samples, 0.0, 0.0, None, None, {}, heard
    )
    music = flat.measure(peaks=False).lufs
    under = own - settings.music_below_lu
    held_up_db = max(0.0, QUIETEST_MUSIC_LUFS - under)
    ducked = None
    if mode == "duck" and powers is not None and not is_alone:
        ducked = duck(powers, own, settings, deeper_db=held_up_db)
        return_freed_memory()  # of two hours it takes 40 MiB, which would lie beside what writing them takes
    under = ALONE_LUFS if is_alone else under + held_up_db
    music_db = min(under - music, MAX_GAIN_DB) if music > -math.inf else 0.0
    balanced = replace(flat, mode=mode, layout=layout, music_db=music_db, duck_db=ducked)
    target = settings.loudness if settings.loudness != "off" else ALONE_LUFS if is_alone else None
    mix, loudness, limited_db = _brought_to(balanced, target)
    levels: Levels = {
        "mode": mode,
        "layout": layout,
        "film_lufs": rounded(own) if mode != "replace" else None,
        "music_lufs": rounded(music),
        "film_gain_db": round(mix.film_db, 2) if mode != "replace" else None,
        "music_gain_db": round(mix.music_db, 2),
        "target_lufs": target,
        "mix_lufs": rounded(loudness.lufs),
        "mix_range_lu": round(loudness.range_lu, 1),
        "mix_true_peak_dbtp": rounded(loudness.true_peak_dbtp),
        "mix_momentary_lufs": loudness.over_time(),
        "limited_db": round(limited_db, 2),
    }
    if ducked is not None:
        levels["duck_deepest_db"] = round(float(ducked.min()), 2)
        levels["duck_mean_db"] = round(float(ducked.mean()), 2)
    return replace(mix, levels=levels)


def _brought_to(mix: Mix, target_lufs: float | None) -> tuple[Mix, Loudness, float]:
    """The mix at its final level, how loud it is, and how far its limiter goes down."""
    limit = mix.settings.true_peak_dbtp - 0.01  # the meter's peaks have three decimals
    before = mix.measure()
    if before.lufs == -math.inf:
        return mix, before, 0.0
    over_db = before.true_peak_dbtp - limit
    if target_lufs is None:
        return _turned(mix, min(0.0, -over_db), before)
    most_db = min(MAX_GAIN_DB, MAX_LIMITED_DB - over_db)
    gain_db = min(target_lufs - before.lufs, most_db)
    if over_db + gain_db <= 0:
        return _told(target_lufs, *_turned(mix, gain_db, before))
    mix = replace(_turned(mix, gain_db, before)[0], ceiling_db=limit - MARGIN_DB)
    loudness = mix.measure()
    for _ in range(PASSES):
        missing, over = target_lufs - loudness.lufs, loudness.true_peak_dbtp - limit
        if (abs(missing) <= NEAR_ENOUGH_LU or (missing > 0 and gain_db == most_db)) and over <= 0:
            break
        gain_db = min(gain_db + missing, most_db)
        lower_db = (mix.ceiling_db or 0.0) - max(0.0, over)
        mix = replace(_turned(mix, gain_db - mix.film_db, loudness)[0], ceiling_db=lower_db)
        loudness = mix.measure()
    return _told(target_lufs, mix, loudness, over_db + gain_db)


def _turned(mix: Mix, by_db: float, before: Loudness) -> tuple[Mix, Loudness, float]:
    turned = replace(mix, film_db=mix.film_db + by_db, music_db=mix.music_db + by_db)
    return turned, before.turned(by_db), 0.0


def _told(target_lufs: float, mix: Mix, loudness: Loudness, limited_db: float) -> tuple[Mix, Loudness, float]:
    if abs(loudness.lufs - target_lufs) > 0.5:
        mix.film.warn(f"the mix reaches {loudness.lufs:.1f} LUFS, not {target_lufs:g}: too quiet or too spiky")
    return mix, loudness, limited_db
