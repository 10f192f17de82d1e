"""A film's music and everything it came from, as a value to look at, change and save."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.composition import Composition
from narrascore.cues import Cue, to_csv, whole_film
from narrascore.files import write_text
from narrascore.media.film import Film
from narrascore.media.mix_settings import MixSettings
from narrascore.perception.reading import FilmReading
from narrascore.rendering import (
    AudioMode,
    default_audio,
    plan_mix,
    write_midi,
    write_music,
    write_scored_film,
    write_stems,
)
from narrascore.spans import overlap
from narrascore.stems import load_separator, write_sound_stems
from narrascore.synthesis.joining import Patch
from narrascore.units import WindowStore, environment

if TYPE_CHECKING:
    from narrascore.pipeline import Pipeline


@dataclass
class Score:
    """What `Pipeline.__call__` returns.

    A score is changed by its curve, and only the music that hears the change is composed again:

        louder = score.with_curve(score.curve.hold(70, 85, arousal=0.9))

    Anything else goes through the pipeline's own stages again:

        score.codes = pipeline.compose(score.film.duration_seconds, score.curve, score.anchor, cues=score.cues, seed=1)

    Attributes:
        pipeline: what composed it, and renders it.
        film: what it was composed for.
        reading: what the eye saw.
        curve: where the emotion goes.
        anchor: what music was asked for.
        codes: `[K, T]`, the music as tokens.
        warnings: what the user should know about this film's score.
        cues: where there is music; None is everywhere. Other cues have to be composed first.
        seed: of the sampling.
        patches: where the curve was changed since, of music that is sound: new sound over that of the codes.
    """

    pipeline: Pipeline
    film: Film
    reading: FilmReading
    curve: AffectCurve
    anchor: MusicalAnchor
    codes: Tensor
    warnings: list[str] = field(default_factory=list)
    cues: tuple[Cue, ...] | None = None
    seed: int = 0
    patches: tuple[Patch, ...] = ()

    def with_curve(self, curve: AffectCurve) -> Score:
        """The same score under another curve, as a job makes it.

        What does not hear the change stays as it is, sample for sample; what does is composed again, and joined to the
        rest where both are most alike.
        """
        from narrascore.editing import Edit, heard_changes, make_edit  # which works with pipelines, as they with scores

        pipeline, total, duration = self.pipeline, self.codes.shape[1], self.film.duration_seconds
        cues = pipeline.cue_frames(self.cues, total)
        changes = tuple(overlap(heard_changes(pipeline, self.curve, curve, total), cues))
        if changes == cues:
            codes = pipeline.compose(
                duration, curve, self.anchor, cues=self.cues, seed=self.seed, film_key=self.film.key
            )
            return replace(self, curve=curve, codes=codes, patches=())
        kept = Composition("", self.curve, self.codes, patches=self.patches, cues=cues)
        with TemporaryDirectory(prefix="narrascore-") as folder:
            made_in = environment(pipeline.musicgen)
            steps = make_edit(
                pipeline, kept, Edit("curve", changes), curve, self.anchor, name=f"{self.seed}/{self.film.key}",
                store_of=lambda span: WindowStore(Path(folder) / str(span), made_in),
                row_of=lambda store, window: store.row(window.index),
            )  # fmt: skip
            edited = pipeline.alone(steps)
        return replace(self, curve=curve, codes=edited.codes, patches=edited.patches)

    @property
    def sample_rate_hz(self) -> int:
        return self.pipeline.sample_rate_hz

    @property
    def audio(self) -> NDArray[np.float32]:
        """The music, `[C, N]`, as long as the film, rendered anew at each call; `blocks` holds less at a time."""
        return np.concatenate(list(self.blocks()), axis=1)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The music in blocks `[C, n]`, rendered anew at each call."""
        return self.pipeline.render(self.codes, self.anchor, self.film.duration_seconds, self.patches, cues=self.cues)

    def write_music(self, path: str | Path) -> Path:
        """Write the music as a 24-bit WAV, exactly as long as the film."""
        return write_music(Path(path), self.blocks(), self.pipeline.codec_for(self.anchor), self.film.duration_seconds)

    def write_midi(self, path: str | Path) -> Path:
        """Write the music as a MIDI file; a `UsageError` if the music model writes sound and not notes."""
        return write_midi(Path(path), self.pipeline.codec_for(self.anchor), self.codes)

    def write_stems(
        self, folder: str | Path, *, separation: str | Path = "htdemucs", offline: bool = False
    ) -> list[Path]:
        """Write one WAV per voice group of notes, or per source that Demucs, loaded from there, hears in sound.

        Raises:
            ModelUnavailableError: if the music is sound and Demucs' weights cannot be had.
        """
        folder = Path(folder)
        if self.pipeline.writes_notes:
            codec = self.pipeline.codec_for(self.anchor)
            return write_stems(folder, codec, self.codes, self.film.duration_seconds, self.cues)
        separator = load_separator(separation, offline=offline)
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".narrascore-") as temporary:
            music = self.write_music(Path(temporary) / "music.wav")
            return write_sound_stems(folder, music, separator)

    def write_film(self, path: str | Path, audio: AudioMode | None = None, settings: MixSettings | None = None) -> Path:
        """Write the film with its music; by default ducked under the film's own sound, where it has any."""
        path = Path(path)
        with TemporaryDirectory(dir=path.absolute().parent, prefix=".narrascore-") as folder:
            music = self.write_music(Path(folder) / "music.wav")
            mix = plan_mix(self.film, music, audio or default_audio(self.film), settings, self.cues)
            write_scored_film(mix, path)
        return path

    def save(self, folder: str | Path) -> Path:
        """Write `music.wav`, `curve.csv`, `anchor.json`, `cues.csv` and, with notes, `music.mid` into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.write_music(folder / "music.wav")
        write_text(folder / "curve.csv", self.curve.to_csv())
        write_text(folder / "anchor.json", self.anchor.to_json())
        write_text(folder / "cues.csv", to_csv(self.cues or whole_film(self.film.duration_seconds)))
        if self.pipeline.writes_notes:
            self.write_midi(folder / "music.mid")
        return folder

    def _repr_html_(self) -> str:
        """For notebooks; it holds `INLINE_SECONDS` of the music at most."""
        from narrascore.score_display import show_score

        return show_score(self)
