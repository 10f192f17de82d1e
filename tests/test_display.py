"""What a notebook shows of a curve, an anchor and a score: whole, escaped, and of bounded size."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from narrascore import AffectCurve, MusicalAnchor, Pipeline
from narrascore.display import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, clock
from narrascore.score import Score
from narrascore.score_display import encode_opening
from tests.films import write_clip
from tests.systems import tiny_pipeline


def lines_of(shown: str) -> list[list[tuple[float, float]]]:
    """The polylines of a drawing, arousal first."""
    root = ElementTree.fromstring(shown.replace("&#9644;", ""))
    return [
        [(float(x), float(y)) for x, y in (point.split(",") for point in line.attrib["points"].split())]
        for line in root.iter("polyline")
    ]


def test_a_curve_is_drawn_where_it_runs() -> None:
    shown = AffectCurve(np.array([[-1, 1], [0, 0], [1, -1]]))._repr_html_()
    arousal, valence = lines_of(shown)
    top, middle, bottom = TOP, TOP + (HEIGHT - TOP - BOTTOM) / 2, HEIGHT - BOTTOM
    # Three rows of a second each: the last one holds to the end.
    assert [y for _, y in arousal] == [top, middle, bottom, bottom]
    assert [y for _, y in valence] == [bottom, middle, top, top]
    assert (valence[0][0], valence[-1][0]) == (LEFT, WIDTH - RIGHT)
    assert "3 s at 1 Hz" in shown and "matplotlib" not in shown


@pytest.mark.parametrize("rows", [1, 2, 36_000])
def test_a_curve_of_any_length_is_a_small_drawing(rows: int) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (rows, 2))
    shown = AffectCurve(noise)._repr_html_()
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for line in lines_of(shown) for x, y in line)
    assert len(shown) < 20_000


def test_an_anchor_is_a_sentence_and_a_table_and_everything_is_escaped() -> None:
    shown = MusicalAnchor(
        genre="<script>alert(1)</script>", mood='"tense" & dark', not_understood=("<b>",), keyframe_seconds=(1.5, 3661),
        notes={"warning": "<i>odd</i>", "reply": "not shown"},
    )._repr_html_()  # fmt: skip
    assert not re.search(r"<(script|b|i)>", shown)
    assert "&lt;script&gt;" in shown and "&quot;tense&quot; &amp; dark" in shown and "&lt;i&gt;odd" in shown
    assert "0:01.5, 1:01:01" in shown and "not shown" not in shown and "caption" not in shown
    ElementTree.fromstring(f"<div>{shown}</div>")


@pytest.mark.parametrize(("seconds", "told"), [(0, "0:00"), (59.96, "1:00"), (65.25, "1:05.2"), (7322, "2:02:02")])
def test_a_time_is_told_as_people_read_it(seconds: float, told: str) -> None:
    assert clock(seconds) == told


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> Score:
    folder = tmp_path_factory.mktemp("tiny")
    pipeline: Pipeline = tiny_pipeline(folder / "system")
    return pipeline(write_clip(folder / "<b>.mp4", 0.9), prompt="calm <i>strings")


def test_a_score_can_be_heard_and_read(score: Score) -> None:
    score.warnings.append("<u>odd</u>")
    shown = score._repr_html_()
    assert shown.count("<audio controls") == shown.count("<svg") == 1 and "data:audio/mpeg;base64," in shown
    assert "&lt;b&gt;.mp4" in shown and "calm &lt;i&gt;strings" in shown and "&lt;u&gt;odd" in shown
    assert "64 x 48, h264" in shown and "aac, mono" in shown and "The first" not in shown


def test_only_so_much_of_long_music_is_inlined(score: Score, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rate_hz = score.sample_rate_hz
    for most in (0.3, 60.0):
        sound, rate = soundfile.read(io.BytesIO(encode_opening(score, most)))
        wanted = min(most, 0.9) * rate_hz
        # MP3 holds whole frames, 1152 samples or half as many, and begins a little late.
        assert rate == rate_hz and wanted <= len(sound) <= wanted + 2 * 1152
    monkeypatch.setattr("narrascore.score_display.INLINE_SECONDS", 0.5)
    assert "The first 0:00.5 of 0:00.9" in score._repr_html_()
