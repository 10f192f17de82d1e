"""A process for decoding: whatever happens in it, its parent gets an answer or one clear error, and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrascore.errors import InputError, UsageError
from narrascore.media import watchdog
from narrascore.media.child import DecoderFailedError, Message, in_child
from narrascore.media.film import Film
from tests.media.films import make_film

ROOT = Path(__file__).resolve().parents[2]


def ask(function: str, **arguments: Any) -> list[Message]:
    return list(in_child(f"tests.media.rogues:{function}", "a.mp4", arguments))


def lives(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not lives(pid)


def test_words_and_arrays_come_as_they_were_sent() -> None:
    for i, (header, array) in enumerate(ask("count", to=4)):
        assert header["i"] == i and array is not None
        assert array.dtype == np.float32 and array.shape == (3, i) and (array == i).all()
    words = {"name": 'a "b"\n\udcff.mp4', "share": 0.1, "none": None}
    assert ask("anything", **words) == [(words, None)]


def test_a_child_that_answered_serves_again_and_one_that_was_left_does_not() -> None:
    first = ask("count", to=2)[0][0]["pid"]
    assert ask("count", to=2)[0][0]["pid"] == first
    assert next(islice(in_child("tests.media.rogues:count", "a", {"to": 9}), 1))[0]["pid"] == first
    assert ask("count", to=2)[0][0]["pid"] != first
    assert gone_within(first, 5)


def test_two_streams_are_read_side_by_side() -> None:
    streams = [in_child("tests.media.rogues:count", "a", {"to": 3}) for _ in range(2)]
    pairs = list(zip(*streams, strict=True))
    assert [(one[0]["i"], two[0]["i"]) for one, two in pairs] == [(0, 0), (1, 1), (2, 2)]
    assert pairs[0][0][0]["pid"] != pairs[0][1][0]["pid"]


def test_of_two_that_answered_one_waits_and_the_other_ends() -> None:
    streams = [in_child("tests.media.rogues:count", "a", {"to": 1}) for _ in range(2)]
    ((first, _), (second, _)) = next(zip(*streams, strict=True))
    for stream in streams:
        assert list(stream) == []
    assert ask("count", to=1)[0][0]["pid"] == first["pid"] != second["pid"]
    assert gone_within(second["pid"], 5)


def test_what_libraries_print_is_no_answer() -> None:
    assert len(ask("chatter", to=3)) == 3


def test_no_model_library_is_loaded_in_it() -> None:
    assert ask("inherited") == [({"av": True, "torch": False}, None)]


def test_a_crash_is_one_line_and_the_next_call_works() -> None:
    with pytest.raises(DecoderFailedError, match=r"a\.mp4: its decoder crashed \(SIGSEGV\)") as caught:
        ask("segfault")
    assert caught.value.exit_code == 3 and not caught.value.silent and "\n" not in str(caught.value)
    assert len(ask("count", to=1)) == 1


@pytest.mark.parametrize("rogue", ["sleep", "hold_the_lock"])
def test_silence_ends_it_even_where_the_interpreter_is_held(rogue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "SILENCE_SECONDS", 0.5)
    with pytest.raises(DecoderFailedError, match="nothing happened for") as caught:
        ask(rogue, **({"seconds": 600} if rogue == "sleep" else {}))
    assert caught.value.silent


def test_slow_work_and_a_slow_listener_are_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "SILENCE_SECONDS", 0.5)
    assert len(ask("work", seconds=1.2)) == 1
    for _ in in_child("tests.media.rogues:count", "a", {"to": 2}):
        time.sleep(0.8)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to its address space")
def test_memory_is_limited() -> None:
    with pytest.raises(InputError, match="cannot be decoded"):
        ask("swallow", gigabytes=9)


def test_errors_keep_their_kind_and_bugs_their_traceback() -> None:
    with pytest.raises(UsageError, match="not like this"):
        ask("refuse")
    with pytest.raises(RuntimeError, match=r"(?s)stumble.*KeyError.*a bug of ours"):
        ask("stumble")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the rogue finds its pipe in /proc")
@pytest.mark.parametrize(
    "line",
    [
        "what?\n",
        "[]\n",
        '{"header": {}, "shape": [-1], "dtype": "|u1"}\n',
        '{"header": {}, "shape": [1000000, 1000000], "dtype": "|u1"}\n',
        '{"header": {}, "shape": [1], "dtype": "|O8"}\n',
        "x" * 2**21,
    ],
)
def test_nonsense_is_not_believed(line: str) -> None:
    with pytest.raises(DecoderFailedError):
        ask("give_nonsense", line=line)


def parent_of(call: str) -> tuple[subprocess.Popen[str], int]:
    """A process that has a child at work; returns both."""
    code = (
        "from narrascore.media.child import in_child\n"
        f"stream = in_child('tests.media.rogues:{call}', 'a', {{}})\n"
        "print(next(stream)[0]['pid'], flush=True)\n"
        "next(stream)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for the process in /proc")
def test_it_ends_with_its_parent_even_if_that_is_killed() -> None:
    parent, pid = parent_of("linger")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert gone_within(pid, 10)


def test_a_film_is_read_by_the_same_rules(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "a.mp4", seconds=0.4))
    assert Film.from_plain(film.to_plain()) == film
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        list(film.frames(1))
