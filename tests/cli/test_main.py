"""The command itself: light help, exit codes, and no traceback for what a user did."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import types
from collections.abc import Sequence
from pathlib import Path

import pytest

from narrascore import errors
from narrascore.cli import main as door

ROOT = Path(__file__).resolve().parents[2]


def command(monkeypatch: pytest.MonkeyPatch, act: object) -> None:
    """Stand a command beside the real ones, whose whole work is to raise or to return."""

    def run(words: Sequence[str]) -> int:
        if isinstance(act, BaseException):
            raise act
        if callable(act):
            act()
        return 0

    module = types.ModuleType("narrascore_test_command")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(door.COMMANDS, "test", (module.__name__, ""))


@pytest.mark.parametrize(
    "words",
    [[], *([command] for command in door.COMMANDS)],
)
def test_help_is_light(words: list[str]) -> None:
    code = (
        "import sys; from narrascore.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'transformers', 'av', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "usage: narrascore" in answer.stdout
    assert "exit codes:" in answer.stdout


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("import narrascore", {"narrascore"}),
        (
            "from narrascore.cli.main import main; main(['--help'])",
            {
                "narrascore",
                *(f"narrascore.{name}" for name in ("errors", "cli", "cli.main", "cli.records", "cli.words")),
            },
        ),
    ],
)
def test_a_start_loads_nothing_that_it_does_not_need(code: str, ours: set[str]) -> None:
    """Every further import is paid for by each `--help` and each key pressed in a shell."""

    def loaded(code: str) -> set[str]:
        said = f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"
        answer = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
        return set(answer.stderr.split())

    new = loaded(code) - loaded("")
    assert {name for name in new if name.split(".")[0] not in sys.stdlib_module_names} == ours


@pytest.mark.parametrize(
    "script", ["score_video.py", "prepare_data.py", "train_probe.py", "train_adapter.py", "evaluate.py"]
)
def test_scripts_work_from_any_folder(script: str, tmp_path: Path) -> None:
    words = [sys.executable, "-I", str(ROOT / "scripts" / script), "--help"]
    answer = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (None, 0),
        (errors.UsageError("a"), 2),
        (errors.InputError("a"), 3),
        (errors.ModelUnavailableError("a"), 4),
        (errors.InterruptedJobError("a"), 5),
        (KeyboardInterrupt(), 5),
        (errors.SomeFilmsFailedError("a"), 6),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 3),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 3),
    ],
)
def test_every_failure_has_its_code_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], act: object, code: int
) -> None:
    command(monkeypatch, act)
    assert door.main(["test"]) == code
    said = capsys.readouterr().err
    assert said == "" if code == 0 else (said.startswith("narrascore: ") and said.count("\n") == 1)


def test_a_polite_kill_is_resumable(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    command(monkeypatch, lambda: signal.raise_signal(signal.SIGTERM))
    assert door.main(["test"]) == 5
    assert "run the same command to go on" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command(monkeypatch, ModuleNotFoundError("No module named 'muspy'", name="muspy"))
    monkeypatch.setitem(door.COMMANDS, "evaluate", door.COMMANDS["test"])
    assert door.main(["evaluate"]) == 2
    assert "evaluate needs muspy: pip install 'narrascore[evaluate]'" in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError):
        door.main(["test"])


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        door.main(["test"])


@pytest.mark.parametrize("words", [[], ["scor"], ["film.mp4"]])
def test_an_unknown_command_lists_the_known_ones(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main(words) == 2
    assert f"there are {', '.join(door.COMMANDS)}" in capsys.readouterr().err


def test_help_and_readme_state_every_exit_code() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for code in {0} | {kind.exit_code for kind in kinds if kind is not errors.NarraScoreError}:
        assert f"\n  {code}  " in door.EXIT_CODES
        assert f"\n| {code} | " in readme
