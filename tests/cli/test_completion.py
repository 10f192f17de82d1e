"""`narrascore completion`: what a shell offers when a key is pressed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from narrascore.cli.completion import CHOICES, SHELLS, whole_parser
from narrascore.cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash, made in a process of its own that must not know torch."""
    code = (
        "import sys; from narrascore.cli.main import main; code = main(['completion', 'bash'])\n"
        "sys.exit('imported torch' if 'torch' in sys.modules else code)"
    )
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    path = tmp_path_factory.mktemp("completion") / "narrascore"
    path.write_text(made.stdout, encoding="utf-8")
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("narrascore sc", {"score"}),
        ("narrascore train", {"train-probe", "train-adapter"}),
        ("narrascore score --aud", {"--audio", "--audio-track"}),
        ("narrascore score --audio d", {"duck"}),
        ("narrascore score a.mp4 --system ", {"embedded", "paper"}),
        ("narrascore score --primer na", {"narrative"}),
        ("narrascore score fi", {"film one.mp4", "films"}),
        ("narrascore score a.mp4 --curve fi", {"film one.mp4", "films"}),
        ("narrascore score --adapter fi", {"films"}),
        ("narrascore clean --dry", {"--dry-run"}),
        ("narrascore completion ", set(SHELLS)),
    ],
)
def test_bash_offers(script: Path, tmp_path: Path, line: str, offered: set[str]) -> None:
    (tmp_path / "film one.mp4").touch()
    (tmp_path / "films").mkdir()
    words = line.split(" ")
    asked = (
        f"source {shlex.quote(str(script))}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
        f"COMP_CWORD={len(words) - 1}; _shtab_narrascore; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    answer = subprocess.run(["bash", "--norc", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert set(answer.stdout.splitlines()) == offered, answer.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_flag_is_in_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name in COMMANDS:
        assert name in script
    for flag in ("dry-run", "control-guidance", "soundfont", "versions", "json"):
        assert flag in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_names_are_offered_only_for_flags_that_there_are() -> None:
    commands = next(action for action in whole_parser()._actions if action.choices)
    parsers = dict(commands.choices or {})
    assert set(parsers) == set(COMMANDS)
    flags = {flag for parser in parsers.values() for action in parser._actions for flag in action.option_strings}
    assert set(CHOICES) <= flags


@pytest.mark.parametrize("words", [[], ["tcsh"], ["bash", "zsh"]])
def test_one_shell_is_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", *words]) == 2
    assert "bash, zsh, fish" in capsys.readouterr().err
