"""The hand-over to an editing program: picture, sounds and markers on one timeline, as an OpenTimelineIO project.

    markers                   where the music turns and strikes, with what the curve says there
    V  Picture                ../film.mp4
    A  Original sound 1       ../film.mp4         off where the mix does not have it
    A  Music                  deliver/music.wav   at its level in the mix, ducked
    A  Music: bass            stems/bass.wav      off: it is in the music already

What is switched on sounds as the mix does, but for the limiter and the film's gain, which the clip of its sound names.
Files are named from the project's own folder, so that it can be moved along with the film.

Times are exact, each in the unit that makes it so:

- A film of an even rate counts in frames, whole numbers at 25 or at 24000/1001, for which the library, too, has the
  nearest double.
- One of a variable rate, a still, or sound without a picture counts in milliseconds, or in the coarsest finer step in
  which its start and its end are whole numbers.
- A WAV counts in samples. A marker counts as the film does; between two frames it goes to the nearer.

A film whose clock does not begin at zero keeps it: the ranges of its file begin with the first picture's time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import opentimelineio as otio

from narrascore.files import write_text
from narrascore.markers import Marker
from narrascore.media.audio import measure_wav
from narrascore.media.film import Film

TICKS_HZ = 1000
COLOURS = {"section": otio.schema.MarkerColor.GREEN, "hit": otio.schema.MarkerColor.RED}


@dataclass(frozen=True)
class Sound:
    """A WAV for a track of its own, which is switched on if it is `heard`."""

    name: str
    path: Path
    heard: bool = True


@dataclass(frozen=True)
class Project:
    """What goes on the timeline.

    Attributes:
        film: its picture and all of its sound tracks.
        sounds: the music, and what it is made of.
        markers: in film time.
        heard_tracks: which of the film's sound tracks are switched on, counted from 0.
        film_gain_db: that these have in the mix.
        about: JSON for whoever looks into the file.
    """

    film: Film
    sounds: Sequence[Sound] = ()
    markers: Sequence[Marker] = ()
    heard_tracks: Collection[int] = ()
    film_gain_db: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)


def write_project(path: Path, project: Project) -> Path:
    """Write a project as `.otio`, whole or not at all; the same project is the same bytes.

    Args:
        path: the file; those on the timeline are named from its folder.
        project: what goes on it; its WAVs are there already.

    Raises:
        InputError: if a WAV cannot be read, or the file not be written.
    """
    film, rate_hz = project.film, rate_of(project.film)
    timeline = otio.schema.Timeline(film.name, global_start_time=_at(Fraction(0), rate_hz))
    timeline.metadata["narrascore"] = dict(project.about)
    timeline.tracks.extend([*_film_tracks(project, path.parent), *_sound_tracks(project, path.parent)])
    timeline.tracks.markers.extend([_marker(marker, film, rate_hz) for marker in project.markers])
    write_text(path, otio.adapters.write_to_string(timeline, "otio_json") + "\n")
    return path


def rate_of(film: Film) -> Fraction:
    """What a timeline of this film counts a second: its frames, or the steps that this module's text tells of."""
    if film.frame_rate is not None:
        return film.frame_rate
    return Fraction(math.lcm(TICKS_HZ, film.start_seconds.denominator, film.duration_seconds.denominator))


def length_of(film: Film) -> int:
    """How many of these it lasts; whole frames, also where the container's clock rounds their times."""
    return max(1, round(film.duration_seconds * rate_of(film)))


def url_of(path: Path, folder: Path) -> str:
    """A file's name from a folder, in the letters of a URL, which readers decode; its whole one on another drive."""
    try:
        name = Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.absolute().as_uri()
    return quote(os.fsencode(name))


def _film_tracks(project: Project, folder: Path) -> list[otio.schema.Track]:
    film, rate_hz = project.film, rate_of(project.film)
    url, length = url_of(film.path, folder), otio.opentime.RationalTime(length_of(film), float(rate_hz))
    shown = otio.opentime.TimeRange(_at(film.start_seconds, rate_hz), length)
    tracks = [_track("Picture", otio.schema.TrackKind.Video, url, shown)] if film.has_picture else []
    for track in film.audio_tracks:
        heard = track.index in project.heard_tracks
        name = f"Original sound {track.index + 1}" + (f" ({track.language})" if track.language else "")
        about = {"track": track.index, "codec": track.codec, "layout": track.layout}
        if heard:
            about["gain_db"] = project.film_gain_db
        tracks.append(_track(name, otio.schema.TrackKind.Audio, url, shown, heard=heard, about=about))
    return tracks


def _sound_tracks(project: Project, folder: Path) -> list[otio.schema.Track]:
    tracks = []
    for sound in project.sounds:
        samples, sample_rate_hz, _ = measure_wav(sound.path)
        times = (otio.opentime.RationalTime(value, sample_rate_hz) for value in (0, samples))
        url, whole = url_of(sound.path, folder), otio.opentime.TimeRange(*times)
        tracks.append(_track(sound.name, otio.schema.TrackKind.Audio, url, whole, heard=sound.heard))
    return tracks


def _track(
    name: str,
    kind: str,
    url: str,
    whole: otio.opentime.TimeRange,
    *,
    heard: bool = True,
    about: Mapping[str, Any] | None = None,
) -> otio.schema.Track:
    """A track with one clip: all of one file."""
    clip = otio.schema.Clip(name, otio.schema.ExternalReference(url, whole), whole)
    clip.metadata["narrascore"] = dict(about or {})
    track = otio.schema.Track(name, [clip], kind=kind)
    track.enabled = heard
    return track


def _marker(marker: Marker, film: Film, rate_hz: Fraction) -> otio.schema.Marker:
    frame = min(round(Fraction(marker.seconds) * rate_hz), length_of(film) - 1)
    times = (otio.opentime.RationalTime(value, float(rate_hz)) for value in (frame, 1))
    made = otio.schema.Marker(marker.label, otio.opentime.TimeRange(*times), COLOURS[marker.kind])
    made.metadata["narrascore"] = {
        "kind": marker.kind, "seconds": marker.seconds, "valence": marker.valence, "arousal": marker.arousal,
    }  # fmt: skip
    return made


def _at(seconds: Fraction, rate_hz: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(float(seconds * rate_hz), float(rate_hz))
