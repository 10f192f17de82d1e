"""Strangers' files are decoded in a process of its own: a decoder that crashes, hangs or eats memory takes only that
along, and the film it was reading.

    parent                                    child
    {"call": ..., "arguments": ...}\\n   --->   runs a generator of this package by its name
                                        <---  {"header": {...}, "shape": [128, 228, 3], "dtype": "|u1"}\\n, the bytes
                                        <---  ...
                                        <---  {"end": true}\\n   or   {"error": "InputError", "message": "..."}\\n

Lines of JSON and raw arrays are all that ever comes back. A child that has answered to the end waits for the next call,
one at a time; one that refused a file, died or was not listened to to the end is never used again. It ends when its
pipe closes, and that is when its parent ends, in whatever way.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from narrascore import errors
from narrascore.errors import InputError, NarraScoreError
from narrascore.media import watchdog
from narrascore.memory import return_freed_memory

MEMORY_BYTES = 8 * 2**30
"""The most address space of a child; less where the machine has less than twice that."""

LINE_BYTES, ARRAY_BYTES = 2**20, 2**30
"""More than this in one line or array is no answer of ours."""

PIPE_BYTES = 2**20
"""A pipe as it comes holds less than one small picture: the child would wait while its parent looks at the last one."""

DTYPES = ("|u1", "<f4")
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from narrascore.media.child import serve; serve()"

Message = tuple[dict[str, Any], NDArray[Any] | None]
"""What a function called in a child yields: words, and perhaps an array of bytes or of float32."""


class DecoderFailedError(InputError):
    """The process that decoded a file came to an end.

    Attributes:
        silent: it had stopped showing signs of life, rather than crashed.
    """

    def __init__(self, message: str, *, silent: bool) -> None:
        super().__init__(message)
        self.silent = silent


def in_child(function: str, name: str, arguments: dict[str, Any]) -> Iterator[Message]:
    """Run a generator function in a child and pass on what it yields.

    Args:
        function: `module:function`; it takes `arguments` by name and yields messages.
        name: of the file that is read, for messages.
        arguments: as JSON holds them.

    Raises:
        DecoderFailedError: if the child crashed, or nothing happened for `watchdog.SILENCE_SECONDS`.
        NarraScoreError: what the function raised, of the same kind.
    """
    child, answered = _idle_child() or _Child(), False
    try:
        request = {"call": function, "name": name, "arguments": arguments, "silence_seconds": watchdog.SILENCE_SECONDS}
        yield from child.ask(request, name)
        answered = True
    finally:
        if answered and not _idle:
            _idle.append(child)
        else:
            child.end()


class _Child:
    """One process, as its parent sees it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what a C library prints as it dies means nothing to a user
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # its threads reserve memory by the gigabyte
        )
        assert self.process.stdin and self.process.stdout
        self.requests, self.answers = self.process.stdin, self.process.stdout
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):  # a system may allow less
                fcntl.fcntl(self.answers, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        if b"ready" not in self.answers.readline(LINE_BYTES):
            self.end()
            raise RuntimeError(f"no process for decoding could be started with {sys.executable}; does it import av?")

    def ask(self, request: dict[str, Any], name: str) -> Iterator[Message]:
        try:
            self.requests.write(json.dumps(request).encode() + b"\n")
            self.requests.flush()
            while not (line := self._line()).get("end"):
                if "error" in line:
                    raise _as_raised(line)
                yield line["header"], self._array(line)
        except (OSError, EOFError) as error:
            raise self._failure(name) from error
        except (ValueError, KeyError, TypeError) as error:
            raise DecoderFailedError(
                f"{name}: its decoder gave no sane answer; do not trust it", silent=False
            ) from error

    def end(self) -> None:
        self.process.kill()
        for pipe in (self.requests, self.answers):
            with contextlib.suppress(OSError):
                pipe.close()
        self.process.wait()

    def _line(self) -> dict[str, Any]:
        line = self.answers.readline(LINE_BYTES)
        if not line.endswith(b"\n"):
            raise EOFError
        answer = json.loads(line)
        if not isinstance(answer, dict):
            raise ValueError(answer)
        return answer

    def _array(self, line: dict[str, Any]) -> NDArray[Any] | None:
        if "shape" not in line:
            return None
        shape = tuple(int(side) for side in line["shape"])
        if line["dtype"] not in DTYPES or min(shape) < 0 or np.prod(shape, dtype=float) * 4 > ARRAY_BYTES:
            raise ValueError(line)
        array = np.empty(shape, line["dtype"])
        flat = array.reshape(-1).view(np.uint8).data
        if self.answers.readinto(flat) != len(flat):  # type: ignore[attr-defined]
            raise EOFError
        return array

    def _failure(self, name: str) -> DecoderFailedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        code = self.process.returncode
        if code == 1:  # the watchdog's
            told = f"nothing happened for {watchdog.SILENCE_SECONDS:g} s while it was decoded"
        elif code is not None and code < 0:
            told = f"its decoder crashed ({signal.Signals(-code).name})"
        else:
            told = f"its decoder crashed (exit code {code})"
        return DecoderFailedError(
            f"{name}: {told}; the file is damaged: repair or re-encode it first", silent=code == 1
        )


_idle: list[_Child] = []


def _idle_child() -> _Child | None:
    while _idle:
        child = _idle.pop()
        if child.owner == os.getpid() and child.process.poll() is None:  # a forked process has pipes of its own
            return child
    return None


@atexit.register
def _end_idle() -> None:
    while child := _idle_child():
        child.end()


def _as_raised(line: dict[str, Any]) -> Exception:
    kind = getattr(errors, str(line["error"]), None)
    message = str(line["message"])
    if isinstance(kind, type) and issubclass(kind, NarraScoreError):
        return kind(message)
    return RuntimeError(f"in the decoding process:\n{message}")


# The child's own side.


def serve() -> None:
    """Answer the requests on standard input, one after another, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to judge
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints can get between the answers
    _limit_memory()
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    answers.write(b'"ready"\n')
    answers.flush()
    while True:
        _answer(requests.get(), answers)


def _listen(requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin.buffer:
        requests.put(json.loads(line))
    os._exit(0)  # the parent is gone, whatever the decoder is at


def _answer(request: dict[str, Any], answers: BinaryIO) -> None:
    module, _, function = request["call"].partition(":")
    last: dict[str, Any] = {"end": True}
    try:
        messages = getattr(importlib.import_module(module), function)(**request["arguments"])
        while True:
            with watchdog.watching(request["silence_seconds"]):
                message = next(messages, None)
            if message is None:
                break
            _send(answers, *message)  # outside: how long the parent takes to listen is its own affair
    except NarraScoreError as error:
        last = {"error": type(error).__name__, "message": str(error)}
    except (av.FFmpegError, MemoryError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it asks for too much memory"
        last = {
            "error": "InputError",
            "message": f"{request['name']}: cannot be decoded ({reason}); re-encode it first",
        }
    except BrokenPipeError:
        os._exit(0)
    except Exception:
        last = {"error": "a bug", "message": traceback.format_exc()}
    messages = None  # with what it holds of the file
    return_freed_memory()
    answers.write(json.dumps(last).encode() + b"\n")
    answers.flush()


def _send(answers: BinaryIO, header: dict[str, Any], array: NDArray[Any] | None) -> None:
    line: dict[str, Any] = {"header": header}
    if array is not None:
        array = np.ascontiguousarray(array)
        line |= {"shape": array.shape, "dtype": array.dtype.str}
    answers.write(json.dumps(line).encode() + b"\n")
    if array is not None:
        answers.write(array.data)
    answers.flush()


def _limit_memory() -> None:
    """Ask for memory beyond the limit and none is given; nor is a core file left behind. Not on Windows."""
    try:
        import resource
    except ModuleNotFoundError:
        return
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for kind, limit in ((resource.RLIMIT_AS, min(MEMORY_BYTES, machine // 2)), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # macOS does not limit addresses; a stricter limit may be set
            resource.setrlimit(kind, (limit, limit))
