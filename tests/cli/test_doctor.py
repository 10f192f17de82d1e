"""`narrascore doctor`: what it looks at, what it calls a problem, and that it fetches nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from narrascore.checkup import libraries
from narrascore.checkup.machine import available_bytes
from narrascore.checkup.weights import EMBEDDED, SUMS_FILE, broken_files, check_embedded
from narrascore.cli import records
from narrascore.cli.main import main
from narrascore.errors import ModelUnavailableError
from narrascore.media.ffmpeg import is_safe

ROOT = Path(__file__).resolve().parents[2]


def test_the_default_system_works_and_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a connection')\n"
        "socket.socket.connect = refuse\n"
        "from narrascore.cli.main import main\n"
        "code = main(['doctor', '--json'])\n"
        "slow = {'transformers', 'matplotlib', 'hydra', 'gradio', 'demucs'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else code)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    record = json.loads(answer.stdout)
    assert record["works"] and {check["state"] for check in record["checks"]} <= {"ok", "note"}
    assert all(set(check) == set(records.CheckRecord.__annotations__) for check in record["checks"])
    names = {check["name"] for check in record["checks"]}
    assert {"Python", "libraries", "FFmpeg", "processor", "instructions", "memory", "GPU"} <= names
    assert {"embedded weights", "sound font", "facebook/musicgen-small", "results", "hub cache"} <= names
    assert {f"extra {extra}" for extra in libraries.declared()[1]} - names == {"extra ", "extra dev"}
    assert "the default system works" in answer.stderr and list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert main(["doctor", str(tmp_path / "file" / "x")]) == 3
    out, err = capsys.readouterr()
    assert f"problem  results: {tmp_path / 'file' / 'x'} cannot be written" in out and "-> choose another place" in out
    assert err == "narrascore: the default system does not work: results; see above\n"
    assert main(["doctor", "a", "b"]) == 2


def test_a_sound_font_that_is_missing_is_four(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("narrascore.synthesis.soundfont.DEFAULT_FILE", "none.sf2")
    assert main(["doctor", "--json"]) == 4
    record, failure = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    (check,) = [check for check in record["checks"] if check["state"] == "problem"]
    assert check["name"] == "sound font" and "pip install pretty_midi" in check["advice"] and not record["works"]
    assert failure["error"]["kind"] == "ModelUnavailableError"


def test_weights_that_ship_are_those_that_are_named_and_a_changed_byte_is_seen(tmp_path: Path) -> None:
    named = {line.split()[1] for line in (EMBEDDED / SUMS_FILE).read_text(encoding="ascii").splitlines()}
    assert named == {path.name for kind in ("*.json", "*.safetensors") for path in EMBEDDED.glob(kind)}
    folder = shutil.copytree(EMBEDDED, tmp_path / "weights")
    assert broken_files(folder) == []
    with (folder / "adapter.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    (folder / "config.json").unlink()
    check = check_embedded(folder)
    assert (check.state, check.fails_as) == ("problem", ModelUnavailableError)
    assert "config.json, adapter.safetensors" in check.found and "--force-reinstall" in check.advice


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ("8.1.2", True),
        ("8.2", True),
        ("n9.0", True),
        ("8.1.1", False),
        ("8.1", False),
        ("7.1.3", False),
        ("N-1-gab", False),
    ],
)
def test_an_old_ffmpeg_is_not_safe(version: str, safe: bool) -> None:
    assert is_safe(version) is safe


def test_an_installation_without_a_checkout_tells_by_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "narrascore-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: narrascore\nVersion: 0\nRequires-Python: >=3.99\nProvides-Extra: train\n"
        "Provides-Extra: old\nRequires-Dist: numpy>=1\nRequires-Dist: torch>=99\nRequires-Dist: no-such-library>=1.2\n"
        "Requires-Dist: windows-only; sys_platform == 'none'\nRequires-Dist: nor-this; extra == 'train'\n"
        "Requires-Dist: numpy>=1; extra == 'old'\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(libraries, "CHECKOUT", tmp_path / "pyproject.toml")
    assert libraries.check_python().state == "problem"
    *missing, fine = libraries.check_libraries()
    assert [(check.name, check.state) for check in missing] == [("torch", "problem"), ("no-such-library", "problem")]
    assert missing[1].advice == "pip install 'no-such-library>=1.2'" and fine.found.startswith("numpy ")
    train, old = libraries.check_extras()
    assert (train.state, train.advice) == ("note", "pip install 'narrascore[train]'") and "nor-this" in train.found
    assert old.state == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="read off /proc")
def test_memory_is_told_within_the_limit_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = available_bytes()
    assert free is not None and free > 2**20
    limit = tmp_path / "memory.max"
    monkeypatch.setattr("narrascore.checkup.machine.MEMORY_LIMIT", limit)
    limit.write_text("1048576\n", encoding="ascii")
    assert available_bytes() == 2**20
    limit.write_text("max\n", encoding="ascii")
    assert available_bytes() != 2**20
