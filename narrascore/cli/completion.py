"""`narrascore completion`: a script that completes commands, flags, choices and files in bash, zsh or fish.

The script is made from the commands' own parsers and stands by itself: pressing a key starts no Python.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module

import shtab

from narrascore.cli.words import Parser
from narrascore.errors import UsageError

SHELLS = ("bash", "zsh", "fish")
USAGE = "bash|zsh|fish"
DESCRIPTION = """\
Print a script that completes the commands, their flags, choices and files. Where each shell looks for it:

  bash   narrascore completion bash > ~/.local/share/bash-completion/completions/narrascore
  zsh    narrascore completion zsh > DIR/_narrascore             (DIR is a folder of $fpath)
  fish   narrascore completion fish > ~/.config/fish/completions/narrascore.fish"""

CHOICES = {
    "--system": ("embedded", "paper"),
    "--eye": ("cinematic", "vlm"),
    "--music": ("embedded", "musicgen"),
    "--anchor": ("cinematic", "vlm", "api", "none"),
    "--instruction": ("hmc", "plain"),
    "--device": ("auto", "cpu", "cuda", "mps"),
}
"""Names that a flag takes among other things, such as a folder."""
FOLDERS = frozenset({"DIR", "FOLDER"})
FILES = frozenset({"PATH", "CSV", "SF2", "FILE", "NAME"})
"""What flags call their values in --help, where a value is a folder, or may be a file."""


def run(words: Sequence[str]) -> int:
    """Print the script for one shell."""
    line = _parser().take_apart(words)
    if line.overrides or len(line.names) != 1 or line.names[0] not in SHELLS:
        raise UsageError(f"name one shell: {', '.join(SHELLS)}")
    print(shtab.complete(whole_parser(), shell=line.names[0]))
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """All commands as one parser, each action knowing what completes it."""
    from narrascore.cli.config import find_configs
    from narrascore.cli.main import COMMANDS

    primers = sorted(path.stem for path in (find_configs() / "primer").glob("*.yaml"))
    choices = {**CHOICES, "--primer": tuple(primers)}
    whole = argparse.ArgumentParser("narrascore")
    whole.add_argument("--version", action="store_true", help="print the version")
    commands = whole.add_subparsers()
    for name, (module, purpose) in COMMANDS.items():
        parser: Parser = import_module(module)._parser()
        for action in parser._actions:
            _say_what_completes(action, name, choices)
        commands.add_parser(name, help=purpose, parents=[parser], add_help=False)
    return whole


def _say_what_completes(action: argparse.Action, command: str, choices: Mapping[str, tuple[str, ...]]) -> None:
    flag = next((text for text in action.option_strings if text in choices), None)
    if action.dest == "words":
        action.help = "the name of a file, or key=value"
        if command == "completion":
            action.choices, action.nargs, action.help = SHELLS, None, "the shell"
        else:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    elif flag is not None:
        action.choices = choices[flag]
    elif action.metavar in FOLDERS:
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif action.metavar in FILES:
        action.complete = shtab.FILE  # type: ignore[attr-defined]


def _parser() -> Parser:
    return Parser("completion", DESCRIPTION, USAGE)
