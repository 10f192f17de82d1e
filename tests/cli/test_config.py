"""Every YAML composes; flags and key=value words beat it; paths and free text never meet a grammar."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrascore.cli.config import compose_settings, find_configs
from narrascore.errors import UsageError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
COMMANDS = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
GROUPS = ("system", "data")


def files_of(group: str) -> list[str]:
    return sorted(
        path.relative_to(CONFIGS / group).with_suffix("").as_posix() for path in (CONFIGS / group).rglob("*.yaml")
    )


def test_a_checkout_uses_its_own_configs() -> None:
    assert find_configs() == CONFIGS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes(command: str) -> None:
    assert compose_settings(command, {}, [])


@pytest.mark.parametrize("system", files_of("system"))
def test_every_system_composes(system: str) -> None:
    assert compose_settings("score", {"system": system}, [], groups=GROUPS)["system"] == system


@pytest.mark.parametrize("ablation", files_of("ablation"))
def test_every_ablation_changes_scoring_or_training(ablation: str) -> None:
    command = "train_adapter" if ablation.startswith("blocks") else "score"
    assert compose_settings(command, {}, [f"ablation={ablation}"]) != compose_settings(command, {}, [])


@pytest.mark.parametrize("experiment", files_of("experiment"))
def test_every_experiment_changes_its_command(experiment: str) -> None:
    command = experiment.split("/")[0] if "/" in experiment else "evaluate"  # the paper's tables have short names
    assert compose_settings(command, {}, [f"experiment={experiment}"]) != compose_settings(command, {}, [])


@pytest.mark.parametrize("command", COMMANDS)
def test_experiments_come_last(command: str) -> None:
    """Or an experiment could not change the command's own values, nor an ablation the system's."""
    lines = (CONFIGS / f"{command}.yaml").read_text(encoding="utf-8").splitlines()
    defaults = [line.strip() for line in lines if line.startswith("  - ")]
    after = defaults[defaults.index("- _self_") + 1 :]
    assert after in ([], ["- experiment: null"], ["- ablation: null", "- experiment: null"])


def test_a_word_and_a_flag_both_beat_the_file() -> None:
    assert compose_settings("score", {}, ["seed=3"])["seed"] == 3
    assert compose_settings("score", {"seed": 3}, [])["seed"] == 3
    assert compose_settings("score", {"seed": 3}, ["seed=3"])["seed"] == 3


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"seed": 3}, ["seed=4"]),
        ({"force": True}, ["force=false"]),
        ({"prompt": "calm"}, ["prompt=tense"]),
        ({"system": "paper"}, ["system=embedded"]),
        ({"system": "some/folder"}, ["system=other/folder"]),
        ({"system": "some/folder"}, ["system=paper"]),
        ({"system": "paper"}, ["system=some/folder"]),
        ({}, ["prompt=calm", "prompt=tense"]),
    ],
)
def test_two_values_for_one_key_are_refused(flags: dict[str, object], words: list[str]) -> None:
    with pytest.raises(UsageError, match="given twice"):
        compose_settings("score", flags, words, groups=GROUPS, verbatim=("prompt",))


@pytest.mark.parametrize(
    "text", ["a, b (c) = [d] {e}", "${oc.env:HOME}", 'it\'s "x"', "???", "null", "dark: slow", "é\n"]
)
def test_free_text_arrives_as_it_was_given(text: str) -> None:
    assert compose_settings("score", {"prompt": text}, [])["prompt"] == text
    assert compose_settings("score", {}, [f"prompt={text}"], verbatim=("prompt",))["prompt"] == text


def test_a_system_that_is_no_file_is_a_folder() -> None:
    assert compose_settings("score", {"system": "my/model"}, [], groups=GROUPS)["system"] == "my/model"
    assert compose_settings("score", {}, ["system=my model"], groups=GROUPS)["system"] == "my model"


@pytest.mark.parametrize("word", ["sed=3", "seed=[", "seed=${oc.env:NOPE_NOT_SET}", "experiment=none_such", "seed=1,2"])
def test_what_hydra_refuses_is_one_line_for_the_user(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        compose_settings("score", {}, [word], groups=GROUPS)
    assert "\n" not in str(caught.value)
