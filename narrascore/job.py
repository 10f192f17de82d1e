"""One film's job: a folder that can be left at any moment and gone on with, and says what it was made from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.errors import InputError, InterruptedJobError, UsageError
from narrascore.files import array_digest, digest, fingerprint, replace_folder, write_text
from narrascore.manifest import FOLDER_SUFFIX, Manifest, find_folder, locked
from narrascore.media.film import STILL_SECONDS, Film
from narrascore.media.mux import container_for
from narrascore.page import write_page
from narrascore.perception.reading import CONFIG_FILE, STATES_FILE, FilmReading
from narrascore.pipeline import Pipeline, anchor_warnings
from narrascore.rendering import (
    AUDIO_MODES,
    AudioMode,
    default_audio,
    measure_music,
    write_midi,
    write_music,
    write_scored_film,
    write_stems,
)
from narrascore.report import draw_figure
from narrascore.units import WindowStore, environment, threads
from narrascore.windows import continuation_windows, frames_to_cover
from narrascore.workshop import EDITABLE, Workshop

Progress = Callable[[str, float, float], None]
"""(stage, done, in all): `read` and `film` as shares, `compose` in frames, `render` in seconds."""


@dataclass(frozen=True)
class ScoreOptions:
    """What a user can ask for about one film.

    Attributes:
        output: the scored film's path, or a folder for it; by default beside the film.
        audio: by default `mix` where the film has sound, `replace` where it has none.
        prompt: the music asked for, instead of what the eye conceives.
        curve_path: a table of the curve, instead of what the eye reads.
        clip_curve: bring its values into [-1, 1] instead of refusing them.
        still_seconds: how long a single picture is shown.
        curve_gain, curve_offset: stretch that curve about zero, then shift valence and arousal, within [-1, 1].
        seed: another seed is another piece.
        stems: also one WAV per voice group, for music models that write notes.
        force: make everything anew; what was there goes to `versions/N/`.
    """

    output: Path | None = None
    audio: AudioMode | None = None
    prompt: str = ""
    curve_path: Path | None = None
    clip_curve: bool = False
    still_seconds: float = STILL_SECONDS
    curve_gain: float = 1.0
    curve_offset: tuple[float, float] = (0.0, 0.0)
    seed: int = 0
    stems: bool = False
    force: bool = False


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    Attributes:
        folder: the job folder.
        film: the scored film; None with `music-only`.
        already_finished: nothing had to be done.
        stage_seconds: what each stage that ran took.
        warnings: one line each.
        version: where older results were moved to, if there were any.
    """

    folder: Path
    film: Path | None
    already_finished: bool
    stage_seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    version: Path | None = None


def score_film(
    pipeline: Pipeline | Callable[[], Pipeline],
    film_path: str | Path,
    options: ScoreOptions | None = None,
    progress: Progress | None = None,
) -> JobResult:
    """Score a film into its job folder, going on from what an earlier run left there.

    Args:
        pipeline: the system, or a function that loads it, called once the film and the folder have proved usable.
        film_path: the film.
        options: what is asked for.
        progress: told about every stage.

    Raises:
        InputError: film, folder or disk cannot be used, or no container holds the picture (the music is then kept).
        UsageError: options that make no sense together, or a foreign file in the way.
        InterruptedJobError: stopped by the user; the same call goes on.
    """
    options = options or ScoreOptions()
    if options.audio is not None and options.audio not in AUDIO_MODES:
        raise UsageError(f"audio {options.audio!r}: choose one of {', '.join(AUDIO_MODES)}")
    # A curve of the user's own can stand in for the picture.
    film = Film.open(film_path, still_seconds=options.still_seconds, needs_picture=options.curve_path is None)
    folder, scored = find_folder(film.path, film.identity(), options.output)
    audio = _choose_audio(film, options.audio)
    try:
        with locked(folder):
            scored, no_container = _place_film(film, folder, scored, audio)
            shop = Workshop(film, folder, scored, Manifest.load(folder) or Manifest(folder))
            job = _Job(shop, pipeline if isinstance(pipeline, Pipeline) else pipeline(), audio, options, progress)
            finished_before = job.run()
            if no_container:
                raise InputError(f"{no_container} (the music is in {folder / 'music.wav'})")
            warnings = list(shop.manifest.data["warnings"])
            return JobResult(folder, scored, finished_before, shop.ran, warnings, shop.version)
    except KeyboardInterrupt as error:
        raise InterruptedJobError(f"{film.path.name}: stopped; the same command goes on where it stopped") from error
    except OSError as error:
        what = f"{error.filename or folder}: {error.strerror or error}"
        raise InputError(f"{what}; make room or choose another place with -o") from error


def _choose_audio(film: Film, asked: AudioMode | None) -> AudioMode:
    if not film.has_picture:
        if asked not in (None, "music-only"):
            raise UsageError(f"{film.name}: no picture, so there is no film to write; choose --audio music-only")
        return "music-only"
    if asked == "mix" and not film.audio_tracks:
        film.warn("the film has no sound of its own to mix with: the music stands alone")
        return "replace"
    return asked or default_audio(film)


def _place_film(
    film: Film, folder: Path, scored: Path | None, audio: AudioMode
) -> tuple[Path | None, InputError | None]:
    """Where the scored film goes, or None, and why not if the picture fits no container."""
    if audio == "music-only" or scored is not None:
        return (None if audio == "music-only" else scored), None
    try:
        suffix = container_for(film, audio)
    except InputError as error:
        return None, error
    return folder.with_name(f"{folder.name.removesuffix(FOLDER_SUFFIX)}.scored{suffix}"), None


class _Job:
    """The stages of one run, in their order. Each knows from what it makes its files, and skips what is there."""

    def __init__(
        self, shop: Workshop, pipeline: Pipeline, audio: AudioMode, options: ScoreOptions, progress: Progress | None
    ) -> None:
        self.shop, self.film, self.folder = shop, shop.film, shop.folder
        self.pipeline, self.audio, self.options, self.progress = pipeline, audio, options, progress
        if options.force:
            shop.start_anew()
        self.manifest = shop.manifest
        self.parts = pipeline.describe()
        self.film_key = self.film.key
        self.read_key = digest([self.film_key, self.parts["eye"]])

    def run(self) -> bool:
        """Do what is missing; returns whether nothing was."""
        curve = self._settle_curve()
        anchor = self._settle_anchor(curve)
        compose_key = self._compose(curve, anchor)
        render_key = self._render(compose_key, anchor)
        self._write_stems(render_key, compose_key, anchor)
        self._draw(render_key, curve, anchor)
        self._write_film(render_key)
        if not self.shop.ran and self.manifest.data["state"] == "finished":
            return True
        self._finish(anchor)
        return False

    # What the user may edit: the curve and the anchor.

    def _settle_curve(self) -> AffectCurve:
        """Keep `curve.csv` if it is what is asked for or was edited by hand, else make it; then read it back."""
        path, given = self.folder / "curve.csv", self.options.curve_path
        gain, offset = self.options.curve_gain, self.options.curve_offset
        clip, duration = self.options.clip_curve, float(self.film.duration_seconds)
        asked = digest([self.film_key, fingerprint(given) if given else None, gain, offset])

        def make() -> str:
            if given:
                curve = AffectCurve.from_csv(given, clip=clip, duration_seconds=duration)
            else:
                curve = self.pipeline.read_affect(self.reading)
            curve = curve.adjust(gain, offset)
            return curve.resample(curve.rate_hz, duration).to_csv()

        self._settle(path, "file" if given else "eye", asked, [self.read_key, self.parts["probe"]], make)
        return AffectCurve.from_csv(path)

    def _settle_anchor(self, curve: AffectCurve) -> MusicalAnchor:
        """Keep `anchor.json` likewise. The eye's anchor follows the eye's curve, not one edited by hand."""
        path, prompt = self.folder / "anchor.json", self.options.prompt.strip()
        asked, made_curve = digest([self.film_key, prompt]), self.manifest.data["made_from"]["curve.csv"]

        def make() -> str:
            if prompt:
                return self.pipeline.understand(MusicalAnchor(prompt=prompt)).to_json()
            return self.pipeline.read_anchor(self.reading, curve).to_json()

        made_from = [prompt or [made_curve["request"], self.parts["anchor"]], self.parts["music"]]
        self._settle(path, "user" if prompt else "eye", asked, made_from, make)
        return self.pipeline.understand(MusicalAnchor.from_json(path))

    def _settle(self, path: Path, source: str, asked: str, made_from: list[object], make: Callable[[], str]) -> None:
        """Bring a file that may be edited to what is wanted.

        Args:
            path: the file.
            source: who would make it anew.
            asked: stands for the user's words; an edited file stays as long as these are the same.
            made_from: stands for all else; a file that was not edited stays as long as this is the same, too.
            make: its text. What it refuses, it refuses before anything is touched.
        """
        earlier = self.manifest.data["made_from"].get(path.name, {})
        request = digest([asked, made_from])
        edited = self.manifest.was_edited(path) or earlier.get("source") == "edited"
        same = earlier.get("asked") == asked if edited else earlier.get("request") == request
        if not (same and path.is_file() and self.manifest.was_finished(path)):
            text = make()
            self.shop.set_aside([path])
            with self._stage(path.stem, [path]):
                write_text(path, text)
        elif edited:
            source = "edited"
        now = {"asked": asked, "request": request, "source": source}
        if now != earlier or not self.manifest.is_ours(path):
            self.manifest.data["made_from"][path.name] = now
            self.manifest.finish_stage(path.stem, request, [path])

    # What is made from them.

    @cached_property
    def reading(self) -> FilmReading:
        """What the eye saw, kept in `reading/`."""
        folder = self.folder / "reading"
        files = [folder / STATES_FILE, folder / CONFIG_FILE]
        if self.manifest.has_stage("read", self.read_key, files):
            return FilmReading.load(folder)
        with self._stage("read", files):
            reading = self.pipeline.read(self.film, lambda share: self._tell("read", share, 1.0))
            partial = self.folder / ".reading.partial"
            shutil.rmtree(partial, ignore_errors=True)
            reading.save(partial)
            replace_folder(partial, folder)
        self.manifest.finish_stage("read", self.read_key, files)
        return reading

    def _compose(self, curve: AffectCurve, anchor: MusicalAnchor) -> str:
        """Compose into `windows/`; returns the key of the codes."""
        duration, store = self.film.duration_seconds, WindowStore(self.folder / "windows")
        key = digest([
            self.film_key, str(duration), array_digest(curve.values), curve.rate_hz, anchor.sentence,
            self.options.seed, self.parts["music"], self.parts["adapter"],
        ])  # fmt: skip
        if self.manifest.has_stage("compose", key, [store.whole]):
            return key
        self.shop.set_aside(self.shop.results(), with_windows=True)
        with self._stage("compose", [store.whole]), threads(self._note_environment(key)):
            codes = self.pipeline.compose(
                duration, curve, anchor, seed=self.options.seed, film_key=self.film_key, windows_folder=store.folder,
                progress=lambda done, total: self._tell("compose", done, total),
            )  # fmt: skip
            for name in EDITABLE:
                write_text(store.folder / name, (self.folder / name).read_text(encoding="utf-8"))
            store.save_whole(key, codes)
        self.manifest.data["unit_keys"] = store.keys()
        self.manifest.finish_stage("compose", key, [store.whole])
        return key

    def _note_environment(self, key: str) -> int:
        """Remember versions and threads; returns the threads to use: on resuming a composition, those it began with."""
        now, data = environment(self.pipeline.musicgen), self.manifest.data
        if data.get("composing") == key:
            before = data["environment"]
            if {**before, "threads": 0} != {**now, "threads": 0}:
                self.film.warn("the earlier run used other versions or another processor: its windows are made anew")
            now["threads"] = before["threads"]
        data.update(composing=key, environment=now)
        return int(str(now["threads"]))

    def _render(self, compose_key: str, anchor: MusicalAnchor) -> str:
        """Render `music.wav` and, from notes, `music.mid`; returns their key."""
        codec = self.pipeline.codec_for(anchor)
        key = digest([compose_key, codec.describe()])
        music, midi = self.folder / "music.wav", self.folder / "music.mid"
        files = [music, midi] if self.pipeline.writes_notes else [music]
        if self.manifest.has_stage("render", key, files):
            return key
        self.shop.set_aside(self.shop.results())
        with self._stage("render", files):
            codes, duration = self._codes(compose_key), self.film.duration_seconds
            blocks = self.pipeline.render(codes, anchor, duration)
            write_music(music, self._counted("render", blocks), codec, duration)
            if self.pipeline.writes_notes:
                write_midi(midi, codec, codes)
            self.manifest.data["music"] = {**measure_music(music, codec), "codec": codec.describe()}
        self.manifest.finish_stage("render", key, files)
        return key

    def _write_stems(self, render_key: str, compose_key: str, anchor: MusicalAnchor) -> None:
        if not self.options.stems:
            return
        folder, key = self.folder / "stems", digest([render_key, "stems"])
        if self.manifest.has_stage("stems", key, [folder / name for name in self.manifest.data.get("stems", ["-"])]):
            return
        self.shop.set_aside([folder])
        with self._stage("stems", []):
            codec, codes = self.pipeline.codec_for(anchor), self._codes(compose_key)
            files = write_stems(folder, codec, codes, self.film.duration_seconds)
        self.manifest.data["stems"] = [path.name for path in files]
        self.manifest.finish_stage("stems", key, files)

    def _draw(self, render_key: str, curve: AffectCurve, anchor: MusicalAnchor) -> None:
        path, key = self.folder / "figure.png", digest([render_key, self.read_key])
        if self.manifest.has_stage("figure", key, [path]):
            return
        musicgen = self.pipeline.musicgen
        total = frames_to_cover(self.film.duration_seconds, musicgen.frame_rate_hz)
        windows = continuation_windows(total, musicgen.window_frames, musicgen.prompt_frames)
        keyframes, spread = self.reading.keyframes, None
        if self.manifest.data["made_from"]["curve.csv"]["source"] == "eye":
            spread = self.pipeline.read_spread(self.reading)
        with self._stage("figure", [path]):
            draw_figure(
                path, self.folder / "music.wav", curve, keyframes, title=anchor.sentence,
                spread=None if spread is None else spread * abs(self.options.curve_gain),
                duration_seconds=float(self.film.duration_seconds),
                border_seconds=[window.new_start / musicgen.frame_rate_hz for window in windows[1:]],
            )  # fmt: skip
        self.manifest.finish_stage("figure", key, [path])

    def _write_film(self, render_key: str) -> None:
        if self.shop.scored is None:
            return
        key = digest([render_key, self.film_key, self.audio])
        if self.manifest.has_stage("film", key, [self.shop.scored]):
            return
        self.shop.set_aside([self.shop.scored, self.folder / "report.html"])
        with self._stage("film", [self.shop.scored]):
            self.manifest.data["levels"] = write_scored_film(
                self.film, self.folder / "music.wav", self.shop.scored, self.audio, overwrite=True,
                progress=lambda share: self._tell("film", share, 1.0),
            )  # fmt: skip
        self.manifest.finish_stage("film", key, [self.shop.scored])

    def _finish(self, anchor: MusicalAnchor) -> None:
        """The manifest in full, and the report made from it."""
        data = self.manifest.data
        warnings = [*self.pipeline.warnings, *self.film.warnings, *anchor_warnings(anchor)]
        data.update(
            state="finished",
            system=self.pipeline.system,
            parts=self.parts,
            settings=self._settings(),
            licences=dict(_licences({"parts": self.parts, "music": data["music"]})),
            anchor=anchor.sentence,
            warnings=list(dict.fromkeys(warnings)),
            results={"film": None if self.shop.scored is None else self.manifest.name_of(self.shop.scored)},
        )
        if self.shop.scored is None:
            data.pop("levels", None)
        write_page(self.folder, data)
        self.manifest.save()

    def _settings(self) -> dict[str, object]:
        chosen = {**asdict(self.options), "audio": self.audio}
        return {name: str(value) if isinstance(value, Path) else value for name, value in chosen.items()}

    def _stage(self, name: str, files: list[Path]) -> AbstractContextManager[None]:
        codec = self.pipeline.musicgen.codec
        needed = self.shop.needed_bytes(codec.sample_rate_hz, codec.channels, stems=self.options.stems)
        return self.shop.stage(name, files, needed)

    def _codes(self, key: str) -> Tensor:
        codes = WindowStore(self.folder / "windows").load_whole(key)
        if codes is None:
            raise InputError(f"{self.folder / 'windows'}: changed while this run was working; run it again")
        return codes

    def _counted(self, stage: str, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass blocks `[C, n]` on, telling how many seconds have gone by."""
        duration, done = float(self.film.duration_seconds), 0
        for block in blocks:
            done += block.shape[1]
            self._tell(stage, min(done / self.pipeline.sample_rate_hz, duration), duration)
            yield block

    def _tell(self, stage: str, done: float, total: float) -> None:
        if self.progress is not None:
            self.progress(stage, done, total)


def _licences(values: dict[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """Every licence that the parts state, by where it stands: music model, sound font, ..."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _licences(value, name)
        elif name == "licence":
            yield place, str(value)
