"""What is asked of one film on the page, and how `studio.json` keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from narrascore.job import ScoreOptions
from narrascore.media.mix_settings import MixSettings
from narrascore.rendering import AudioMode
from narrascore.spans import parse_spans

Off = Literal["off"]
AUTO = "auto"


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
        cues: where there is music, such as `0:00-0:40; 1:10-2:00`; `auto` leaves it to spotting, nothing is everywhere.
    """

    prompt: str = ""
    seed: int = 0
    audio: AudioMode | None = None
    music_below_lu: float = 6.0
    duck_db: float = 8.0
    loudness: float | Off = "off"
    redo: tuple[tuple[float, float], ...] = ()
    take: int = 1
    cues: str = ""

    @property
    def cue_spans(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """The cues that are named, (start, stop) in seconds; none where they are proposed, or music is everywhere.

        Raises:
            UsageError: if they cannot be read.
        """
        # As people write them, and as the page shows them: with dashes, with commas.
        text = self.cues.replace("\N{EN DASH}", "-").replace(",", ";")
        return () if text.strip().lower() in ("", AUTO) else parse_spans(text)

    def options(self, cues_path: Path | None = None) -> ScoreOptions:
        """As a job understands it. Windows that another version composed are gone on from: a page asks no questions.

        Args:
            cues_path: the table of the cues that are named.

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
            cues_path=cues_path,
            spot="auto" if self.cues.strip().lower() == AUTO else None,
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
