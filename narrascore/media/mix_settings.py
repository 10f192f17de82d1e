"""What a user can choose about the mix; it loads nothing, so a command line may import it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Off = Literal["off"]


@dataclass(frozen=True)
class MixSettings:
    """How music goes under the film's own sound, and how loud the whole is.

    Attributes:
        track: which of the film's sound tracks is mixed, counted from 0.
        music_below_lu: where nothing ducks it, the music lies this far below the film's sound, both as integrated
            loudness.
        duck_db: how far the music gives way to speech and effects. With the 6 LU above it is then 14 LU under speech;
            at least 10 are recommended (Torcoli et al., JAES 67 (12), 2019).
        gentle_duck_db: how far it gives way where the film has music of its own, if that is less.
        threshold_lu: sound this far below the film's integrated loudness begins to duck; 6 LU above that it does so in
            full.
        attack_seconds: the music has gone down when a sound begins: it starts this long before.
        hold_seconds: stays down over pauses this short.
        release_seconds: then takes this long back up from the full depth.
        fade_in_seconds, fade_out_seconds: of the music at the film's ends; `music.wav` has a last second of its own.
        loudness: LUFS that the whole is brought to. "off" leaves the film's sound as loud as it was; music that stands
            alone then has -16 LUFS.
        true_peak_dbtp: no peak of the whole, between samples too, gets over it. AAC then adds next to nothing
            to speech and chords, and half a decibel to bursts of full-band noise, the most that was measured.

    Raises:
        ValueError: if a number makes no sense.
    """

    track: int = 0
    music_below_lu: float = 6.0
    duck_db: float = 8.0
    gentle_duck_db: float = 3.0
    threshold_lu: float = 15.0
    attack_seconds: float = 0.3
    hold_seconds: float = 0.4
    release_seconds: float = 1.0
    fade_in_seconds: float = 0.0
    fade_out_seconds: float = 0.0
    loudness: float | Off = "off"
    true_peak_dbtp: float = -1.0

    def __post_init__(self) -> None:
        if self.loudness != "off" and not -40 <= self.loudness <= -8:
            raise ValueError(f"mix.loudness is off or from -40 to -8 LUFS, often -14, -16, -23 or -24: {self.loudness}")
        if not -12 <= self.true_peak_dbtp <= 0:
            raise ValueError(f"mix.true_peak_dbtp lies in [-12, 0]; EBU R 128 has -1: got {self.true_peak_dbtp}")
        if self.track < 0:
            raise ValueError(f"mix.track counts from 0: got {self.track}")
        for name in (
            "duck_db",
            "gentle_duck_db",
            "attack_seconds",
            "hold_seconds",
            "release_seconds",
            "fade_in_seconds",
            "fade_out_seconds",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"mix.{name} must not be negative: got {getattr(self, name)}")
