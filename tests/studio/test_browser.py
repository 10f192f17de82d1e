"""The studio in a real browser: a film is dropped, its curve dragged, its takes compared and taken along."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import soundfile

from tests.films import write_clip
from tests.systems import tiny_system_folder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 12.0
PATIENCE = 240_000
"""ms that the browser waits: the tests share the processor with whatever else runs."""

# The real command, in a process that writes down every address that it asks.
PROGRAM = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        address = arguments[1] if event == "socket.connect" else arguments
        host = str(address[0]) if isinstance(address, tuple) else str(address)
        with open(sys.argv[1], "a") as log:
            log.write(host + "\\n")
sys.addaudithook(watch)
from narrascore.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@dataclass
class Running:
    """A studio that runs: its address, its folder, and the log of what it asked."""

    url: str
    folder: Path
    log: Path

    @property
    def job(self) -> Path:
        (found,) = self.folder.glob("*/film.narrascore")
        return found


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    pytest.importorskip("gradio", reason="the studio needs gradio: pip install 'narrascore[studio]'")
    folder = tmp_path_factory.mktemp("studio")
    system = tiny_system_folder(tmp_path_factory.mktemp("tiny"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "asked.txt"
    words = ["studio", "--folder", str(folder / "films"), "--port", str(port), "--system", str(system),
             "--max-upload", "20"]  # fmt: skip
    # As on a bare machine: without a proxy's settings.
    plain = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(log), *words], cwd=ROOT, env=plain,
                          stdout=subprocess.PIPE, text=True) as process:  # fmt: skip
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("The studio is at "), first
        yield Running(first.split()[-1], folder / "films", log)
        process.terminate()
        assert process.wait(60) == 0
    assert not (folder / "films" / "uploads").exists()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("browser tests need chromium in the PATH")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tabs(browser: Any, studio: Running) -> Iterator[Any]:
    """Opens tabs of one window; none of them may ask anything of another machine, or fail in its scripts."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    asked: list[str] = []
    failed: list[str] = []

    def open_tab(query: str = "") -> Any:
        page = context.new_page()
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(studio.url + query)
        page.wait_for_selector(".ns-header")
        page.wait_for_selector(".ns-drop")
        return page

    context.on("request", lambda request: asked.append(request.url))
    context.on("dialog", lambda dialog: dialog.accept())
    yield open_tab
    context.close()
    elsewhere = [url for url in asked if not url.startswith((studio.url, "data:", "blob:"))]
    assert elsewhere == [] and failed == []


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("films") / "film.mp4", SECONDS)


def hashes(job: Path) -> dict[str, str]:
    windows = job / "windows"
    return {
        path.relative_to(windows).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in windows.rglob("[0-9]*.safetensors")
    }


def drag(page: Any, lane: str, index: int, by_pixels: float) -> None:
    knob = page.locator(f'.ns-knob[data-lane="{lane}"][data-index="{index}"]')
    knob.scroll_into_view_if_needed()
    box = knob.locator(".ns-dot").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + by_pixels / 2, steps=3)
    page.mouse.move(x, y + by_pixels, steps=3)
    page.mouse.up()


def value(page: Any, lane: str, index: int) -> float:
    return float(page.get_attribute(f'.ns-knob[data-lane="{lane}"][data-index="{index}"]', "aria-valuenow"))


def boxes_of(page: Any, selector: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = page.evaluate(
        "name => [...document.querySelectorAll(name)].map(each => each.getBoundingClientRect().toJSON())", selector
    )
    return found


def finished(page: Any, takes: int) -> None:
    """Wait until a film has so many takes and nothing runs."""
    page.wait_for_function(
        "count => document.querySelectorAll('#downloads details').length === count - 1"
        " && document.querySelector('#downloads a') && document.querySelector('#score')?.offsetParent",
        arg=takes,
    )


def scored(page: Any, studio: Running, film: Path) -> int:
    """Wait until the page shows the film, which is dropped if no test before did so; returns how many takes it has."""
    if not list(studio.folder.glob("*/studio.json")):
        page.set_input_files("#drop input", film)
    page.wait_for_function("document.querySelector('#downloads a') && document.querySelector('#score')?.offsetParent")
    return int(page.locator("#downloads details").count()) + 1


def test_refused_uploads_are_one_clear_line(tabs: Any, studio: Running, tmp_path: Path) -> None:
    page = tabs()
    assert "Give it a film" in page.inner_text("#empty")
    notes = tmp_path / "notes.mp4"
    notes.write_text("Dear diary")
    page.set_input_files("#drop input", notes)
    page.wait_for_selector("#notice .ns-notice")
    told = page.inner_text("#notice .ns-notice")
    assert told.startswith("Not taken: notes.mp4: it is not a video") and "Choose a film" in told
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(21 * 2**20)
    page.set_input_files("#drop input", large)
    page.wait_for_selector(".ns-drop-line.ns-notice")
    assert "large.mp4 has 21 MiB, and films of up to 20 MiB" in page.inner_text(".ns-drop-line")
    assert not list(studio.folder.rglob("*.mp4"))


def test_a_film_is_scored_its_curve_dragged_and_its_takes_compared(tabs: Any, studio: Running, film: Path) -> None:
    page = tabs()
    page.set_input_files("#drop input", film)
    page.wait_for_selector("#stop")
    finished(page, 1)
    other = tabs()  # sees the same without being told
    finished(other, 1)
    assert "film=" in page.url

    # By mouse: the point follows, its neighbours stay, the rest of the curve is kept.
    last = page.locator('.ns-knob[data-lane="arousal"]').count() - 1
    middle = last // 2
    before = [value(page, "arousal", index) for index in range(last + 1)]
    drag(page, "arousal", middle, -40)
    assert value(page, "arousal", middle) > before[middle] + 0.3
    assert [value(page, "arousal", index) for index in (middle - 1, middle + 1)] == [before[middle - 1],
                                                                                     before[middle + 1]]  # fmt: skip
    assert page.inner_text(".ns-desk-told") == "Changed, not scored yet"

    # By keyboard: up by a step, on to the next point, and back by undo.
    moved = value(page, "arousal", middle)
    page.focus(f'.ns-knob[data-lane="arousal"][data-index="{middle}"]')
    page.keyboard.press("ArrowDown")
    assert value(page, "arousal", middle) == pytest.approx(moved - 0.05, abs=0.011)
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.index") == str(middle + 1)
    page.keyboard.press("Control+z")
    assert value(page, "arousal", middle) == moved
    assert page.get_attribute(f'.ns-knob[data-lane="valence"][data-index="{middle}"]', "aria-label") is not None

    # Scored again: the windows of the first composition are the same bytes, those of one edit are new.
    kept, text = hashes(studio.job), (studio.job / "curve.csv").read_text()
    page.click("#score")
    finished(page, 2)
    after = hashes(studio.job)
    assert kept.items() <= after.items()
    assert {name.split("/")[0] for name in after.keys() - kept.keys()} == {"edit-1-1"}
    assert (studio.job / "curve.csv").read_text() != text
    assert "Composed anew: 0:0" in page.inner_text("#status")
    assert page.locator("rect.ns-new").count() == 2  # in either lane
    assert page.inner_text(".ns-desk-told") == ""
    finished(other, 2)

    # A and B play at once and one of them is heard; changing over keeps the place.
    page.wait_for_function("[...document.querySelectorAll('#player audio')].every(each => each.readyState > 0)")
    sounds = "[...document.querySelectorAll('#player audio')].map(each => [each.muted, each.currentTime])"
    page.locator("#player input[type=range]").fill("6")
    page.click("#player .ns-compare button:has-text('B')")
    (a_muted, a_at), (b_muted, b_at) = page.evaluate(sounds)
    assert (a_muted, b_muted) == (True, False) and abs(a_at - 6) < 0.2 and abs(b_at - 6) < 0.2
    sources = page.evaluate("[...document.querySelectorAll('#player audio')].map(each => each.getAttribute('src'))")
    assert sources[0] != sources[1] and "versions/1" in sources[1]

    # Taken along.
    with page.expect_download() as music:
        page.locator("#downloads a", has_text="Music, WAV").first.click()
    assert Path(music.value.path()).read_bytes() == (studio.job / "music.wav").read_bytes()
    assert music.value.suggested_filename == "film.music.wav"
    with page.expect_download() as everything:
        page.locator("#downloads a", has_text="Everything").first.click()
    with zipfile.ZipFile(io.BytesIO(Path(everything.value.path()).read_bytes())) as archive:
        assert {"film.scored.mp4", "music.wav", "curve.csv", "report.html", "manifest.json"} <= set(archive.namelist())
        assert archive.read("music.wav") == (studio.job / "music.wav").read_bytes()


def test_a_page_reloaded_in_the_middle_shows_the_job_and_its_result(tabs: Any, studio: Running, film: Path) -> None:
    page = tabs()
    takes = scored(page, studio, film)
    page.click("#another")
    page.wait_for_selector("#stop")
    page.reload()
    page.wait_for_selector("#status")
    page.wait_for_function(
        "document.querySelector('#stop')?.offsetParent || document.querySelector('#score')?.offsetParent"
    )
    finished(page, takes + 1)
    # A sentence of one's own, and one that is too long to send.
    page.fill("#sentence textarea", "calm strings")
    page.click("#score")
    finished(page, takes + 2)
    page.reload()
    finished(page, takes + 2)
    assert page.input_value("#sentence textarea") == "calm strings"


def test_cues_are_set_on_the_page_and_shown_where_the_music_is_silent(tabs: Any, studio: Running, film: Path) -> None:
    page = tabs()
    takes = scored(page, studio, film)
    assert page.locator("rect.ns-silent").count() == 0
    assert page.get_attribute("#cues input, #cues textarea", "placeholder") == "everywhere"
    page.fill("#cues input, #cues textarea", "0:00-0:99")
    page.click("#score")
    page.wait_for_selector("#notice .ns-notice")
    assert "0:99" in page.inner_text("#notice .ns-notice")
    page.fill("#cues input, #cues textarea", "0:00-0:04; 0:08-0:12")
    page.click("#score")
    finished(page, takes + 1)
    assert page.locator("rect.ns-silent").count() == 2  # in either lane
    sound, rate_hz = soundfile.read(studio.job / "music.wav")
    assert not sound[4 * rate_hz : 8 * rate_hz].any() and sound[: 3 * rate_hz].any() and sound[9 * rate_hz :].any()
    page.fill("#cues input, #cues textarea", "")
    page.click("#score")
    finished(page, takes + 2)
    assert page.locator("rect.ns-silent").count() == 0


def test_a_finger_finds_every_point_on_a_phone(browser: Any, studio: Running, film: Path, tabs: Any) -> None:
    page = tabs()
    scored(page, studio, film)
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.set_default_timeout(PATIENCE)
    small = phone.new_page()
    small.goto(studio.url)
    small.wait_for_selector(".ns-knob")
    assert small.evaluate("document.documentElement.scrollWidth") <= 390
    assert all(box["width"] >= 40 and box["height"] >= 40 for box in boxes_of(small, ".ns-hold"))
    assert all(box["left"] >= 0 and box["right"] <= 390 for box in boxes_of(small, ".ns-dot"))
    assert small.evaluate("getComputedStyle(document.querySelector('.ns-knob')).touchAction") == "none"
    # As of a long film, whose points lie closer together than they can be touched: still the nearest one moves.
    small.add_style_tag(content=".ns-hold { r: 200px; }")
    before = [value(small, "valence", index) for index in range(3)]
    drag(small, "valence", 1, 25)
    after = [value(small, "valence", index) for index in range(3)]
    assert after[1] < before[1] - 0.2 and (after[0], after[2]) == (before[0], before[2])
    phone.close()


def fetch(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_files_are_served_from_the_studio_alone(studio: Running, tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    inside = studio.folder / "0123456789ab" / "note.txt"
    inside.parent.mkdir(parents=True)
    inside.write_text("note")
    route = studio.url + "gradio_api/file="
    assert fetch(route + quote(str(inside))) == 200
    for path in ("/etc/passwd", str(outside), f"{studio.folder}/../asked.txt", f"{studio.folder}/../../etc/passwd",
                 str(ROOT / "pyproject.toml"), "pyproject.toml", "file:///etc/passwd"):  # fmt: skip
        assert fetch(route + quote(path)) == 403, path
        assert fetch(route + quote(path, safe="")) == 403, path
    assert fetch(route + "https://example.org/") == 403
    assert fetch(studio.url, Host="evil.example") == 403
    for path in ("0123456789ab/1.zip", "0123456789ab/1/note.txt", f"{studio.job.parent.name}/99/music.wav",
                 f"{studio.job.parent.name}/1/..%2F..%2Fasked.txt"):  # fmt: skip
        assert fetch(f"{studio.url}studio/{path}") == 404, path
    shutil.rmtree(inside.parent)


def test_the_server_asks_nobody(studio: Running) -> None:
    time.sleep(1)
    asked = set(studio.log.read_text().split()) if studio.log.exists() else set()
    assert asked <= {"127.0.0.1", "localhost", "::1"}
