"""`narrascore train-adapter` and `evaluate`: their files hold every setting of the code they call, and nothing else."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from narrascore.cli.config import compose_settings
from narrascore.cli.corpus import find_checkout, find_corpus
from narrascore.cli.evaluate import EvaluateSettings
from narrascore.cli.main import main
from narrascore.errors import InputError
from narrascore.parts import EyeSettings
from narrascore.synthesis.training_settings import AdapterTrainingSettings

ROOT = Path(__file__).resolve().parents[2]


def test_the_training_file_states_every_default_of_the_training() -> None:
    composed = compose_settings("train_adapter", {}, [])
    named = {field.name: field.default for field in fields(AdapterTrainingSettings)}
    ours = {"data", "music", "dtype", "offline", "output"}
    assert set(composed) - ours == set(named) - {"corpus", "out"}
    for key in set(composed) - ours - {"device"}:
        value = composed[key]
        assert (tuple(value) if isinstance(value, list) else value) == named[key], key


def test_the_evaluation_file_states_every_setting_but_those_of_watching() -> None:
    """Its curves are given: no film is watched."""
    watching = {field.name for field in fields(EyeSettings)} - {"device", "offline"} | {"probe", "allow_mode_mismatch"}
    assert set(compose_settings("evaluate", {}, [])) == {field.name for field in fields(EvaluateSettings)} - watching


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["train-adapter", "film.mp4"], 2, "is no setting"),
        (["train-adapter", "data=none"], 2, "no such data; there are cognimuse, composer"),
        (["train-adapter", "stage_epochs=4"], 2, "stage_epochs must be a list"),
        (["train-adapter", "data.root=/none such"], 3, "no such folder"),
        (["train-adapter", "train=false"], 2, "use init=steering"),
        (["train-adapter", "stages=3"], 2, "stages is one of 2, 1"),
        (["train-adapter", "injected_share=0"], 2, "injected_share must be in (0, 1]"),
        (["train-adapter", "init=steering", "train=false", "blocks=[0,8]"], 2, "from 0 to 7 of this music model"),
        (["evaluate", "metrics=loudness"], 2, "metrics is one of tracking, sanity"),
        (["evaluate", "curves=1"], 2, "curves must be at least 2"),
        (["evaluate", "duration_seconds=[60,48]"], 2, "must rise"),
        (["evaluate", "experiment=table1", "duration_seconds=[90,130]"], 2, "120 s and more are long"),
        (["evaluate", "experiment=table1", "long_curves=1"], 2, "long_curves must be 0 or at least 2"),
        (["evaluate", "experiment=ratings"], 2, "metrics=ratings needs ratings.answers=FOLDER"),
        (["evaluate", "--generated", "VidMuse"], 2, "NAME=FOLDER is wanted"),
        (["evaluate", "rules=/none such", "experiment=table1"], 3, "make it with metrics=rules"),
        (["evaluate", "listening.clip_seconds=2"], 2, "listening.clip_seconds in [5, 120]"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_music_of_other_systems_is_named_by_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any name and any path, which never meet Hydra."""
    seen = []
    monkeypatch.setattr("narrascore.cli.evaluate._Bench", lambda settings, command: seen.append(settings))
    with pytest.raises(AttributeError):  # the settings are all that is looked at
        main(["evaluate", "--generated", "Gemini (w/o HMC)=out, put/a=b", "--generated", "VidMuse=v"])
    assert seen[0].generated == {"Gemini (w/o HMC)": Path("out, put/a=b"), "VidMuse": Path("v")}


def test_a_corpus_that_is_named_must_exist(tmp_path: Path) -> None:
    assert find_checkout() == ROOT
    assert find_corpus({"root": str(tmp_path)}) == tmp_path
    with pytest.raises(InputError, match="no such folder"):
        find_corpus({"root": str(tmp_path / "none")})
