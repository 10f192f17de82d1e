"""Music under the film's own sound: by how much, and never above full scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from narrascore.media.audio import read_audio, read_wav, sound_track
from narrascore.media.film import Film
from narrascore.media.loudness import measure_loudness
from narrascore.media.samples import SAMPLE_RATE_HZ, Block, channels_of, exactly, usual_layout
from narrascore.windows import samples_of

Mode = Literal["mix", "replace"]

MUSIC_BELOW_LU = 6.0
"""Music that stays this far below the film's sound leaves speech in front and is still heard."""

QUIETEST_MUSIC_LUFS = -30.0
"""Under near-silent sound the music does not sink with it."""

ALONE_LUFS = -16.0
"""Music without other sound: the level that streaming services bring music to."""

SILENT_LUFS = -50.0
"""Sound below this is room noise; the music is then treated as if it were alone."""

MAX_TRUE_PEAK_DBTP = -1.0
"""EBU R 128: what leaves room for the lossy codec after us."""

MAX_GAIN_DB = 30.0
"""More would amplify nothing but the music's own noise floor."""

# The encoder after us writes these as they are. Side speakers stand in the places of the back ones, in the same order.
_KEPT_LAYOUTS = {name: name for name in ("stereo", "2.1", "3.0", "quad", "4.0", "5.0", "5.1", "7.1")}
_KEPT_LAYOUTS |= {"5.0(side)": "5.0", "5.1(side)": "5.1"}


@dataclass(frozen=True)
class Mix:
    """A mix whose levels are chosen and whose samples are made when they are read, as often as you like.

    Attributes:
        layout: FFmpeg's name of its channels; the film's own where it has left and right, else stereo.
        sample_rate_hz: of the blocks.
        samples: in all, to the film's picture.
        levels: what was measured and chosen, for the manifest; None stands for silence.
    """

    film: Film
    music: Path
    mode: Mode
    track: int
    layout: str
    sample_rate_hz: int
    samples: int
    film_gain: float
    music_gain: float
    levels: dict[str, float | str | None]

    @property
    def channels(self) -> int:
        return channels_of(self.layout)

    def blocks(self) -> Iterator[Block]:
        """The mix, `[C, n]` float32 in [-1, 1], `samples` in all."""
        music = exactly(read_wav(self.music, sample_rate_hz=self.sample_rate_hz), 2, self.samples)
        if self.mode == "replace":
            for block in music:
                yield block * np.float32(self.music_gain)
            return
        sound = read_audio(self.film, self.track, sample_rate_hz=self.sample_rate_hz, layout=self.layout)
        for own, block in zip(sound, music, strict=True):
            mixed = own * np.float32(self.film_gain)
            mixed[:2] += block * np.float32(self.music_gain)  # every layout kept begins with left and right
            yield mixed


def mix_film(
    film: Film,
    music_wav: str | Path,
    mode: Mode = "mix",
    *,
    track: int = 0,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    music_below_lu: float = MUSIC_BELOW_LU,
) -> Mix:
    """Choose the levels of music and film sound in passes over both, keeping neither in memory.

    - mix: the music's integrated loudness goes `music_below_lu` below the film sound's, but not under -30 LUFS; the
      film's sound keeps its level. Where the film's sound is silent (below -50 LUFS), as in replace.
    - replace: the music alone, at -16 LUFS.
    - Where the true peak would pass -1 dBTP, both are turned down together by as much.

    5.1 stays 5.1 with the music in left and right; mono becomes stereo at equal loudness.

    Args:
        film: an opened film.
        music_wav: mono or stereo, any rate; cut or filled with silence to the film's length.
        mode: "mix" or "replace".
        track: which of the film's sound tracks, counted from 0.
        sample_rate_hz: of the mix.
        music_below_lu: LU between film sound and music.

    Raises:
        InputError: if the film has no such track, or the music cannot be read.
        ValueError: for another mode.
    """
    if mode not in ("mix", "replace"):
        raise ValueError(f"mode must be 'mix' or 'replace': got {mode!r}")
    layout, own = "stereo", -math.inf
    if mode == "mix":
        found = sound_track(film, track)
        layout = _KEPT_LAYOUTS.get(usual_layout(found.layout, found.channels), "stereo")
        sound = read_audio(film, track, sample_rate_hz=sample_rate_hz, layout=layout)
        own = measure_loudness(sound, sample_rate_hz, layout).lufs
    samples = samples_of(film.duration_seconds, sample_rate_hz)
    music = exactly(read_wav(music_wav, sample_rate_hz=sample_rate_hz), 2, samples)
    alone = measure_loudness(music, sample_rate_hz, "stereo").lufs
    target = ALONE_LUFS if own < SILENT_LUFS else max(own - music_below_lu, QUIETEST_MUSIC_LUFS)
    music_db = min(target - alone, MAX_GAIN_DB) if alone > -math.inf else 0.0

    def at(film_db: float, music_db: float, levels: dict[str, float | str | None]) -> Mix:
        gains = (10 ** (film_db / 20), 10 ** (music_db / 20))
        return Mix(film, Path(music_wav), mode, track, layout, sample_rate_hz, samples, *gains, levels)

    full = measure_loudness(at(0.0, music_db, {}).blocks(), sample_rate_hz, layout)
    down_db = min(0.0, MAX_TRUE_PEAK_DBTP - full.true_peak_dbtp - 0.01)  # the meter's peaks have three decimals
    levels: dict[str, float | str | None] = {
        "mode": mode,
        "layout": layout,
        "film_lufs": _rounded(own) if mode == "mix" else None,
        "music_lufs": _rounded(alone),
        "film_gain_db": round(down_db, 2) if mode == "mix" else None,
        "music_gain_db": round(music_db + down_db, 2),
        "mix_lufs": _rounded(full.lufs + down_db),
        "mix_true_peak_dbtp": _rounded(full.true_peak_dbtp + down_db),
    }
    return at(down_db, music_db + down_db, levels)


def _rounded(decibels: float) -> float | None:
    return round(decibels, 2) if math.isfinite(decibels) else None
