"""One run on one film: what is asked for, what does it, and the folder it works in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from narrascore.cue_sound import Block
from narrascore.cues import Cue
from narrascore.directions import Direction
from narrascore.files import digest, replace_folder
from narrascore.manifest import Manifest
from narrascore.markers import Marker
from narrascore.media.film import STILL_SECONDS, Film
from narrascore.media.mix import Mix
from narrascore.media.mix_settings import MixSettings
from narrascore.perception.reading import CONFIG_FILE, STATES_FILE, FilmReading
from narrascore.pipeline import Pipeline
from narrascore.rendering import AudioMode, plan_mix
from narrascore.report import read_spectrogram
from narrascore.stems import Separator, load_separator
from narrascore.units import environment
from narrascore.workshop import Workshop

Progress = Callable[[str, float, float], None]
"""(stage, done, in all): `read` and `film` as shares, `compose` in frames, `render` in seconds."""


@dataclass(frozen=True)
class ScoreOptions:
    """What a user can ask for about one film.

    Attributes:
        output: the scored film's path, or a folder for it; by default beside the film.
        audio: by default `duck` where the film has sound, `replace` where it has none.
        mix: levels, ducking, fades and loudness.
        deliver: also write music and mix as WAV, and markers, into `deliver/`.
        prompt: the music asked for, instead of what the eye conceives.
        curve_path: a table of the curve, instead of what the eye reads.
        clip_curve: bring its values into [-1, 1] instead of refusing them.
        cues_path: a table of the cues: where there is music.
        spot: `auto` proposes them; by default there is music everywhere.
        still_seconds: how long a single picture is shown.
        curve_smoothing_seconds: smooth that curve by a Gaussian of this standard deviation, ...
        curve_gain, curve_offset: then stretch it about zero, then shift valence and arousal, within [-1, 1].
        markers_path: a table of markers; these bend the curve that is scored, whatever it comes from.
        at: what is asked of single stretches of the film.
        seed: another seed is another piece.
        stems: also one WAV per voice group of notes, or per source that Demucs hears in sound.
        separation: Demucs' weights for that: `htdemucs` from the hub, a file or a folder.
        offline: never ask the hub for them.
        force: make everything anew; what was there goes to `versions/N/`.
        redo: spans (start, stop), in seconds, whose music is drawn again; once done, they stay so.
        take: which draw of them; another take is other music.
        takes: how many takes of every window are drawn at once; the best is kept, and gone on from.
        keep_takes: the others are kept in `takes/`: their `codes` (and MIDI, of notes), or their `sound` too.
        part: (start, stop), in seconds: only the music of this part, beside that of the whole film.
        engine_change: go on from windows that were composed by another engine, version or processor.
        batch: how many windows, of different films, are composed in one batch. A film's music depends on the number in
            its last bits, not on the other films; an unfinished job goes on with the number that it began with.
        only_read: stop when curve and anchor are there; a later run goes on from them, edited or not.
    """

    output: Path | None = None
    audio: AudioMode | None = None
    mix: MixSettings = field(default_factory=MixSettings)
    deliver: bool = False
    prompt: str = ""
    curve_path: Path | None = None
    clip_curve: bool = False
    cues_path: Path | None = None
    spot: Literal["auto"] | None = None
    still_seconds: float = STILL_SECONDS
    curve_smoothing_seconds: float = 0.0
    curve_gain: float = 1.0
    curve_offset: tuple[float, float] = (0.0, 0.0)
    markers_path: Path | None = None
    at: tuple[Direction, ...] = ()
    seed: int = 0
    stems: bool = False
    separation: str = "htdemucs"
    offline: bool = False
    force: bool = False
    redo: tuple[tuple[Fraction, Fraction], ...] = ()
    take: int = 1
    takes: int = 1
    keep_takes: Literal["codes", "sound"] | None = None
    part: tuple[Fraction, Fraction] | None = None
    engine_change: bool = False
    batch: int = 1
    only_read: bool = False

    def describe(self) -> dict[str, object]:
        """For the manifest, as JSON holds it."""
        texts = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        spans = [[float(start), float(stop)] for start, stop in self.redo]
        at = [direction.describe() for direction in self.at]
        return {
            **texts,
            "at": at,
            "redo": spans,
            "part": None if self.part is None else [float(each) for each in self.part],
        }


@dataclass
class Run:
    """What every stage of a run works with.

    Attributes:
        shop: the job folder, which is locked.
        pipeline: the system.
        audio: what is done with the film's own sound.
        options: what is asked for.
        progress: told about every stage.
        rows: windows in a batch.
        markers: the user's.
        cues: where there is music, once that is settled.
    """

    shop: Workshop
    pipeline: Pipeline
    audio: AudioMode
    options: ScoreOptions
    progress: Progress | None = None
    rows: int = 1
    markers: tuple[Marker, ...] = ()
    cues: tuple[Cue, ...] = ()

    def __post_init__(self) -> None:
        codec = self.pipeline.musicgen.codec
        self.shop.sound_bytes_per_second = float(codec.sample_rate_hz * codec.channels * 3)
        self.shop.stems = self.options.stems
        self.shop.other_takes = self.options.takes - 1 if self.options.keep_takes == "sound" else 0

    @property
    def film(self) -> Film:
        return self.shop.film

    @property
    def folder(self) -> Path:
        return self.shop.folder

    @property
    def manifest(self) -> Manifest:
        return self.shop.manifest

    @cached_property
    def film_key(self) -> str:
        return self.film.key

    @cached_property
    def parts(self) -> dict[str, Any]:
        """What the system is made of."""
        return self.pipeline.describe()

    @property
    def environment(self) -> dict[str, Any]:
        """What the last bits of the music depend on."""
        return environment(self.pipeline.musicgen, self.rows)

    @property
    def read_key(self) -> str:
        """Of what the eye saw."""
        return digest([self.film_key, self.parts["eye"]])

    @cached_property
    def reading(self) -> FilmReading:
        """What the eye saw, kept in `reading/`."""
        folder = self.folder / "reading"
        files = [folder / STATES_FILE, folder / CONFIG_FILE]
        if self.manifest.has_stage("read", self.read_key, files):
            return FilmReading.load(folder)
        with self.stage("read", files):
            reading = self.pipeline.read(self.film, lambda share: self.tell("read", share, 1.0))
            partial = self.folder / ".reading.partial"
            shutil.rmtree(partial, ignore_errors=True)
            reading.save(partial)
            replace_folder(partial, folder)
        self.manifest.finish_stage("read", self.read_key, files)
        return reading

    @cached_property
    def separator(self) -> Separator | None:
        """What takes music that is sound apart; None where notes say themselves which voice is whose.

        Raises:
            ModelUnavailableError: if its weights cannot be had.
            UsageError: if the library is not installed.
        """
        if self.pipeline.writes_notes:
            return None
        options, device = self.options, str(self.environment["device"])
        return load_separator(options.separation, offline=options.offline, device=device)

    @cached_property
    def spectrogram(self) -> NDArray[np.float32]:
        """Of the finished music, for the figure and the report page."""
        return read_spectrogram(self.folder / "music.wav", float(self.film.duration_seconds))

    @property
    def mix_key(self) -> str:
        """Of what is done with music and film sound."""
        return digest([self.film_key, self.audio, asdict(self.options.mix)])

    @cached_property
    def mix(self) -> Mix:
        """The finished music under the film's sound, its levels chosen."""
        return plan_mix(self.film, self.folder / "music.wav", self.audio, self.options.mix, self.cues)

    def stage(self, name: str, files: list[Path]) -> AbstractContextManager[None]:
        """Do a stage that writes these files."""
        return self.shop.stage(name, files)

    def tell(self, stage: str, done: float, total: float) -> None:
        if self.progress is not None:
            self.progress(stage, done, total)

    def counted(self, blocks: Iterator[Block], duration_seconds: float) -> Iterator[Block]:
        """Pass blocks `[C, n]` on, telling how many seconds are rendered."""
        done = 0
        for block in blocks:
            done += block.shape[1]
            self.tell("render", min(done / self.pipeline.sample_rate_hz, duration_seconds), duration_seconds)
            yield block
