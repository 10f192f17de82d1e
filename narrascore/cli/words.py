"""A command line of flags, file names and `key=value`, in any order."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from narrascore.cli.records import FLAG
from narrascore.errors import UsageError

EXIT_CODES = """\
exit codes:
  0  done
  2  flags, keys or values that do not make sense together
  3  an input, an output or a disk that cannot be used
  4  a model that is not at hand, or whose licence was refused
  5  interrupted; the same command goes on where it stopped
  6  some films of several could not be scored
"""

KEY_VALUE = re.compile(r"[+~]{0,2}[a-z_][a-z0-9_.@/]*=", re.ASCII)


@dataclass(frozen=True)
class Line:
    """A command line taken apart.

    Attributes:
        flags: what was given by flag, config key to value; a flag that was not given is not in it.
        overrides: the `key=value` words, in order.
        names: the rest: file names.
        json: whether results are wanted as records.
    """

    flags: dict[str, Any]
    overrides: list[str]
    names: list[str]
    json: bool = False


class Parser(argparse.ArgumentParser):
    """Flags that are aliases of config keys: a flag's `dest` is the key, dots included.

    Args:
        command: its name.
        description, usage: what --help says of it.
        json: whether it takes `--json`.
    """

    def __init__(self, command: str, description: str, usage: str, *, json: bool = False) -> None:
        super().__init__(
            prog=f"narrascore {command}",
            usage=f"narrascore {command} {usage}",
            description=description,
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        self.add_argument("words", nargs="*", help=argparse.SUPPRESS)
        if json:
            self.add_argument(FLAG, action="store_true", help="results as JSON, one object a line; see docs/json.md")

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")

    def take_apart(self, words: Sequence[str]) -> Line:
        """Split a command line; what follows a bare `--` is file names, whatever it looks like.

        Raises:
            UsageError: for a flag that does not exist, or a value that a flag does not take.
        """
        head, tail = list(words), []
        if "--" in head:
            cut = head.index("--")
            head, tail = head[:cut], head[cut + 1 :]
        flags = vars(self.parse_intermixed_args(head))
        loose: list[str] = flags.pop("words", [])
        overrides = [word for word in loose if _is_override(word)]
        names = [word for word in loose if not _is_override(word)] + tail
        return Line(flags, overrides, names, json=flags.pop("json", False))


def strength(word: str) -> float | str:
    """A number, or `off`."""
    return word if word == "off" else float(word)


def _is_override(word: str) -> bool:
    """`seed=3` is a setting, unless a file of that very name is there; `Film=1.mp4` never is: keys are lower case."""
    return bool(KEY_VALUE.match(word)) and not Path(word).exists()
