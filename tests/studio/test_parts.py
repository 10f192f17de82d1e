"""The studio's small parts, each by itself: points of a curve, the line of jobs, the ZIP, the guard, the settings."""

from __future__ import annotations

import asyncio
import io
import threading
import zipfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascore import AffectCurve
from narrascore.cli.main import main
from narrascore.errors import InputError
from narrascore.perception.anchor_settings import AnchorSettings
from narrascore.run import Progress
from narrascore.studio.curve_points import CLOSEST_SECONDS, MOST_POINTS, choose_points
from narrascore.studio.guard import Guard
from narrascore.studio.settings import StudioSettings
from narrascore.studio.wishes import Wish
from narrascore.studio.worker import Step, Worker
from narrascore.studio.zipping import zip_stream

# Points.


@given(rows=st.integers(1, 900), rate_hz=st.sampled_from([1.0, 2.0, 10.0]), seed=st.integers(0, 99))
def test_points_span_the_curve_and_leave_room_for_a_finger(rows: int, rate_hz: float, seed: int) -> None:
    steps = np.random.default_rng(seed).normal(scale=0.1, size=(rows, 2))
    curve = AffectCurve(np.clip(np.cumsum(steps, axis=0), -1, 1), rate_hz)
    points = choose_points(curve)
    assert points[0] == 0 and points[-1] == (rows - 1) / rate_hz
    assert all(float(seconds * rate_hz).is_integer() for seconds in points)
    gaps = np.diff(points)
    # The end is a point wherever the one before it lies, so only the film itself can make a gap too small.
    assert np.all(gaps >= min(CLOSEST_SECONDS, points[-1]) - 1e-9)
    assert len(points) <= 2 * MOST_POINTS + 1


def test_a_point_stands_where_the_curve_turns() -> None:
    arousal = np.interp(np.arange(31), [0, 11, 30], [-0.8, 0.9, -0.2])
    assert 11.0 in choose_points(AffectCurve(np.stack([np.zeros(31), arousal], axis=1)))


# The line of jobs.


class Line:
    """Jobs that end when they are told to, and what came of them."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[tuple[str, str]] = []
        self.may_end = {name: threading.Event() for name in "abc"}
        self.change = threading.Condition()
        self.worker = Worker(self._score, self._end)

    def until_begun(self, name: str) -> None:
        with self.change:
            assert self.change.wait_for(lambda: name in self.begun, 10)

    def until_ended(self, count: int) -> None:
        with self.change:
            assert self.change.wait_for(lambda: len(self.ended) == count, 10)

    def _score(self, name: str, progress: Progress) -> None:
        with self.change:
            self.begun.append(name)
            self.change.notify_all()
        done = 0
        while not self.may_end[name].wait(0.01):
            progress("compose", done, 1000)
            done += 1
        if name == "b":
            raise InputError("b.mp4: the disk is full; make room")

    def _end(self, name: str, told: str) -> None:
        with self.change:
            self.ended.append((name, told))
            self.change.notify_all()


def test_one_job_at_a_time_in_the_order_asked_for_and_a_failed_one_stops_no_other() -> None:
    line = Line()
    for name in "abca":
        line.worker.add(name)
    line.until_begun("a")
    assert [line.worker.place(name) for name in "abcd"] == [0, 1, 2, None]
    for event in line.may_end.values():
        event.set()
    line.until_ended(3)
    assert line.begun == ["a", "b", "c"]
    assert line.ended == [("a", ""), ("b", "b.mp4: the disk is full; make room"), ("c", "")]
    line.worker.close()


def test_a_job_is_taken_out_of_the_line_or_interrupted() -> None:
    line = Line()
    for name in "abc":
        line.worker.add(name)
    line.until_begun("a")
    line.worker.stop("b")
    line.may_end["c"].set()
    line.worker.stop("a")
    line.until_ended(2)
    assert line.begun == ["a", "c"]
    assert line.ended[0][1].startswith("Stopped") and line.ended[1] == ("c", "")
    line.worker.close()


def test_the_end_of_the_studio_interrupts_what_runs_and_begins_nothing_more() -> None:
    line = Line()
    for name in "abc":
        line.worker.add(name)
    line.until_begun("a")
    line.worker.close()
    assert line.begun == ["a"] and [name for name, _ in line.ended] == ["a"]


def test_progress_is_told_as_a_share_and_the_time_left_by_the_speed_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("narrascore.studio.worker.time.monotonic", lambda: now[0])
    seen: list[Step] = []
    ended = threading.Event()

    def score(_name: str, progress: Progress) -> None:
        # A job that goes on begins with 400 of 1000 frames: they took no time.
        for done, seconds in ((400, 100.0), (500, 102.0), (900, 110.0)):
            now[0] = seconds
            progress("compose", done, 1000)
            seen.append(worker.step)

    worker = Worker(score, lambda _name, _told: ended.set())
    worker.add("a")
    assert ended.wait(10)
    assert seen == [Step("compose", 0.4, None), Step("compose", 0.5, 10.0), Step("compose", 0.9, 2.0)]
    worker.close()


# The ZIP.


def test_a_zip_that_is_sent_while_it_is_made_holds_the_files(tmp_path: Path) -> None:
    contents = {"music.wav": bytes(range(256)) * 9000, "stems/low.wav": b"", "Ünï.mid": b"MThd"}
    for index, content in enumerate(contents.values()):
        (tmp_path / str(index)).write_bytes(content)
    parts = list(zip_stream((name, tmp_path / str(index)) for index, name in enumerate(contents)))
    assert max(map(len, parts)) < 2**21
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == contents


# The guard.


def ask(path: str = "/", **headers: str) -> tuple[int, dict[bytes, bytes]]:
    """Status and headers of an answer through the guard."""
    sent: list[MutableMapping[str, Any]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "headers": named}
    asyncio.run(Guard(app, ("127.0.0.1", "localhost"))(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"])


def test_the_guard_lets_the_page_itself_through_and_forbids_it_to_load_from_elsewhere() -> None:
    status, headers = ask(host="127.0.0.1:7860", origin="http://127.0.0.1:7860")
    assert status == 200
    policy = headers[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'self'") and "http" not in policy and "*" not in policy


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"host": "evil.example:7860"}),  # a name that was made to point here
        ("/", {}),
        ("/gradio_api/upload", {"host": "127.0.0.1:7860", "origin": "https://evil.example"}),
        ("/gradio_api/upload", {"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:8000"}),
        ("/gradio_api/upload", {"host": "127.0.0.1:7860", "origin": "null"}),
        ("/gradio_api/file=https://evil.example/x", {"host": "localhost:7860"}),
        ("/gradio_api/file=HTTP://evil.example/x", {"host": "localhost:7860"}),
        ("/gradio_api/proxy=https://evil.example/x", {"host": "localhost:7860"}),
    ],
)
def test_the_guard_refuses_strangers(path: str, headers: dict[str, str]) -> None:
    assert ask(path, **headers)[0] == 403


# Settings and wishes.


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", "127.0.0.1.example.org"])
def test_an_address_that_others_see_is_refused_with_the_way_out(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studio", "--host", host]) == 2
    told = capsys.readouterr().err
    assert host in told and "ssh -L" in told and told.count("\n") == 1


def test_the_studio_sends_keyframes_to_nobody(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sends nothing"):
        StudioSettings(folder=tmp_path, anchor=AnchorSettings(reader="api"))


def test_a_film_on_the_command_line_is_told_where_films_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studio", "film.mp4"]) == 2
    assert "dropped into the page" in capsys.readouterr().err


def test_a_wish_survives_its_file_and_reaches_the_job() -> None:
    wish = Wish("calm strings", 3, "duck", 4.5, 12.0, -23.0, ((0.5, 2.0),), 2)
    assert Wish.from_plain(wish.to_plain()) == wish
    options = wish.options()
    assert (options.mix.music_below_lu, options.mix.duck_db, options.mix.loudness) == (4.5, 12.0, -23.0)
    assert [(float(start), float(stop)) for start, stop in options.redo] == [(0.5, 2.0)]
    assert wish.done().redo == ()
