"""`narrascore clean`: what it frees, what it keeps, and that a finished job stays finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrascore import Pipeline
from narrascore.cli.main import main
from narrascore.job import ScoreOptions, score_film
from narrascore.manifest import Manifest, locked
from tests.films import write_clip
from tests.systems import tiny_pipeline

OPTIONS = ScoreOptions(audio="music-only", prompt="calm strings")


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {".lock"}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def film(pipeline: Pipeline, tmp_path: Path) -> Path:
    film = write_clip(tmp_path / "a.mp4", 0.5, sound=False)
    score_film(pipeline, film, OPTIONS)
    return film


def test_windows_go_and_results_stay(pipeline: Pipeline, film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = film.with_name("a.narrascore")
    before = names(folder)
    assert main(["clean", str(film), "--dry-run"]) == 0
    assert "would be free" in capsys.readouterr().out and names(folder) == before
    assert main(["clean", str(film)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{folder}: ") and out[-1].endswith(" freed") and out[-1] != "0.0 KiB freed"
    assert before - names(folder) == {"windows/00000.safetensors", "windows/00001.safetensors"}
    assert score_film(pipeline, film, OPTIONS).already_finished

    score_film(pipeline, film, ScoreOptions(audio="music-only", prompt="calm strings", seed=1))
    assert main(["clean", str(film.parent), "--reading", "--versions"]) == 0
    edited = {"curve.csv", "anchor.json", "cues.csv"}
    kept = edited | {"music.wav", "figure.png", "report.html", "provenance.json", "manifest.json"}
    assert names(folder) == kept | {"windows/codes.safetensors", *(f"windows/{name}" for name in edited)}
    assert score_film(pipeline, film, ScoreOptions(audio="music-only", prompt="calm strings", seed=1)).already_finished


def test_an_unfinished_job_or_one_in_use_is_left(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = film.with_name("a.narrascore")
    before = names(folder)
    with locked(folder):
        assert main(["clean", str(folder)]) == 3
    assert "another run" in capsys.readouterr().err
    manifest = Manifest.load(folder)
    assert manifest is not None
    manifest.data["state"] = "unfinished"
    manifest.save()
    assert main(["clean", str(folder)]) == 3
    assert "not finished" in capsys.readouterr().err
    assert names(folder) == before


def test_what_is_no_job_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean"]) == 2
    assert main(["clean", str(tmp_path)]) == 3
    assert main(["clean", str(tmp_path / "none.mp4")]) == 3
    assert "no job folder" in capsys.readouterr().err
