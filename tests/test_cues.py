"""Cues as a value and as a table: what is read and refused, and the arithmetic of fades, holes and gaps."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascore import Cue
from narrascore.cue_editing import missing_spans
from narrascore.cues import check_cues, cut_holes, gaps_between, read_cues, to_csv, whole_film
from narrascore.errors import InputError, UsageError
from narrascore.spans import Span, overlap

HEAD = "in_seconds,out_seconds,fade_in_seconds,fade_out_seconds\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "cues.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_read_in_any_order_and_notation(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEAD}01:00:00,1:00:30.5,0.5,0\n12.25,01:00,,\n\n70,72,,\n")
    assert read_cues(path, 4000) == (
        Cue(12.25, 60, 1, 2), Cue(70, 72, Fraction(1, 2), Fraction(1, 2)), Cue(3600, 3630.5, 0.5, 0),
    )  # fmt: skip


def test_a_cue_all_but_at_an_end_of_the_film_is_at_it(tmp_path: Path) -> None:
    duration = Fraction(143_143, 24_000)  # 5.964291666... s: no table says that exactly
    (cue,) = read_cues(write(tmp_path, to_csv(whole_film(duration))), duration)
    assert (cue,) == whole_film(duration) and cue.frames(25, 150) == Span(0, 150)
    (cue,) = check_cues([Cue(0.04, 5.93)], duration)
    assert (cue.in_seconds, cue.out_seconds) == (0, duration)


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        ("5,5,0,0", 2, "ends at 5 s, not after its beginning"),
        ("1,9,0,0\n8,12,0,0", 3, "before the one that ends at 9 s is over"),
        ("8,12,0,0\n1,9,0,0", 2, "before the one that ends at 9 s is over"),
        ("50,61,0,0", 2, "does not lie in the film, which ends at 60 s"),
        ("70,80,0,0", 2, "does not lie in the film"),
        ("1,9,-1,0", 2, "a fade must not be negative"),
        ("1,9,5,3.1", 2, "fades of 5 and 3.1 s do not fit into a cue of 8 s"),
        ("1,1.1,0,0", 2, "the shortest has 0.2 s"),
        ("x,9,0,0", 2, "'x' is no time"),
        ("-1,9,0,0", 2, "'-1' is no time"),
        ("1,9,0", 2, "four values wanted, got 3"),
    ],
)
def test_what_is_no_cue_is_refused_with_its_line(tmp_path: Path, rows: str, line: int, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_cues(write(tmp_path, HEAD + rows + "\n"), 60)
    message = str(caught.value)
    assert message.startswith(f"cues cues.csv, line {line}: ") and said in message and "\n" not in message


@pytest.mark.parametrize(
    ("text", "said"), [("", "line 1: the columns"), ("a,b\n", "line 1: the columns"), (HEAD, "no music at all")]
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_cues(write(tmp_path, text), 60)
    with pytest.raises(InputError, match="not a regular file"):
        read_cues(tmp_path, 60)


def test_cues_in_python_are_checked_alike() -> None:
    with pytest.raises(UsageError, match="before the one that ends at 5 s is over"):
        check_cues([Cue(1, 5), Cue(4, 9)], 60)
    with pytest.raises(UsageError, match="no music at all"):
        check_cues([], 60)
    with pytest.raises(UsageError, match="finite"):
        Cue(1, float("nan"))


times = st.integers(0, 600).map(lambda tenths: Fraction(tenths, 10))  # further from the film's ends than what snaps


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Cue, ...]:
    """Cues of a film of a minute: in order, each at least 0.2 s long, some touching."""
    edges = sorted(draw(st.sets(st.integers(0, 300), min_size=2, max_size=12)))
    cues = []
    for start, stop in itertools.pairwise(edges):
        if draw(st.booleans()):
            half = Fraction(stop - start, 10)
            cues.append(Cue(Fraction(start, 5), Fraction(stop, 5), half * draw(st.sampled_from([0, 1])), half / 2))
    return tuple(cues) or (Cue(0, 60, 0, 0),)


@given(layouts())
def test_tables_and_checks_change_nothing(cues: tuple[Cue, ...]) -> None:
    assert check_cues(reversed(cues), 60) == cues
    for cue, line in zip(cues, to_csv(cues).splitlines()[1:], strict=True):
        assert [Fraction(cell) for cell in line.split(",")] == list(vars(cue).values())


@given(layouts())
def test_cues_and_gaps_fill_the_film(cues: tuple[Cue, ...]) -> None:
    pieces = sorted([*gaps_between(cues, 60), *((cue.in_seconds, cue.out_seconds) for cue in cues)])
    assert pieces[0][0] == 0 and pieces[-1][1] == 60
    assert all(a[1] == b[0] and a[0] < a[1] for a, b in itertools.pairwise(pieces))


@given(layouts(), st.lists(st.tuples(times, times).filter(lambda hole: hole[0] < hole[1]), max_size=3))
def test_holes_take_away_and_add_nothing(cues: tuple[Cue, ...], holes: list[tuple[Fraction, Fraction]]) -> None:
    left = cut_holes(cues, holes)
    if left:
        assert check_cues(left, 60) == left
    for cue in left:
        assert all(cue.out_seconds <= start or stop <= cue.in_seconds for start, stop in holes)
        assert any(old.in_seconds <= cue.in_seconds and cue.out_seconds <= old.out_seconds for old in cues)
    untouched = [c for c in cues if all(c.out_seconds <= start or stop <= c.in_seconds for start, stop in holes)]
    assert set(untouched) <= set(left)


@given(layouts(), st.sampled_from([25.0, 50.0, 86.13]))
def test_frames_lie_in_their_cue(cues: tuple[Cue, ...], rate_hz: float) -> None:
    total = int(np.ceil(60 * rate_hz))
    spans = [cue.frames(rate_hz, total) for cue in cues]
    for cue, span in zip(cues, spans, strict=True):
        assert 0 <= span.start < span.stop <= total
        assert span.start >= cue.in_seconds * Fraction(rate_hz)
        assert span.stop <= cue.out_seconds * Fraction(rate_hz) or span.stop == total
    assert all(a.stop <= b.start for a, b in itertools.pairwise(spans))


@given(layouts(), st.integers(0, 5000))
def test_gains_rise_from_nothing_and_fall_to_it_however_they_are_asked_for(cues: tuple[Cue, ...], cut: int) -> None:
    for cue in cues:
        start, stop = cue.samples(1000)
        whole = cue.gains(start, stop - start, 1000)
        cut = min(cut, stop - start)
        assert np.array_equal(whole[cut:], cue.gains(start + cut, stop - start - cut, 1000))
        first, last = round(cue.fade_in_seconds * 1000), round(cue.fade_out_seconds * 1000)
        assert (whole[first : stop - start - last] == 1).all() and (np.diff(whole[:first]) >= 0).all()
        assert (whole[0] == 0) == (first > 0) and (whole[-1] == 0) == (last > 0)
        assert first < 4 or whole[first // 2] == pytest.approx(0.5, abs=1 / first * 2)


spans = st.sets(st.integers(0, 100), min_size=2, max_size=10).map(
    lambda edges: [Span(*pair) for pair in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)


@given(spans, spans, st.integers(0, 12), st.integers(0, 6))
def test_what_stays_and_what_is_composed_make_up_the_cues(
    kept: list[Span], cues: list[Span], closing: int, gap: int
) -> None:
    def frames(of: list[Span]) -> set[int]:
        return {frame for span in of for frame in range(span.start, span.stop)}

    missing = missing_spans(kept, cues, closing, gap)
    assert frames(missing) | frames(overlap(kept, cues)) == frames(cues)
    assert all(any(cue.start <= span.start and span.stop <= cue.stop for cue in cues) for span in missing)
    assert missing_spans(cues, cues, closing, gap) == [] == missing_spans(kept, kept, closing, gap)
    for cue in cues:
        ends = [old.stop for old in kept if old.start < cue.stop <= old.stop]
        # A cue that ends where the kept music did keeps its end; any other gets one of its own.
        assert (cue.stop in ends) or any(span.stop == cue.stop for span in missing)
