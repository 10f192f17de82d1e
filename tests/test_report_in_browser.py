"""The report page as someone opens it: in a real browser, from a file, with the network off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from narrascore.job import JobResult, ScoreOptions, score_film
from tests.browser import DESK, PHONE, tab_to, visit, wait_until
from tests.films import write_clip
from tests.systems import tiny_pipeline

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

SECONDS = 2.0
NAME = "<script>alert('film')</script> & \"co\".mp4".replace("/", "\N{DIVISION SLASH}")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> JobResult:
    """A small film with sound and a name that means mischief, scored by the tiny system."""
    folder = tmp_path_factory.mktemp("films")
    pipeline = tiny_pipeline(tmp_path_factory.mktemp("tiny"))
    return score_film(pipeline, write_clip(folder / NAME, SECONDS), ScoreOptions(prompt="calm <img src=x> strings"))


@pytest.fixture(scope="module")
def report(job: JobResult) -> Path:
    return job.folder / "report.html"


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def page(request: pytest.FixtureRequest, browser: Browser, report: Path) -> Iterator[Page]:
    with visit(browser, report, request.param) as opened:
        wait_until(opened, "[...document.querySelectorAll('video, audio')].every(each => each.readyState >= 2)")
        yield opened


def place(page: Page) -> float:
    """Where the playhead stands, as film time."""
    return float((page.locator("#playhead").get_attribute("x1") or "").rstrip("%")) / 100 * SECONDS


def times(page: Page) -> list[float]:
    found: list[float] = page.evaluate("[...document.querySelectorAll('video, audio')].map(each => each.currentTime)")
    return found


def test_film_and_music_play_from_the_files_beside_the_page(page: Page) -> None:
    lasts = page.evaluate("[...document.querySelectorAll('video, audio')].map(each => each.duration)")
    assert lasts == pytest.approx([SECONDS, SECONDS], abs=0.1)
    assert page.locator("video").evaluate("video => video.videoWidth") == 64
    assert page.locator(".cannot:visible").count() == 0
    assert page.locator("h1").inner_text() == NAME
    assert "calm <img src=x> strings" in page.locator("blockquote").inner_text()


def test_a_click_on_the_picture_moves_players_and_playhead(page: Page) -> None:
    box = page.locator("#axis").bounding_box()
    assert box is not None
    page.locator("#seek").click(position={"x": 0.75 * box["width"], "y": box["height"] / 2})
    assert place(page) == pytest.approx(0.75 * SECONDS, abs=0.02)
    assert times(page) == pytest.approx([0.75 * SECONDS] * 2, abs=0.02)
    assert page.locator("#now").inner_text().startswith("0:01.5 of 0:02.0")


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    video, seek = page.locator("video"), page.locator("#seek")
    tab_to(page, video)
    page.keyboard.press("Space")
    wait_until(page, "!document.querySelector('video').paused")
    wait_until(page, "document.getElementById('playhead').getAttribute('x1') !== '0%'")
    page.keyboard.press("Space")
    wait_until(page, "document.querySelector('video').paused")
    assert place(page) == pytest.approx(times(page)[0], abs=0.05)

    tab_to(page, seek)
    page.keyboard.press("Home")
    for key, seconds in (("ArrowRight", 1), ("ArrowUp", 2), ("ArrowLeft", 1), ("PageUp", 2), ("Home", 0)):
        page.keyboard.press(key)
        assert place(page) == pytest.approx(seconds, abs=0.02), key
        assert times(page) == pytest.approx([seconds] * 2, abs=0.1), key
    page.keyboard.press("ArrowRight")
    said = seek.get_attribute("aria-valuetext") or ""
    assert said.startswith("0:01.0 of 0:02.0") and "valence" in said and "window: " in said
    page.keyboard.press("Space")
    wait_until(page, "!document.querySelector('video').paused")
    wait_until(page, "document.querySelector('video').currentTime > 1.05")
    page.keyboard.press("Space")
    wait_until(page, "document.querySelector('video').paused")
    assert 1 < place(page) <= SECONDS


def test_one_player_silences_the_other_and_goes_on_where_it_was(page: Page) -> None:
    page.locator("#seek").evaluate("seek => { seek.value = 1; seek.dispatchEvent(new Event('input')); }")
    page.locator("video").evaluate("video => video.play()")
    wait_until(page, "document.querySelector('video').currentTime > 1.1")
    page.locator("audio").evaluate("audio => audio.play()")
    wait_until(page, "document.querySelector('video').paused && document.querySelector('audio').currentTime > 1.1")
    page.locator("audio").evaluate("audio => audio.pause()")


def test_the_tables_open_and_close_by_key(page: Page) -> None:
    settings = page.locator("summary", has_text="Settings")
    tab_to(page, settings)
    page.keyboard.press("Enter")
    assert page.locator("details", has=settings).get_by_role("row", name="prompt").is_visible()


def test_who_wants_less_motion_gets_no_running_playhead(browser: Browser, report: Path) -> None:
    listen = (
        "() => { const ask = requestAnimationFrame; requestAnimationFrame = (it) => { window.asked = true; ask(it); } }"
    )
    for wish, runs in (("reduce", False), ("no-preference", True)):
        with visit(browser, report, reduced_motion=wish) as page:
            page.evaluate(listen)
            page.locator("audio").evaluate("audio => { audio.play(); }")
            wait_until(page, "document.querySelector('audio').currentTime > 0.5")
            assert place(page) > 0  # it follows all the same
            assert bool(page.evaluate("window.asked")) is runs


def test_without_script_the_players_and_the_picture_are_there(browser: Browser, report: Path) -> None:
    with visit(browser, report, java_script_enabled=False, overflows=True) as page:
        assert page.locator("video[controls]").is_visible() and page.locator("#axis").is_visible()
        assert not page.locator("#seek").is_visible()
        description = page.get_by_role("img").first.get_attribute("aria-label") or ""
        assert "Arousal is lowest with" in description


def test_a_film_that_cannot_be_played_is_linked(browser: Browser, job: JobResult, report: Path) -> None:
    assert job.film is not None
    kept, away = job.film.read_bytes(), "not a film"
    try:
        job.film.write_text(away, encoding="utf-8")
        with visit(browser, report) as page:
            page.locator(".cannot").first.wait_for(state="visible")
            assert "This browser cannot play it (picture: h264)" in page.locator(".cannot").first.inner_text()
            assert page.locator(".cannot").first.locator("a").inner_text() == job.film.name
            assert not page.locator(".cannot").last.is_visible()
            tab_to(page, page.locator("#seek"))
            page.keyboard.press("Space")  # then the music alone is what plays
            wait_until(page, "!document.querySelector('audio').paused")
    finally:
        job.film.write_bytes(kept)


def test_paper_shows_everything_and_no_players(browser: Browser, report: Path) -> None:
    with visit(browser, report, color_scheme="dark") as page:
        closed = page.locator("details:not([open])").count()
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert closed and page.locator("details:not([open])").count() == 0
        assert not page.locator("video").is_visible() and page.locator("#axis").is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)" != dark
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("details:not([open])").count() == closed


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Browser, report: Path, scheme: Any) -> None:
    """The contrast that WCAG asks of text (4.5) and of lines (3), of the colours that the style sheet names."""
    with visit(browser, report, color_scheme=scheme) as page:
        colours = page.evaluate(
            "names => names.map(each => getComputedStyle(document.body).getPropertyValue('--' + each).trim())",
            ["ink", "quiet", "accent", "arousal", "valence", "music", "paper", "field"],
        )
    ink, quiet, accent, arousal, valence, music, paper, field = map(luminance, colours)
    assert min(contrast(text, paper) for text in (ink, quiet, accent)) >= 4.5
    assert min(contrast(line, field) for line in (arousal, valence, music)) >= 3


def luminance(colour: str) -> float:
    """Of `#rrggbb`, as WCAG 2 has it."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
