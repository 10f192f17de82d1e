"""`narrascore score` with everything but a music model: what it asks for, refuses and says."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from narrascore.cli.config import compose_settings
from narrascore.cli.main import main
from narrascore.cli.score import PATHS_AND_TEXT, ScoreSettings, _parser
from narrascore.cli.settings import read_settings
from narrascore.job import ScoreOptions
from narrascore.media.mix_settings import MixSettings


def test_every_key_is_a_flag_and_every_flag_is_a_key() -> None:
    keys = set(compose_settings("score", {}, []))
    flags = {action.dest.split(".")[0] for action in _parser()._actions} - {"help", "words"}
    flags -= {"json", "dry_run"}  # how results are told, and whether: no settings of the music
    assert flags == keys == {field.name for field in fields(ScoreSettings)}


def test_a_folder_or_text_never_meets_hydra() -> None:
    text = "a, b (c)={d} ${e}"
    composed = compose_settings("score", {}, [f"{key}={text}" for key in PATHS_AND_TEXT], verbatim=PATHS_AND_TEXT)
    settings = read_settings(ScoreSettings, composed)
    assert {str(getattr(settings, key)) for key in PATHS_AND_TEXT} == {text}


def test_the_file_states_the_defaults_of_a_job() -> None:
    settings = read_settings(ScoreSettings, compose_settings("score", {}, []))
    defaults = ScoreOptions()
    assert (settings.seed, settings.stems, settings.force) == (defaults.seed, defaults.stems, defaults.force)
    assert (settings.mix, settings.deliver) == (defaults.mix, defaults.deliver)
    assert (settings.output, settings.audio, settings.curve) == (None, None, None)
    assert (settings.redo, settings.take, settings.start, settings.stop) == (None, defaults.take, None, None)
    assert (settings.engine_change, settings.batch) == (defaults.engine_change, defaults.batch)
    assert settings.system == "embedded"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "no film is named"),
        (["a.mp4", "--seed", "1", "seed=2"], 2, "seed is given twice"),
        (["a.mp4", "--audio", "loud"], 2, "invalid choice"),
        (["a.mp4", "audio=loud"], 2, "audio is one of duck, mix, replace, music-only"),
        (["a.mp4", "--loudness", "-3"], 2, "mix.loudness is off or from -40 to -8"),
        (["a.mp4", "mix.release_seconds=-1"], 2, "mix.release_seconds must not be negative"),
        (["a.mp4", "seed=x"], 2, "seed must be a whole number"),
        (["a.mp4", "+nonsense=1"], 2, "no setting nonsense"),
        (["a.mp4", "sed=1"], 2, "did you mean seed?"),
        (["a.mp4", "b.mp4", "-o", "x.mp4"], 2, "several films need a folder"),
        (["a.mp4", "--redo", "5-1"], 2, "ends before it begins"),
        (["a.mp4", "redo=5"], 2, "write START-STOP"),
        (["a.mp4", "--at", "1-2", "arousal=2"], 2, "numbers in [-1, 1]"),
        (["a.mp4", "at=[1-2 loud]"], 2, "write START-STOP and arousal=A"),
        (["a.mp4", "--take", "0"], 2, "take counts from 1"),
        (["a.mp4", "--batch", "0"], 2, "batch is at least one window"),
        (["a.mp4", "--prompt", "soft " * 61], 2, "prompt is one sentence of at most 300 characters"),
        (["a.mp4", "--from", "1:00"], 2, "give both"),
        (["a.mp4", "--from", "x", "--to", "1"], 2, "'x' is no time"),
        (["."], 3, "names no film"),
        (["none such.mp4"], 3, "none such.mp4"),
        (["--", "--none.mp4"], 3, "--none.mp4"),
        (["none.mp4", "nor this.mp4"], 6, "2 of 2 films could not be scored"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["score", *words]) == code
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[-1]
    assert all(line.startswith("narrascore: ") for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_loudness_is_a_number_of_either_sign_or_off() -> None:
    for words in (["--loudness", "-16"], ["mix.loudness=-16"]):
        line = _parser().take_apart(words)
        assert read_settings(ScoreSettings, compose_settings("score", line.flags, line.overrides)).mix.loudness == -16
    off = compose_settings("score", _parser().take_apart(["--loudness", "off"]).flags, [])
    assert read_settings(ScoreSettings, off).mix == MixSettings()


def test_several_films_are_summed_up(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films.txt").write_text("one.mp4\nsecond film.mp4\n", encoding="utf-8")
    assert main(["score", "films.txt"]) == 6
    table = capsys.readouterr().out.splitlines()[1:]
    assert [line.split("  ")[0].strip() for line in table] == ["one.mp4", "second film.mp4"]
    assert all("failed" in line and "cannot be opened" in line for line in table)


def test_the_first_line_names_the_system(capsys: pytest.CaptureFixture[str]) -> None:
    main(["score", "none such.mp4"])
    first = capsys.readouterr().out.splitlines()[0]
    assert "embedded" in first and "--system paper" in first
