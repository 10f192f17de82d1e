"""What a job on a film would work with, settled before anything is written: the film, its folder, the scored film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from narrascore.directions import require_within
from narrascore.errors import InputError, UsageError
from narrascore.manifest import FOLDER_SUFFIX, find_folder
from narrascore.marker_table import read_markers
from narrascore.markers import Marker
from narrascore.media.audio import sound_track
from narrascore.media.film import Film
from narrascore.media.mux import container_for
from narrascore.rendering import AUDIO_MODES, AudioMode, default_audio
from narrascore.run import ScoreOptions


@dataclass(frozen=True)
class Place:
    """A film and where its results go.

    Attributes:
        film: opened.
        folder: the job folder, which need not exist.
        scored: the scored film's path; None where there will be none.
        audio: what is done with the film's own sound.
        no_container: why there will be none, if the picture fits no container; the music is made all the same.
        markers: the user's, by the film's own rate.
    """

    film: Film
    folder: Path
    scored: Path | None
    audio: AudioMode
    no_container: InputError | None
    markers: tuple[Marker, ...] = ()


def find_place(film_path: Path, options: ScoreOptions) -> Place:
    """Open a film and choose where its results go.

    Raises:
        InputError: if the film or its sound cannot be used.
        UsageError: if the options make no sense together, or something else is in the way.
    """
    if options.audio is not None and options.audio not in AUDIO_MODES:
        raise UsageError(f"audio {options.audio!r}: choose one of {', '.join(AUDIO_MODES)}")
    if options.part is not None and options.redo:
        raise UsageError("a part is scored beside the film's music, and a redo changes it: ask for one at a time")
    if options.cues_path is not None and options.spot is not None:
        raise UsageError("--cues says where there is music and --spot proposes it: ask for one of them")
    # A curve of the user's own can stand in for the picture.
    film = Film.open(film_path, still_seconds=options.still_seconds, needs_picture=options.curve_path is None)
    require_within(options.at, film.duration_seconds)
    markers = _read_markers(film, options)
    folder, scored = find_folder(film.path, film.identity(), options.output)
    audio = _choose_audio(film, options)
    no_container = None
    if audio == "music-only":
        scored = None
    elif scored is None:
        try:
            suffix = container_for(film, audio, track=options.mix.track)
            scored = folder.with_name(f"{folder.name.removesuffix(FOLDER_SUFFIX)}.scored{suffix}")
        except InputError as error:
            no_container = error
    return Place(film, folder, scored, audio, no_container, markers)


def _read_markers(film: Film, options: ScoreOptions) -> tuple[Marker, ...]:
    if options.markers_path is None:
        return ()
    return read_markers(options.markers_path, rate_hz=film.rate_hz, duration_seconds=float(film.duration_seconds))


def _choose_audio(film: Film, options: ScoreOptions) -> AudioMode:
    if not film.has_picture:
        if options.audio not in (None, "music-only"):
            raise UsageError(f"{film.name}: no picture, so there is no film to write; choose --audio music-only")
        return "music-only"
    audio = options.audio or default_audio(film)
    if audio not in ("duck", "mix"):
        return audio
    if not film.audio_tracks:
        film.warn("the film has no sound of its own to mix with: the music stands alone")
        return "replace"
    sound_track(film, options.mix.track)  # refused now, rather than after the music was composed
    return audio
