"""`--json`: records on stdout and nothing else, failures too, with the exit code that the command has anyway."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

from narrascore.checkup.check import Check
from narrascore.cli import records
from narrascore.cli.main import main
from narrascore.job import ScoreOptions, score_film
from tests import hub_server
from tests.films import write_clip
from tests.systems import tiny_pipeline, tiny_system_folder
from tests.test_hub import FILES, narrascore

ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "FilmRecord": records.FilmRecord,
    "PlanRecord": records.PlanRecord,
    "CheckpointRecord": records.CheckpointRecord,
    "CleanRecord": records.CleanRecord,
    "DoctorRecord": records.DoctorRecord,
    "CheckRecord": records.CheckRecord,
    "Failure": records.Failure,
    "Problem": records.Problem,
}


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What stdout holds, every line of which has to be a record."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def keys(kind: type) -> set[str]:
    return set(typing.get_type_hints(kind))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_system_folder(tmp_path_factory.mktemp("tiny"))


def test_the_document_names_every_key_of_every_record() -> None:
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        section = text.split(f"## {name}\n")[1].split("\n## ")[0]
        cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        assert set(re.findall(r"`(\w+)`", " ".join(cells))) == keys(kind), name
    assert keys(records.CheckRecord) <= {field.name for field in dataclasses.fields(Check)}


def test_films_are_told_as_they_are_done(system: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = write_clip(tmp_path / "ä b.mp4", 0.5, sound=False)
    words = ["score", str(film), "--system", str(system), "--prompt", "calm strings", "--json"]
    assert main(words) == 0
    (scored,) = told(capsys)
    assert keys(records.FilmRecord) == set(scored)
    assert (scored["film"], scored["status"], scored["error"]) == (str(film), "scored", None)
    assert Path(scored["scored_film"]).is_file() and (Path(scored["folder"]) / "music.wav").is_file()
    assert {"read", "compose", "render", "film"} <= set(scored["stage_seconds"])

    assert main([*words, "none.mp4"]) == 6
    unchanged, failed, failure = told(capsys)
    assert (unchanged["status"], unchanged["stage_seconds"]) == ("unchanged", {})
    assert (failed["status"], failed["error"]["kind"], failed["error"]["exit_code"]) == ("failed", "InputError", 3)
    assert (failure["error"]["kind"], failure["error"]["exit_code"]) == ("SomeFilmsFailedError", 6)


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (["score", "none.mp4", "--json"], 3, "InputError"),
        (["score", "--json", "a.mp4", "sed=1"], 2, "UsageError"),
        (["score", "--json"], 2, "UsageError"),
        (["clean", "none.mp4", "--json"], 3, "InputError"),
        (["scor", "--json"], 2, "UsageError"),
    ],
)
def test_a_failure_is_the_last_line(
    words: list[str],
    code: int,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    *_, failure = told(capsys)
    assert set(failure) == keys(records.Failure) and set(failure["error"]) == keys(records.Problem)
    assert failure["command"] == words[0]
    assert (failure["error"]["kind"], failure["error"]["exit_code"]) == (kind, code)


def test_behind_a_bare_dash_dash_it_is_the_name_of_a_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["score", "--", "--json"]) == 3
    assert "error" not in capsys.readouterr().out


def test_freed_folders_are_told(system: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = write_clip(tmp_path / "a.mp4", 0.5, sound=False)
    score_film(tiny_pipeline(system), film, ScoreOptions(audio="music-only", prompt="calm strings"))
    capsys.readouterr()
    assert main(["clean", str(film), "--dry-run", "--json"]) == 0
    (counted,) = told(capsys)
    assert main(["clean", str(film), "--json"]) == 0
    (freed,) = told(capsys)
    assert set(freed) == keys(records.CleanRecord)
    assert counted == {**freed, "dry_run": True} and freed["freed_bytes"] > 0
    assert freed["folder"] == str(film.with_suffix(".narrascore"))


def test_checkpoints_are_told(tmp_path: Path) -> None:
    with hub_server.serve_hub("someone/tiny", FILES) as hub:
        words = ("download", "someone/tiny", "--to", str(tmp_path / "models"), "--json")
        first, again = (narrascore(tmp_path / "home", hub.url, *words) for _ in range(2))
    assert first.returncode == again.returncode == 0, first.stderr
    record, later = json.loads(first.stdout), json.loads(again.stdout)
    assert set(record) == keys(records.CheckpointRecord)
    assert (record["name"], record["revision"]) == ("someone/tiny", hub_server.COMMIT)
    assert record["fetched_bytes"] == record["size_bytes"] >= 5000 and later["fetched_bytes"] == 0
    assert Path(record["folder"]) == tmp_path / "models" / "tiny" and "to fetch" in first.stderr


def test_a_reader_that_leaves_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "narrascore.cli.main", "score", "--json", "none.mp4", "nor this.mp4"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout and process.stderr
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 5
    assert "nobody reads the results any more" in said and "Traceback" not in said and "Exception ignored" not in said


def test_a_film_that_is_only_read_is_told_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = write_clip(tmp_path / "a.mp4", 0.5, sound=False)
    assert main(["read", str(film), "--dry-run", "--json"]) == 0
    (planned,) = told(capsys)
    assert (planned["command"], planned["status"], planned["windows_to_compose"]) == ("read", "new", 0)
    assert not film.with_suffix(".narrascore").exists()
    assert main(["read", str(film), "--json"]) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert (record["command"], record["status"], record["scored_film"]) == ("read", "read", None)
    assert "next: narrascore score" in err and (Path(record["folder"]) / "curve.csv").is_file()
