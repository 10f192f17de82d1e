"""The project for an editing program: the library's own reader finds every track, length and moment exact."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from narrascore.markers import Marker
from narrascore.media.audio import write_wav
from narrascore.media.film import Film
from tests.media.films import Track, make_film, tone

pytest.importorskip("opentimelineio")

import opentimelineio as otio

from narrascore.timeline import Project, Sound, length_of, rate_of, url_of, write_project

SOUND_HZ = 44_100
RATES = [Fraction(24_000, 1001), Fraction(25), Fraction(30_000, 1001)]
VARIABLE = [0, 0.04, 0.13, 0.5, 0.533, 0.9, 1.01]
NTSC_DROP = {Fraction(24_000, 1001): "01:14:55:12", Fraction(30_000, 1001): "01:00:00;00"}


def marker(seconds: float, kind: str = "hit") -> Marker:
    return Marker(seconds, kind, -0.25, 0.5)  # type: ignore[arg-type]


def project_of(path: Path, markers: list[Marker] | None = None, heard: tuple[int, ...] = (0,)) -> Project:
    """A film with music as long as it, in `deliver/` of its job folder, and one stem."""
    film, folder = Film.open(path), path.with_suffix(".narrascore")
    silence = np.zeros((2, round(film.duration_seconds * SOUND_HZ)), np.float32)
    for name in ("deliver/music", "stems/bass"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(folder / f"{name}.wav", [silence], SOUND_HZ, 2)
    sounds = [
        Sound("Music", folder / "deliver" / "music.wav"),
        Sound("Music: bass", folder / "stems" / "bass.wav", heard=False),
    ]
    return Project(film, sounds, markers or [], heard, -3.5, {"anchor": "calm strings"})


def written(project: Project) -> otio.schema.Timeline:
    path = project.film.path.with_suffix(".narrascore") / "project.otio"
    timeline = otio.adapters.read_from_file(str(write_project(path, project)))
    assert isinstance(timeline, otio.schema.Timeline)
    return timeline


def clip_of(track: otio.schema.Track) -> otio.schema.Clip:
    (clip,) = track
    return clip


def exact(moment: otio.opentime.RationalTime) -> Fraction:
    """A time in seconds by whole numbers alone: the rate's double stands for the fraction next to it."""
    assert moment.value == int(moment.value)
    return int(moment.value) / Fraction(moment.rate).limit_denominator(1001)


def test_every_track_is_there_and_those_of_the_mix_are_switched_on(tmp_path: Path) -> None:
    tracks = [Track(tone(2), language="eng"), Track(tone(2))]
    timeline = written(project_of(make_film(tmp_path / "a.mp4", 2, 25, audio=tracks)))
    assert [(track.name, track.kind, track.enabled) for track in timeline.tracks] == [
        ("Picture", "Video", True),
        ("Original sound 1 (eng)", "Audio", True),
        ("Original sound 2", "Audio", False),
        ("Music", "Audio", True),
        ("Music: bass", "Audio", False),
    ]
    first, second = (clip_of(track).metadata["narrascore"] for track in timeline.audio_tracks()[:2])
    assert (first["track"], first["gain_db"], second["track"]) == (0, -3.5, 1) and "gain_db" not in second
    assert timeline.metadata["narrascore"]["anchor"] == "calm strings"


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_lengths_and_markers_are_whole_frames(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    """48 frames, of whose times MKV keeps milliseconds alone."""
    moments = [0.0, 0.5, 1.0, 1.5, 9.0]
    path = make_film(tmp_path / f"a.{suffix}", float(48 / rate), rate, audio=Track(tone(2)))
    timeline = written(project_of(path, [marker(moment) for moment in moments]))
    for track in (*timeline.video_tracks(), timeline.audio_tracks()[0]):
        clip = clip_of(track)
        assert clip.source_range == clip.media_reference.available_range == clip.available_range()
        assert exact(clip.duration()) == exact(track.duration()) == 48 / rate
        assert clip.source_range.start_time.value == 0
        assert clip.duration().rate == float(rate)
    frames = [mark.marked_range.start_time for mark in timeline.tracks.markers]
    for moment, frame in zip(moments[:-1], frames, strict=False):
        assert abs(exact(frame) - Fraction(moment)) <= 1 / rate / 2
    assert frames[-1].value == 47  # none lies behind the film
    assert timeline.global_start_time == otio.opentime.RationalTime(0, float(rate))
    assert otio.opentime.RationalTime.is_smpte_timecode_rate(frames[0].rate)
    assert otio.opentime.RationalTime.nearest_smpte_timecode_rate(frames[0].rate) == frames[0].rate


@pytest.mark.parametrize(("rate", "code"), NTSC_DROP.items(), ids=str)
def test_three_hours_of_frames_do_not_drift(rate: Fraction, code: str) -> None:
    """What the library's doubles make of frame numbers, at the rates that no double holds."""
    for frame in (107_892, 323_676, 323_677):
        moment = otio.opentime.RationalTime(frame, float(rate))
        assert abs(Fraction(moment.to_seconds()) - frame / rate) < Fraction(1, 10**10)
        assert otio.opentime.RationalTime.from_seconds(float(frame / rate), float(rate)).value == pytest.approx(frame)
    assert otio.opentime.RationalTime(107_892, float(rate)).to_timecode() == code


def test_a_variable_rate_counts_in_steps_that_hold_its_times(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", times=VARIABLE, audio=Track(tone(2)))
    project = project_of(path, [marker(0.0, "section"), marker(0.5), marker(1.0)])
    timeline, film = written(project), project.film
    assert film.frame_rate is None and rate_of(film) >= 1000
    shown = clip_of(timeline.video_tracks()[0]).source_range
    assert exact(shown.duration) == film.duration_seconds and shown.duration.rate == float(rate_of(film))
    assert [exact(mark.marked_range.start_time) for mark in timeline.tracks.markers] == [0, Fraction(1, 2), 1]


def test_music_counts_in_samples(tmp_path: Path) -> None:
    timeline = written(project_of(make_film(tmp_path / "a.mp4", 2, Fraction(24_000, 1001))))
    music = clip_of(timeline.audio_tracks()[0]).source_range
    assert (music.start_time.value, music.start_time.rate) == (0, SOUND_HZ)
    assert (music.duration.value, music.duration.rate) == (round(48 * 1001 / Fraction(24_000) * SOUND_HZ), SOUND_HZ)


def test_a_film_whose_clock_starts_late_keeps_it(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.ts", 1, 25, audio=Track(tone(1), start_seconds=2.0), start_seconds=2.0)
    project = project_of(path)
    timeline, film = written(project), project.film
    assert film.start_seconds > 1
    for track in (timeline.video_tracks()[0], timeline.audio_tracks()[0]):
        shown = clip_of(track).source_range
        assert shown.start_time.to_seconds() == pytest.approx(float(film.start_seconds), abs=1e-12)
        assert exact(shown.duration) == 1
        assert clip_of(track).range_in_parent().start_time.value == 0


def test_markers_tell_what_the_curve_says(tmp_path: Path) -> None:
    project = project_of(make_film(tmp_path / "a.mp4", 2, 25), [marker(0.0, "section"), marker(1.0)])
    section, hit = written(project).tracks.markers
    assert (section.name, section.color) == ("section: valence -0.25, arousal +0.50", "GREEN")
    assert (hit.color, hit.marked_range.start_time.value, hit.marked_range.duration.value) == ("RED", 25, 1)
    told = {name: hit.metadata["narrascore"][name] for name in ("kind", "seconds", "valence", "arousal")}
    assert told == {"kind": "hit", "seconds": 1.0, "valence": -0.25, "arousal": 0.5}


@pytest.mark.parametrize(
    "name", ["Film (2019), part 1 #2.mp4", "100 % a?b;c.mp4", "Alien: Romulus.mp4", "Ærø – été.mp4"]
)
def test_files_are_found_from_the_project_wherever_the_folder_was_moved(tmp_path: Path, name: str) -> None:
    (tmp_path / "here").mkdir()
    project = project_of(make_film(tmp_path / "here" / name, 1, 25, audio=Track(tone(1))))
    write_project(project.film.path.with_suffix(".narrascore") / "project.otio", project)
    (tmp_path / "here").rename(tmp_path / "there")
    folder = (tmp_path / "there" / name).with_suffix(".narrascore")
    timeline = otio.adapters.read_from_file(str(folder / "project.otio"))
    files = set()
    for clip in timeline.find_clips():
        path = otio.url_utils.filepath_from_url(clip.media_reference.target_url)
        assert not Path(path).is_absolute() and (folder / path).is_file()
        files.add((folder / path).resolve().name)
    assert files == {name, "music.wav", "bass.wav"}
    assert str(tmp_path) not in (folder / "project.otio").read_text(encoding="utf-8")


def test_the_library_packs_the_project_into_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bundles read relative names from the working folder, and want no two files of one name."""
    timeline = written(project_of(make_film(tmp_path / "a.mp4", 1, 25, audio=Track(tone(1)))))
    monkeypatch.chdir(tmp_path / "a.narrascore")
    otio.adapters.write_to_file(timeline, str(tmp_path / "a.otioz"))
    packed = otio.adapters.read_from_file(str(tmp_path / "a.otioz"))
    names = {Path(unquote(clip.media_reference.target_url)).name for clip in packed.find_clips()}
    assert names == {"a.mp4", "music.wav", "bass.wav"}


def test_the_same_project_is_the_same_bytes(tmp_path: Path) -> None:
    project = project_of(make_film(tmp_path / "a.mp4", 1, 25), [marker(0.5)])
    first = write_project(tmp_path / "a.narrascore" / "1.otio", project).read_bytes()
    assert write_project(tmp_path / "a.narrascore" / "2.otio", project).read_bytes() == first


def test_sound_without_a_picture_has_a_timeline_too(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", [tone(1.5, rate_hz=SOUND_HZ)], SOUND_HZ, 2)
    film = Film.open(path, needs_picture=False)
    (tmp_path / "a.narrascore").mkdir()
    timeline = written(Project(film, [], [marker(1.0)], [0]))
    assert [track.name for track in timeline.tracks] == ["Original sound 1"]
    assert exact(clip_of(timeline.audio_tracks()[0]).duration()) == film.duration_seconds
    assert exact(timeline.tracks.markers[0].marked_range.start_time) == 1


def test_steps_hold_any_film() -> None:
    film = Film(Path("/a.mkv"), Fraction(7, 90_000), Fraction(1001, 24_000), 1, 1, "h264", 1.0, (), False, [])
    rate = rate_of(film)
    assert (film.start_seconds * rate).denominator == 1
    assert length_of(film) == film.duration_seconds * rate and math.gcd(int(rate), 1000) == 1000
    assert url_of(Path("/x/a b.mkv"), Path("/x/y")) == "../a%20b.mkv"
