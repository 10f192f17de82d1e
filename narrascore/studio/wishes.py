"""What is asked of one film on the page, and how `studio.json` keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from narrascore.job import ScoreOptions
from narrascore.media.mix_settings import MixSettings
from narrascore.rendering import AudioMode

Off = Literal["off"]


@dataclass(frozen=True)
class Wish:
    """What a job is asked; the curve is no part of it, since it is edited in the job folder itself.

    Attributes:
        prompt: the music asked for; empty leaves it to the film.
        seed: another seed is another take of the whole film.
        audio: what is done with the film's own sound; None is the film's own default.
        music_below_lu, duck_db, loudness: of the mix; see `MixSettings`.
        redo: spans (start, stop), in seconds, that are drawn again. They stay drawn once that is done, so a finished
            job forgets them.
        take: which draw of them.
    """

    prompt: str = ""
    seed: int = 0
    audio: AudioMode | None = None
    music_below_lu: float = 6.0
    duck_db: float = 8.0
    loudness: float | Off = "off"
    redo: tuple[tuple[float, float], ...] = ()
    take: int = 1

    def options(self) -> ScoreOptions:
        """As a job understands it. Windows that another version composed are gone on from: a page asks no questions.

        Raises:
            ValueError: if a number makes no sense.
        """
        mix = MixSettings(music_below_lu=self.music_below_lu, duck_db=self.duck_db, loudness=self.loudness)
        return ScoreOptions(
            audio=self.audio,
            mix=mix,
            prompt=self.prompt,
            seed=self.seed,
            redo=tuple((Fraction(start), Fraction(stop)) for start, stop in self.redo),
            take=self.take,
            engine_change=True,
        )

    def done(self) -> Wish:
        """What is left of it once a job has finished."""
        return replace(self, redo=(), take=1)

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Wish:
        return cls(**{**plain, "redo": tuple((start, stop) for start, stop in plain["redo"])})
