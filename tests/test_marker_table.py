"""Markers as users and editing programs write them: which columns, which clocks, and one line for what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrascore.errors import InputError
from narrascore.marker_table import read_markers
from narrascore.markers import Marker, to_csv


def read(tmp_path: Path, text: str, rate_hz: float = 25.0, duration_seconds: float = 7200.0) -> list[Marker]:
    table = tmp_path / "m.csv"
    table.write_text(text, encoding="utf-8")
    return list(read_markers(table, rate_hz=rate_hz, duration_seconds=duration_seconds))


def test_what_was_delivered_is_read_back(tmp_path: Path) -> None:
    markers = [Marker(0.0, "section", 0.25, -0.5), Marker(12.5, "section", -0.1, 0.3), Marker(12.5, "hit", 0.0, 0.9)]
    assert read(tmp_path, to_csv(markers)) == markers
    some = [Marker(1.0, "hit", None, 0.5), Marker(2.0, "section", 0.1, None)]
    assert read(tmp_path, to_csv(some)) == some


def test_an_editing_program_s_table_says_it_in_names_and_timecodes(tmp_path: Path) -> None:
    text = (
        "Marker Name\tDescription\tIn\tOut\tDuration\tMarker Type\n"
        "section: valence +0.20, arousal -0.10\t\t00:00:10:12\t00:00:10:12\t00:00:00:00\tComment\n"
        "Fix the colours\there\t00:00:20:00\t00:00:20:00\t00:00:00:00\tComment\n"
        "bang\tArousal = 0,9\t00:01:00:00\t00:01:00:00\t00:00:00:00\tComment\n"
    )
    (tmp_path / "m.csv").write_bytes(text.encode("utf-16"))
    markers = read_markers(tmp_path / "m.csv", rate_hz=25.0, duration_seconds=100)
    assert markers == (Marker(10.48, "section", 0.2, -0.1), Marker(60.0, "hit", None, 0.9))


@pytest.mark.parametrize(
    ("time", "rate_hz", "seconds"),
    [
        ("90.5", 25.0, 90.5),
        ("1:30.5", 25.0, 90.5),
        ("01:01:30", 23.976, 3690.0),
        ("00:01:30:12", 25.0, 90.48),
        ("00:01:00:00", 23.976, 60.06),  # its clock counts 24 pictures a second, of which 23.976 are shown in one
        ("00:01:00:00", 23.9755, 60.06),  # measured off a short film
        ("01:00:00;00", 29.97, 3600.0 - 0.0036),  # dropped numbers keep its clock by the wall
        ("00:01:00;02", 29.97, 60.06),
        ("00:00:10:59", 59.94, 10.9943),
    ],
)
def test_clocks(time: str, rate_hz: float, seconds: float, tmp_path: Path) -> None:
    (marker,) = read(tmp_path, f"timecode,kind,arousal\n{time},hit,0.5\n", rate_hz)
    assert marker.seconds == pytest.approx(seconds, abs=1e-4)


def test_markers_are_put_in_the_order_of_time(tmp_path: Path) -> None:
    markers = read(tmp_path, "time;kind;arousal\n9,5;hit;0,1\n2;hit;0,5\n9,5;section;-0,5\n")
    assert [(marker.seconds, marker.kind) for marker in markers] == [(2, "hit"), (9.5, "section"), (9.5, "hit")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when,arousal\n1,0\n", "line 1: no column time_seconds"),
        ("time,arousal\n1,2\n", r"line 2: arousal lies in \[-1, 1\], got 2"),
        ("time,arousal\nsoon,0\n", "line 2: 'soon' is not a finite number"),
        ("time,arousal\n1:75,0\n", "line 2: '1:75' is no time"),
        ("time,arousal\n00:00:01:25,0\n", "line 2: '00:00:01:25' is no time.*25 frames a second"),
        ("time,arousal\n-1,0\n", "line 2: -1 lies outside the film, which lasts 7200 s"),
        ("time,arousal\n02:00:00:00,0\n", "line 2: 02:00:00:00 lies outside the film.*begins at 01:00:00:00"),
        ("time,kind,arousal\n1,stinger,0\n", "line 2: a marker is a section or a hit, got 'stinger'"),
        ("time,name\n1,a scene\n", "no marker says valence or arousal"),
        ("time,arousal\n", "no marker says valence or arousal"),
        ("", "line 1: no column"),
    ],
)
def test_what_is_no_marker_is_named_by_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_film_without_pictures_has_no_frames_to_count(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 frames a second"):
        read(tmp_path, "time,arousal\n00:00:01:02,0\n", rate_hz=0.0)
