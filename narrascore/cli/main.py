"""The `narrascore` command: its first word chooses the command, and everything after it is that command's own."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import FrameType

from narrascore import __version__
from narrascore.cli.records import Failure, problem, wants_records
from narrascore.cli.words import EXIT_CODES
from narrascore.errors import InputError, InterruptedJobError, NarraScoreError, UsageError

# Each module has `run(words) -> exit code` and the `_parser` of its flags. None is imported before it is asked for:
# --help stays light.
COMMANDS = {
    "score": ("narrascore.cli.score", "write the music for one or more films"),
    "read": ("narrascore.cli.read", "read a film's curve and anchor, to edit them before the music is written"),
    "studio": ("narrascore.cli.studio", "score films on a page in the browser"),
    "prepare": ("narrascore.cli.prepare", "turn a downloaded, labelled set into what training reads"),
    "train-probe": ("narrascore.cli.train_probe", "train the part that reads valence and arousal off the picture"),
    "train-adapter": ("narrascore.cli.train_adapter", "train the part that makes the music follow the curve"),
    "evaluate": ("narrascore.cli.evaluate", "measure how well the music follows"),
    "clean": ("narrascore.cli.clean", "give back the room that finished jobs no longer need"),
    "download": ("narrascore.cli.download", "fetch the paper's models before they are needed"),
    "doctor": ("narrascore.cli.doctor", "look whether everything works here, and say what to do where it does not"),
    "completion": ("narrascore.cli.completion", "print what completes these commands in bash, zsh or fish"),
}
EXTRAS = {
    "studio": "studio",
    "prepare": "data",
    "train-probe": "train",
    "train-adapter": "train",
    "evaluate": "evaluate",
}
"""Command -> the optional dependencies that it needs."""

OUT_OF_REACH = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG, errno.EIO}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what a user can mend is said in one line, without a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["-h"], ["--help"]):
        print(_help())
        return 0
    if words[:1] == ["--version"]:
        print(f"narrascore {__version__}")
        return 0
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return _command(words)(words[1:])
    except ModuleNotFoundError as absent:
        if not words or words[0] not in EXTRAS or str(absent.name).startswith("narrascore"):
            raise
        extra = EXTRAS[words[0]]
        error: NarraScoreError = UsageError(f"{words[0]} needs {absent.name}: pip install 'narrascore[{extra}]'")
    except KeyboardInterrupt:
        error = InterruptedJobError("stopped; run the same command to go on")
    except NarraScoreError as known:
        error = known
    except BrokenPipeError:
        # Python would complain of it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        error = InterruptedJobError("nobody reads the results any more; run the same command to go on")
    except OSError as refused:
        if refused.errno not in OUT_OF_REACH:
            raise
        place = f"{refused.filename}: " if refused.filename else ""
        error = InputError(f"{place}{refused.strerror}; free space or choose another place with -o")
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"narrascore: {error}", file=sys.stderr, flush=True)
    if wants_records(words):
        failure: Failure = {"command": words[0], "error": problem(error)}
        print(json.dumps(failure), flush=True)
    return error.exit_code


def _command(words: list[str]) -> Callable[[Sequence[str]], int]:
    if not words or words[0] not in COMMANDS:
        asked = f"no command named {words[0]!r}" if words else "a command is wanted"
        raise UsageError(f"{asked}; there are {', '.join(COMMANDS)}, and narrascore --help tells what they do")
    run: Callable[[Sequence[str]], int] = import_module(COMMANDS[words[0]][0]).run
    return run


def _help() -> str:
    commands = "\n".join(f"  {name:<15}{purpose}" for name, (_, purpose) in COMMANDS.items())
    return (
        "usage: narrascore COMMAND ...\n\nNarraScore writes soundtracks for films.\n\n"
        f"commands:\n{commands}\n\nnarrascore COMMAND --help tells more.\n\n{EXIT_CODES}"
    )


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    """A polite kill is an interruption like any other: what is finished stays, the rest is resumed."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
