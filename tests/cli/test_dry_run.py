"""`narrascore score --dry-run`: what it says comes true, nothing is written, and it refuses what the job refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from narrascore import Pipeline
from narrascore.cli.main import main
from narrascore.errors import InterruptedJobError
from narrascore.estimate import Work, estimate
from narrascore.job import ScoreOptions, score_film
from narrascore.manifest import Manifest, locked
from narrascore.parts import SystemSettings
from narrascore.planning import Plan, look_at_system, plan_film
from tests.films import write_clip
from tests.systems import tiny_pipeline, tiny_system_folder

OPTIONS = ScoreOptions(prompt="calm strings", audio="replace")
SECONDS = 0.9
"""Three windows of the tiny system: 0.4 s, then two that add 0.25 s each."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_system_folder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def pipeline(system: Path) -> Pipeline:
    return tiny_pipeline(system)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "a.mp4", SECONDS, sound=False)


def plan(film: Path, system: Path, options: ScoreOptions = OPTIONS) -> Plan:
    return plan_film(film, options, lambda: look_at_system(SystemSettings(system=str(system))))


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_what_it_says_comes_true(pipeline: Pipeline, system: Path, film: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    planned = plan(film, system)
    assert snapshot(tmp_path) == before
    assert (planned.status, planned.windows, planned.windows_to_compose) == ("new", 3, 3)

    done = score_film(pipeline, film, OPTIONS)
    manifest = Manifest.load(done.folder)
    assert manifest is not None and len(manifest.data["windows"]) == planned.windows
    assert (done.film, done.folder) == (planned.place.scored, planned.place.folder)
    assert done.film is not None
    sound = [done.film, done.folder / "music.wav"]
    assert sum(path.stat().st_size for path in sound) <= planned.disk_bytes

    before = snapshot(tmp_path)
    assert plan(film, system, replace(OPTIONS, audio="music-only")).status == "finished"
    again = plan(film, system)
    assert (again.status, again.windows_to_compose, again.seconds, again.disk_bytes) == ("finished", 0, 0.0, 0)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("asked", "composed", "said"),
    [
        ({"seed": 1}, 3, "seed: 0 then, 1 now"),
        ({"prompt": "tense piano"}, 3, "prompt: calm strings then, tense piano now"),
        ({"deliver": True}, 0, "deliver: False then, True now"),
        ({"audio": "music-only", "deliver": True}, 0, None),
        ({"force": True}, 3, None),
        ({"redo": ((Fraction(1, 2), Fraction(3, 5)),)}, 1, None),
        ({"part": (Fraction(0), Fraction(1, 2))}, 2, None),
    ],
)
def test_of_a_finished_job_only_what_is_asked_for_is_redone(
    pipeline: Pipeline, system: Path, film: Path, asked: dict[str, Any], composed: int, said: str | None
) -> None:
    score_film(pipeline, film, OPTIONS)
    planned = plan(film, system, replace(OPTIONS, **asked))
    assert planned.status == "changed"
    assert planned.windows_to_compose == composed
    assert said is None or planned.changes == (said,)
    assert planned.seconds is not None and planned.seconds > 0
    assert planned.estimated_from == "a.narrascore"


def test_an_edited_curve_is_seen_and_an_unfinished_job_goes_on(pipeline: Pipeline, system: Path, film: Path) -> None:
    windows_done = 0

    def stop_in_the_second_window(stage: str, done: float, total: float) -> None:
        nonlocal windows_done
        windows_done = len(list(film.with_name("a.narrascore").glob("windows/[0-9]*.safetensors")))
        if stage == "compose" and windows_done:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        score_film(pipeline, film, OPTIONS, stop_in_the_second_window)
    planned = plan(film, system)
    assert (planned.status, planned.windows_to_compose) == ("unfinished", 3 - windows_done)

    folder = score_film(pipeline, film, OPTIONS).folder
    assert plan(film, system).status == "finished"
    curve = folder / "curve.csv"
    curve.write_text(curve.read_text(encoding="utf-8").replace("0.", "0.1"), encoding="utf-8")
    edited = plan(film, system)
    assert edited.status == "changed" and edited.changes == ("curve.csv: edited",)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["none.mp4"], 3, "none.mp4"),
        (["a.mp4", "-o", "taken.mp4"], 2, "is in the way"),
        (["a.mp4", "-o", "a.mp4"], 2, "that is the film itself"),
        (["a.mp4", "-o", "notes.txt/x"], 3, "cannot be written"),
        (["a.mp4", "--redo", "5-6"], 2, "behind the film's end"),
        (["a.mp4", "--curve", "notes.txt"], 3, "the columns must be"),
        (["a.mp4", "--system", "paper", "--offline"], 4, "not on this machine"),
        (["a.mp4", "--system", "paper", "--require-commercial"], 4, "its licence is"),
        (["a.mp4", "none.mp4"], 6, "1 of 2 films could not be scored"),
    ],
)
def test_it_refuses_what_the_job_refuses(
    words: list[str],
    code: int,
    said: str,
    film: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no cache"))
    (tmp_path / "taken.mp4").write_bytes(b"somebody's film")
    (tmp_path / "notes.txt").write_text("notes", encoding="utf-8")
    before = snapshot(tmp_path)
    assert main(["score", *words, "--dry-run"]) == code
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert snapshot(tmp_path) == before


def test_disks_and_locks_are_looked_at(
    pipeline: Pipeline,
    system: Path,
    film: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = score_film(pipeline, film, OPTIONS).folder
    words = ["score", str(film), "--system", str(system), "--dry-run", "seed=1"]
    assert main(words) == 0
    with locked(folder):
        assert main(words) == 3
    assert "another run" in capsys.readouterr().err
    other = write_clip(tmp_path / "b.mp4", SECONDS, sound=False)
    need = [plan(each, system, replace(OPTIONS, seed=1, prompt="")).disk_bytes for each in (film, other)]
    free = 64 * 2**20 + max(need) + 1
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": free})())
    assert main(words) == 0 and main([*words, str(other)]) == 3
    assert "films together need" in capsys.readouterr().err
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    assert main(words) == 3
    assert "are free where" in capsys.readouterr().err


def test_it_speaks_json(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(film), "none.mp4", "--dry-run", "--json", "audio=music-only"]) == 6
    new, failed, failure = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert set(new) == set(failed)
    assert (new["status"], new["system"], new["windows"], new["scored_film"]) == ("new", "embedded", 1, None)
    assert new["estimated_seconds"] > 0 and new["duration_seconds"] == pytest.approx(SECONDS)
    assert (failed["status"], failed["windows"], failed["error"]["exit_code"]) == ("failed", None, 3)
    assert failure["error"]["exit_code"] == 6


def test_the_slowest_of_earlier_jobs_is_taken_and_what_nobody_knows_is_not_guessed(tmp_path: Path) -> None:
    for name, seconds in (("one", 20.0), ("two", 30.0), ("other", 500.0)):
        folder = tmp_path / f"{name}.narrascore"
        folder.mkdir()
        Manifest(folder, {
            "state": "finished", "film": {"duration_seconds": 10.0}, "stage_seconds": {"compose": seconds},
            "system": "embedded", "parts": {"music": {"music": "mine" if name != "other" else "another"}},
            "environment": {"device": "cpu"},
        }).save()  # fmt: skip
    work = Work({"compose": 10.0}, "mine", "cpu", "embedded")
    starting = estimate(replace(work, seconds={"other": 1.0}), tmp_path / "new.narrascore")[0]
    seconds, source = estimate(work, tmp_path / "new.narrascore")
    assert starting is not None and seconds == 30.0 + starting
    assert source == f"2 earlier jobs in {tmp_path}"
    seconds, source = estimate(replace(work, device="cuda"), tmp_path / "new.narrascore")
    assert seconds is None and "no measurement of mine on cuda" in source
