from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from narrascore.errors import UsageError
from narrascore.spans import (
    Span,
    changed_spans,
    choose_part,
    frames_of,
    merge,
    overlap,
    parse_seconds,
    parse_spans,
    windows_of,
    windows_over,
    write_seconds,
)
from narrascore.windows import continuation_windows


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("42", 42), ("90", 90), ("1.25", Fraction(5, 4)), ("00:42", 42), ("1:30", 90), ("12:00.5", 720.5),
        ("01:02:03", 3723), ("10:00:00", 36_000), (" 7 ", 7),
    ],
)  # fmt: skip
def test_times_are_read_exactly(text: str, seconds: Fraction | float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:60:00", "1:2:3:4", "a", "1e3", "1:", ":1", "nan", "1,5", "١"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no time"):
        parse_seconds(text)


def test_spans_are_read_in_order() -> None:
    assert parse_spans("01:30-02:00; 00:42-00:58;") == ((42, 58), (90, 120))


@pytest.mark.parametrize("text", ["", ";", "5", "5-5", "8-5", "5-6-7", "1:00-0:30"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_spans(text)


def test_a_part_has_two_ends() -> None:
    assert choose_part(None, None) is None
    assert choose_part(Fraction(1), Fraction(2)) == (1, 2)
    for ends in ((Fraction(1), None), (None, Fraction(1)), (Fraction(2), Fraction(2))):
        with pytest.raises(UsageError):
            choose_part(*ends)


def test_names_on_disk_say_the_time() -> None:
    assert [write_seconds(Fraction(s)) for s in ("0", "42", "720.5", "3723", "59.9999")] == [
        "00m00s", "00m42s", "12m00.5s", "1h02m03s", "01m00s",
    ]  # fmt: skip


def test_frames_hold_the_span_and_end_with_the_film() -> None:
    assert frames_of([(Fraction("0.41"), Fraction("0.59"))], 10.0, 100) == [Span(4, 6)]
    assert frames_of([(Fraction(5), Fraction(20)), (Fraction(2), Fraction(5))], 10.0, 100) == [Span(20, 100)]
    with pytest.raises(UsageError, match="behind the film's end at 10 s"):
        frames_of([(Fraction(10), Fraction(11))], 10.0, 100)


def test_spans_near_one_another_are_one() -> None:
    assert merge([Span(8, 9), Span(0, 3), Span(3, 5)]) == [Span(0, 5), Span(8, 9)]
    assert merge([Span(8, 9), Span(0, 3), Span(3, 5)], gap=3) == [Span(0, 9)]


def test_a_change_is_heard_before_and_after_it() -> None:
    changed = np.zeros(100, dtype=bool)
    changed[[20, 21, 60]] = True
    assert changed_spans(changed, before=5, after=3, gap=0) == [Span(15, 25), Span(55, 64)]
    assert changed_spans(changed, before=25, after=50, gap=0) == [Span(0, 100)]
    assert changed_spans(np.zeros(9, dtype=bool), before=5, after=3, gap=0) == []


@pytest.mark.parametrize("window", [30, 47])
@pytest.mark.parametrize("prompt", [0, 12, 29])
def test_the_windows_of_a_span_compose_exactly_it(window: int, prompt: int) -> None:
    for first, start in ((0, 0), (0, 1), (0, 11), (0, 12), (0, 13), (0, 200), (50, 50), (50, 61), (50, 200)):
        for frames in (1, 17, 18, 19, 100):
            windows = windows_of(Span(start, start + frames), Span(first, start + frames), window, prompt)
            assert windows[0].new_start == start and windows[-1].stop == start + frames
            assert windows[0].prompt == min(start - first, prompt)
            assert all(a.stop == b.new_start and b.prompt == prompt for a, b in itertools.pairwise(windows))
            assert all(0 < w.frames <= window and w.frames > w.prompt and w.start >= first for w in windows)


@pytest.mark.parametrize("total", [100, 101])
def test_a_span_s_last_window_may_end_only_with_its_cue(total: int) -> None:
    last = [window.last for window in windows_of(Span(20, 100), Span(10, total), 40, 15)]
    assert last == [False] * (len(last) - 1) + [total == 100]


def test_the_windows_of_all_are_those_of_the_film() -> None:
    film = Span(0, 100)
    assert windows_of(film, film, 40, 15) == windows_over(film, film, 40, 15) == continuation_windows(100, 40, 15)


def test_a_part_is_covered_by_windows_of_its_cue() -> None:
    for first, total in ((0, 200), (30, 230)):
        cue = Span(first, total)
        whole = windows_of(cue, cue, 40, 15)
        for start in range(first, total - 1, 7):
            for stop in range(start + 1, total + 1, 13):
                windows = windows_over(Span(start, stop), cue, 40, 15)
                assert windows[0].start <= start and windows[-1].stop >= stop
                assert windows[1:] == whole[windows[0].index + 1 : windows[-1].index + 1]
                assert windows[0] == replace(whole[windows[0].index], prompt=0)


def test_spans_in_cues_are_cut_at_their_edges() -> None:
    cues = [Span(0, 5), Span(5, 9), Span(20, 30)]
    assert overlap([Span(3, 25)], cues) == [Span(3, 5), Span(5, 9), Span(20, 25)]
    assert overlap([Span(9, 20)], cues) == overlap([], cues) == []
