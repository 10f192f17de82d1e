"""`narrascore train-probe`: its file states every setting, a list of primers takes turns, films alone are enough."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from narrascore.cli.config import compose_settings
from narrascore.cli.film_set import find_films
from narrascore.cli.main import main
from narrascore.cli.train_probe import EyeSettings, _primers
from narrascore.data.made_films import make_films
from narrascore.errors import UsageError
from narrascore.perception.training import ProbeTrainingSettings
from tests.perception.tiny_vlm import tiny_vlm_folder

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PRIMERS = sorted(path.stem for path in (CONFIGS / "primer").glob("*.yaml"))


def test_the_file_states_every_default_of_the_training() -> None:
    composed = compose_settings("train_probe", {}, [], groups=("primer",))
    ours = {"data", "primer", "states", "output"} | {field.name for field in fields(EyeSettings)} - {"device"}
    named = {field.name: field.default for field in fields(ProbeTrainingSettings)}
    composed["l1_weight"] = composed.pop("lambda")
    assert set(composed) - ours == set(named) - {"out"}
    for key in set(composed) - ours - {"device"}:
        assert composed[key] == named[key], key


@pytest.mark.parametrize("primer", PRIMERS)
def test_every_primer_composes_and_a_text_of_ones_own_stands_as_it_is(primer: str) -> None:
    texts = {
        name: compose_settings("train_probe", {}, [f"primer={name}"], groups=("primer",))["primer"] for name in PRIMERS
    }
    assert isinstance(texts[primer], str) and list(texts.values()).count(texts[primer]) == 1
    own = compose_settings("train_probe", {}, ["primer=Feel, deeply: ${it}."], groups=("primer",))
    assert own["primer"] == "Feel, deeply: ${it}."


def test_a_list_of_primers_takes_turns_and_a_text_with_commas_is_one() -> None:
    assert len(PRIMERS) >= 5 and "none" in PRIMERS
    one, two = PRIMERS[:2]
    assert _primers(["epochs=3", f"primer={one},{two},{one}"]) == [one, two]
    assert _primers([f"primer={one}, and so on"]) == [f"{one}, and so on"]
    assert _primers(["epochs=3"]) == [""]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["film.mp4"], 2, "is no setting"),
        (["eye=both"], 2, "choose cinematic, vlm"),
        (["dropout=1.5"], 2, "dropout must be in [0, 1)"),
        (["lambda=much"], 2, "l1_weight must be a number"),
        (["eye=vlm", "offline=true", "data.root=FILMS"], 4, "not on this machine"),
        (["data=composer"], 2, "give data.root"),
        (["data.count=3"], 2, "data.count must be at least 5"),
        (["data.root=/none such"], 3, "prepare one first"),
        ([f"primer={','.join(PRIMERS[:2])}"], 2, "compared with eye=vlm"),
        (["--multirun", f"primer={','.join(PRIMERS[:2])}"], 2, "compared with eye=vlm"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    make_films(tmp_path, 1, 1)
    words = [word.replace("FILMS", str(tmp_path)) for word in words]
    assert main(["train-probe", *words]) == code
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_without_a_checkout_films_are_drawn_into_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrascore.cli.film_set.find_checkout", lambda: None)
    data = {"name": "made_films", "root": None, "count": 5, "seconds": 1, "seed": 0}
    films = find_films(data, tmp_path)
    assert [film.path.parent for film in films] == [tmp_path / "made_films"] * 5
    with pytest.raises(UsageError, match="whole number"):
        find_films({**data, "count": 5.5}, tmp_path)


def test_it_trains_measures_and_says_where_the_probe_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_films(tmp_path / "films", 10, 5)
    words = [f"data.root={tmp_path / 'films'}", f"output={tmp_path / 'out'}", "epochs=2", "width=8"]
    assert main(["train-probe", *words]) == 0
    said = capsys.readouterr().out
    assert "mean predictor" in said and "shuffled labels" in said and str(tmp_path / "out") in said
    about = json.loads((tmp_path / "out" / "probe.json").read_text())
    assert about["eye"]["eye"] == "cinematic" and about["training"]["width"] == 8
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["repeat"]["command"].startswith("narrascore train-probe data.root=")
    states = sorted((tmp_path / "out" / "states").iterdir())
    before = [path.stat().st_mtime_ns for path in states]
    assert main(["train-probe", *words]) == 0
    assert [path.stat().st_mtime_ns for path in states] == before and len(states) == 10


@pytest.mark.slow
def test_primers_are_compared_in_one_table_and_the_best_ones_probe_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_films(tmp_path / "films", 10, 5)
    vlm = tiny_vlm_folder(tmp_path / "vlm", context_tokens=4096)
    words = [f"eye={vlm}", "vlm.dtype=float32", "vlm.frame_pixels=4704", f"data.root={tmp_path / 'films'}",
             f"output={tmp_path / 'out'}", "epochs=2", "width=8", "primer=none,tension"]  # fmt: skip
    assert main(["train-probe", "--multirun", *words]) == 0
    said = capsys.readouterr().out
    rows = json.loads((tmp_path / "out" / "primers.json").read_text())["records"]
    assert {row["primer"] for row in rows} == {"none", "tension"} and "Which primer?" in said
    assert rows[0]["validation_ccc"] >= rows[1]["validation_ccc"]
    best = tmp_path / "out" / "primers" / rows[0]["primer"] / "probe.safetensors"
    assert (tmp_path / "out" / "probe.safetensors").read_bytes() == best.read_bytes()
    assert len(list((tmp_path / "out" / "states").iterdir())) == 30, "two primers, and the light meter"
