"""`narrascore read`: the flags of score, no music, and the words that go on from there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from narrascore.cli.main import main
from narrascore.cli.read import _parser as read_parser
from narrascore.cli.score import _parser as score_parser
from tests.films import write_clip
from tests.systems import tiny_system_folder


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_system_folder(tmp_path_factory.mktemp("tiny"))


def test_read_takes_the_flags_of_score() -> None:
    assert [action.dest for action in read_parser()._actions] == [action.dest for action in score_parser()._actions]


def test_films_are_read_and_the_next_command_named(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a film.mp4", "b.mp4"):
        write_clip(Path(name), 1.0, sound=False)
    words = ["a film.mp4", "b.mp4", "--system", str(system), "--curve-smoothing", "2", "--force"]
    assert main(["read", *words]) == 0
    said = capsys.readouterr().out.splitlines()
    for name in ("curve.csv", "curve.png", "anchor.json"):
        assert str(Path("a film.narrascore") / name) in [
            str(Path(line).relative_to(tmp_path)) for line in said if line.endswith(name)
        ]
        assert (tmp_path / "b.narrascore" / name).is_file()
    assert not list(tmp_path.rglob("music.wav")) and not list(tmp_path.glob("*.scored.*"))
    assert said[-1] == f"next: narrascore score 'a film.mp4' b.mp4 --system {system} --curve-smoothing 2"
    assert [re.split(" {2,}", line)[1] for line in said[-3:-1]] == ["read", "read"]

    assert main(["read", *words[:-1]]) == 0
    assert "a film.mp4: read before and nothing has changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "no film is named; narrascore read FILM, and narrascore read --help tells more"),
        (["a.mp4", "--curve-smoothing", "-1"], 2, "curve_smoothing_seconds must not be negative: got -1"),
        (["a.mp4", "curve_smoothing_seconds=soft"], 2, "curve_smoothing_seconds must be a number"),
        (["none such.mp4"], 3, "none such.mp4"),
        (["none.mp4", "nor this.mp4"], 6, "2 of 2 films could not be read"),
    ],
)
def test_what_cannot_be_read_is_said(
    words: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["read", *words]) == code
    told = capsys.readouterr()
    assert said in told.err.splitlines()[-1] and "next:" not in told.out
    assert list(tmp_path.iterdir()) == []
