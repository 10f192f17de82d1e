from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from narrascore.errors import ModelUnavailableError
from narrascore.hub import CARD_FILE, UNKNOWN_LICENCE, find_checkpoint, licence_of, refuse_unless_commercial
from tests.hub_server import COMMIT, serve_hub

FILES = {
    "config.json": b"{}", "model.safetensors": b"w" * 5000, "tokenizer.json": b"[]", "modeling.py": b"raise SystemExit",
    "pytorch_model.bin": b"p" * 100,
}  # fmt: skip


def narrascore(home: Path, endpoint: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, whose hub is `endpoint` and whose cache is `home`."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "narrascore.cli.main", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_download_fetches_weights_and_settings_once_and_never_code_or_pickles(tmp_path: Path) -> None:
    with serve_hub("someone/tiny", FILES) as hub:
        first = narrascore(tmp_path / "home", hub.url, "download", "someone/tiny", "--to", str(tmp_path / "models"))
        fetched = hub.fetched()
        again = narrascore(tmp_path / "home", hub.url, "download", "someone/tiny", "--to", str(tmp_path / "models"))
        assert hub.fetched() == fetched
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert fetched == ["config.json", "model.safetensors", "tokenizer.json"]
    assert f"someone/tiny at {COMMIT[:12]}" in first.stdout and UNKNOWN_LICENCE in first.stdout
    folder = tmp_path / "models" / "tiny"
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert not (folder / "modeling.py").exists() and not (folder / "pytorch_model.bin").exists()
    assert COMMIT in (folder / CARD_FILE).read_text()
    assert find_checkpoint(folder) == folder


def test_a_checkpoint_without_safetensors_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with serve_hub("someone/pickled", {"config.json": b"{}", "pytorch_model.bin": b"p"}) as hub:
        done = narrascore(tmp_path, hub.url, "download", "someone/pickled")
        assert hub.fetched() == []
    assert done.returncode == 4
    assert "no weights in safetensors" in done.stderr and "Traceback" not in done.stderr


def test_what_the_hub_does_not_have_is_one_line_and_exit_4(tmp_path: Path) -> None:
    with serve_hub("someone/tiny", FILES) as hub:
        absent = narrascore(tmp_path, hub.url, "download", "someone/else")
    closed = narrascore(tmp_path, hub.url, "download", "someone/tiny")
    for done in (absent, closed):
        assert done.returncode == 4
        assert done.stderr.strip().splitlines()[-1].startswith("narrascore: someone/")
        assert "--to DIR" in done.stderr and "Traceback" not in done.stderr


def test_offline_opens_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailableError, match=r"not on this machine; .*download facebook/musicgen-small"):
        find_checkpoint("facebook/musicgen-small", offline=True)
    with pytest.raises(ModelUnavailableError, match="neither a folder nor an id"):
        find_checkpoint(tmp_path / "absent", offline=True)


def test_only_licences_that_are_known_to_allow_it_pass_as_commercial(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text('{"licence": "Apache-2.0"}')
    refuse_unless_commercial([str(tmp_path)])
    assert licence_of("facebook/musicgen-stereo-large").startswith("CC-BY-NC")
    for name in ("facebook/musicgen-small", "DAMO-NLP-SG/VideoLLaMA3-2B", "someone/else", str(tmp_path / "no card")):
        with pytest.raises(ModelUnavailableError, match="--require-commercial"):
            refuse_unless_commercial([name])
