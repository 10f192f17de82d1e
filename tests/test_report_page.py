"""The report page as text: what it tells, what it escapes, and that it is the same twice."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrascore import AffectCurve
from narrascore.report import MAX_COLUMNS, MEL_BANDS
from narrascore.report_page.axis import Picture
from narrascore.report_page.page import write_page
from narrascore.report_page.rows import lanes, record_lists, record_table, value_table

HOSTILE = "<script>alert(1)</script> \"a\" & 'b' @SCRIPT@ </title>"


def picture_of(seconds: float, keyframes: int = 3, rate_hz: float = 1.0) -> Picture:
    noise = np.random.default_rng(0)
    way = np.cumsum(noise.normal(0, 0.05, size=(max(1, round(seconds * rate_hz)), 2)), axis=0)
    images = [
        (seconds * (index + 0.5) / keyframes, np.kron(noise.integers(0, 255, (16, 28, 3)), np.ones((8, 8, 1))))
        for index in range(keyframes)
    ]
    return Picture(
        seconds,
        AffectCurve(np.sin(way), rate_hz),
        [(moment, image.astype(np.uint8)) for moment, image in images],
        noise.uniform(-70, 0, size=(MEL_BANDS, int(min(MAX_COLUMNS, 56 * seconds)))).astype(np.float32),
        spread=np.full((max(1, round(seconds)), 2), 0.2, dtype=np.float32),
    )


def data_of(seconds: float = 6.0, windows: int = 3, name: str = "a.mp4") -> dict[str, Any]:
    """A manifest as a finished job leaves it."""
    edges = np.linspace(0, seconds, windows + 1).tolist()
    return {
        "format": 1,
        "film": {"name": name, "path": "/home/ann/films/a.mp4", "identity": {"sha256_parts": "0123"},
                 "duration_seconds": seconds, "width": 64, "height": 48, "video_codec": "h264"},
        "anchor": "calm strings", "warnings": [], "results": {"film": f"../{name}.scored.mp4"}, "system": "embedded",
        "settings": {"seed": 0, "audio": "duck", "output": "/home/ann/out", "curve_path": "/home/ann/curve.csv",
                     "at": []},
        "parts": {"music": {"music": "narrascore-embedded", "licence": "Apache-2.0"}},
        "stage_seconds": {"read": 1.25, "compose": 2.5}, "licences": {"music": "Apache-2.0"},
        "made_from": {"curve.csv": {"source": "eye"}}, "environment": {"versions": {"torch": "2.13.0"}},
        "windows": [
            {"index": index, "start_seconds": start, "stop_seconds": stop, "key": "beef", "environment": "cafe",
             "collapses": ["it fell silent"] if index == 1 else []}
            for index, (start, stop) in enumerate(pairwise(edges))
        ],
        "edits": [],
        "music": {"loudness_lufs": -14.98, "loudness_range_lu": 5.1, "true_peak_dbtp": -1.39,
                  "momentary_lufs": [-20.0, None, -14.0], "codec": {"codec": "score"}},
        "levels": {"mode": "duck", "mix_lufs": -16.0, "mix_range_lu": 4.2, "mix_true_peak_dbtp": None,
                   "music_gain_db": -1.02, "mix_momentary_lufs": [-21.0, -70.0, -15.0]},
    }  # fmt: skip


def page_of(folder: Path, data: dict[str, Any], picture: Picture | None = None) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "music.wav").write_bytes(b"RIFF")
    write_page(folder, data, picture or picture_of(data["film"]["duration_seconds"]))
    return (folder / "report.html").read_text(encoding="utf-8")


def test_whatever_is_told_is_escaped_and_no_place_is_filled_twice(tmp_path: Path) -> None:
    data = data_of(name=HOSTILE.replace("/", "\N{DIVISION SLASH}"))
    data |= {"anchor": HOSTILE, "warnings": [HOSTILE], "licences": {HOSTILE: HOSTILE}}
    data["settings"]["at"] = [{"start_seconds": 1.0, "stop_seconds": 3.0, "prompt": HOSTILE}]
    data["windows"][1]["collapses"] = [HOSTILE]
    page = page_of(tmp_path, data)
    assert page.count("<script") == 2 and page.count("</title>") == 1
    assert page.count("const facts") == 1  # the name with @SCRIPT@ in it drew no second copy of the script
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    facts = json.loads(page.split('id="facts">')[1].split("</script>")[0])
    assert facts["lanes"][1]["spans"] == [[1.0, 3.0, HOSTILE[:27] + "\N{HORIZONTAL ELLIPSIS}"]]
    assert f'src="../{"%3Cscript%3Ealert"}' in page


def test_the_policy_knows_the_pages_own_style_and_script_and_no_other(tmp_path: Path) -> None:
    page = page_of(tmp_path, data_of())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    for tag in ("style", "script"):
        text = page.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'") and "unsafe" not in policy[1]
    assert not re.search(
        r"https?:|(src|href)=\"//|\sstyle=|\son[a-z]+=", page.split("</style>")[1].split("<script>")[0]
    )


def test_equal_jobs_have_equal_pages(tmp_path: Path) -> None:
    assert page_of(tmp_path / "one", data_of()) == page_of(tmp_path / "two", data_of())


def test_a_page_that_is_handed_on_tells_no_paths(tmp_path: Path) -> None:
    page = page_of(tmp_path, data_of())
    assert "/home" not in page and "curve.csv" in page


def test_windows_edits_and_redraws_are_rows_and_places_on_the_axis(tmp_path: Path) -> None:
    data = data_of()
    data["edits"] = [{
        "why": "redo", "take": 2, "frames": [[50, 100]],
        "spans": [{"start_seconds": 1.0, "stop_seconds": 2.0, "join_seconds": 2.5, "join_distance": 0.125,
                   "windows": [{"collapses": []}, {"collapses": ["it stood still"]}]}],
    }]  # fmt: skip
    headings, rows = record_table(record_lists(data)["Windows"], 6.0)
    assert headings == ["window", "start", "stop", "tries", "drawn again because"]
    assert rows[1] == ["2", "0:02.0", "0:04.0", "2", "it fell silent"]
    headings, rows = record_table(record_lists(data)["Edits"], 6.0)
    assert dict(zip(headings, rows[0], strict=True)) == {
        "edit": "1", "why": "redo", "take": "2", "start": "0:01.0", "stop": "0:02.0", "join": "0:02.5",
        "join distance": "0.125", "windows": "2", "drawn again because": "it stood still",
    }  # fmt: skip
    windows, edits = lanes(data)
    assert [span.marked for span in windows.spans] == [False, True, False]
    assert (edits.spans[0].label, edits.spans[0].join_seconds) == ("redo, take 2", 2.5)
    page = page_of(tmp_path, data)
    assert page.count('class="marked"') == 2
    assert 'class="join" x="41.667%"' in page
    assert "Windows (hatched: drawn again)" in page and "Edits (hatched: drawn again; \N{BLACK DIAMOND}: join)" in page


def test_records_of_stages_unknown_here_become_tables_and_lanes_by_themselves(tmp_path: Path) -> None:
    data = data_of() | {
        "cues": [{"start_seconds": 0.0, "stop_seconds": 4.5, "reason": "dialogue ends"}],
        "sentences": [{"start_seconds": 0.0, "sentence": "calm"}, {"start_seconds": 2.0, "sentence": "wild"}],
        "parts_heard": [{"start_seconds": 0.0, "stop_seconds": 6.0}],
        "takes": {"first": {"seed": 1, "distance": 0.5}, "second": {"seed": 2, "distance": 0.25}},
        "scene_count": 7,
    }
    assert [lane.title for lane in lanes(data)] == ["Windows", "Cues", "Sentences"]  # not what is the whole film
    assert [(span.stop_seconds, span.label) for span in lanes(data)[-1].spans] == [(2.0, "calm"), (6.0, "wild")]
    assert record_table(record_lists(data)["Takes"], 6.0)[1] == [["first", "1", "0.5"], ["second", "2", "0.25"]]
    page = page_of(tmp_path, data)
    assert page.count("dialogue ends") == 3  # table, axis, and what the script tells
    assert "<h2>Takes</h2>" in page and '<th scope="row">scene count</th><td>7</td>' in page


def test_names_carry_their_units_and_empty_values_are_left_out() -> None:
    told = value_table(
        {"music_gain_db": -1.02, "track": 0, "empty": None, "deliver": False, "mix": {"lead_seconds": 2.5}}
    )
    assert told == [
        ("music gain (dB)", "\N{MINUS SIGN}1.02"), ("track", "0"), ("deliver", "no"), ("mix: lead (s)", "2.5"),
    ]  # fmt: skip


def test_silence_without_film_keyframes_or_loudness_is_a_page_too(tmp_path: Path) -> None:
    data = data_of(0.4, windows=1)
    data["results"] = {"film": None}
    for name in ("levels", "edits", "windows"):
        data.pop(name)
    data["music"] = {"loudness_lufs": None, "loudness_range_lu": 0.0, "true_peak_dbtp": None, "momentary_lufs": [None]}
    bands = np.full((MEL_BANDS, 22), -70, np.float32)
    page = page_of(tmp_path, data, Picture(0.4, AffectCurve(np.zeros((1, 2))), [], bands))
    assert "<video" not in page and "Keyframes</text>" not in page and "Loudness (LUFS)" not in page
    assert '<th scope="row">music alone</th><td>silent</td><td>0.0</td><td>silent</td>' in page
    assert "nan" not in page.lower().replace("anchor", "")


@pytest.mark.parametrize(("seconds", "windows", "borders"), [(5.0, 3, 2 * 2), (7200.0, 400, 0)])
def test_the_page_of_a_film_of_any_length_stays_small(
    tmp_path: Path, seconds: float, windows: int, borders: int
) -> None:
    data = data_of(seconds, windows)
    data["music"]["momentary_lufs"] = data["levels"]["mix_momentary_lufs"] = [-20.0] * 240
    page = page_of(tmp_path, data, picture_of(seconds, keyframes=32))
    assert len(page) < 2 * 2**20  # with noise for pictures and sound, which takes more than any film
    assert page.count("<symbol") <= 16
    assert page.count('class="border') == borders  # so many of them would hide the curve
