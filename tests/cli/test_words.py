"""Flags, film names and key=value words in any order, with any name a person may give a film."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrascore.cli.words import Parser
from narrascore.errors import UsageError

WEIRD_NAMES = [
    "Film (2019), part 1.mp4",
    'it\'s "quoted".mp4',
    "two\nlines.mp4",
    "$(rm -rf x).mp4",
    "${oc.env:HOME}.mp4",
    "Ünïcödé 映画.mp4",
    "A=B.mp4",
    "[a]{b}:c.mp4",
    " leading space.mp4",
    "/abs/path/seed=3.mp4",
    "./seed=3.mp4",
]


@pytest.fixture
def parser() -> Parser:
    parser = Parser("score", "", "FILM")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--force", action="store_true")
    return parser


@pytest.mark.parametrize("name", WEIRD_NAMES)
def test_any_film_name_goes_through(parser: Parser, name: str) -> None:
    line = parser.take_apart([name, "--seed", "1", "audio=mix", "other.mp4"])
    assert line.names == [name, "other.mp4"]
    assert line.overrides == ["audio=mix"]
    assert line.flags == {"seed": 1}


@pytest.mark.parametrize("name", ["--x.mp4", "-o", "--", "seed=3", "-1"])
def test_after_a_bare_double_dash_everything_is_a_name(parser: Parser, name: str) -> None:
    line = parser.take_apart(["--force", "--", name])
    assert (line.names, line.overrides, line.flags) == ([name], [], {"force": True})


def test_an_existing_file_is_never_a_setting(parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parser.take_apart(["seed=3"]).overrides == ["seed=3"]
    (tmp_path / "seed=3").touch()
    assert parser.take_apart(["seed=3"]).names == ["seed=3"]


def test_flags_that_are_not_given_say_nothing(parser: Parser) -> None:
    assert parser.take_apart([]).flags == {}


@pytest.mark.parametrize("words", [["--sed", "1"], ["--see", "1"], ["--seed"], ["--seed", "x"], ["--x.mp4"]])
def test_what_is_not_a_flag_is_said_in_one_line(parser: Parser, words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]+see narrascore score --help$"):
        parser.take_apart(words)
