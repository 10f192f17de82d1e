"""The listening test as a listener takes it: in a real browser, with the network off, up to the table."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from narrascore.affect import AffectCurve
from narrascore.cli.main import main
from narrascore.evaluation.listening import KEY_FILE, PAGE_FILE, SCALES, run_listening
from narrascore.evaluation.pieces import Piece
from tests.browser import DESK, PHONE, tab_to, visit, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

RATE_HZ = 16_000
SECONDS = 3
RATED = {"Quagga": 2, "Zebra": 5}
"""The systems, and what every listener thinks of each."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two systems that play the same two films, one of them ten times as loud."""
    folder, noise = tmp_path_factory.mktemp("listening"), np.random.default_rng(0)
    systems = {}
    for system, level in (("Zebra", 0.02), ("Quagga", 0.2)):
        pieces = []
        for film in ("harbour", "staircase"):
            sound = folder / f"{system}-{film}.wav"
            soundfile.write(sound, level * noise.uniform(-1, 1, SECONDS * RATE_HZ), RATE_HZ)
            curve = AffectCurve(noise.uniform(-1, 1, size=(SECONDS, 2)))
            pieces.append(Piece(film, curve, f"music for <b>{film[0]}</b>, with strings", sound))
        systems[system] = pieces
    run_listening(systems, folder / "out", n=2, clip_seconds=2, seed=3)
    return folder / "out"


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def page(request: pytest.FixtureRequest, browser: Browser, written: Path) -> Iterator[Page]:
    with visit(browser, written / PAGE_FILE, request.param) as opened:
        yield opened


def system_of(page: Page, written: Path) -> str:
    """Who plays the piece that is on the screen; the page itself does not know."""
    key = json.loads((written / KEY_FILE).read_text(encoding="utf-8"))
    shown = page.evaluate("clip().id")
    return next(str(clip["system"]) for clip in key["clips"] if clip["id"] == shown)


def begin(page: Page, name: str) -> None:
    page.locator("#listener").fill(name)
    page.locator("#begin").click()


def saved(page: Page, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator("#download").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def order(page: Page) -> list[str]:
    found: list[str] = page.evaluate("state.order.map(index => data.clips[index].id)")
    return found


def test_a_listener_is_told_of_no_system_and_no_film(page: Page, written: Path) -> None:
    whole = page.content() + page.evaluate("JSON.stringify(data)")
    assert not re.search("zebra|quagga|harbour|staircase", whole, re.IGNORECASE)
    begin(page, "ann")
    assert page.locator("#progress").inner_text() == "Piece 1 of 4; 0 rated"
    assert page.locator("#asked").inner_text() in (
        "music for <b>h</b>, with strings",
        "music for <b>s</b>, with strings",
    )
    ids = order(page)
    assert len(set(ids)) == 4 and all(re.fullmatch("[0-9a-f]{10}", name) for name in ids)


def test_every_listener_has_an_order_of_their_own_and_keeps_it(browser: Browser, written: Path) -> None:
    orders = []
    for name in ("ann", "ben", "cleo", "dan", "ann"):
        with visit(browser, written / PAGE_FILE) as page:
            begin(page, name)
            orders.append(tuple(order(page)))
    assert orders[0] == orders[-1] and len(set(orders)) >= 3
    assert all(set(one) == set(orders[0]) for one in orders)


def test_what_is_heard_is_equally_loud(page: Page) -> None:
    """By the samples that the browser decodes: noise of one colour is as loud as its power."""
    powers = page.evaluate("""async () => {
        const decoder = new OfflineAudioContext(2, 48000, 48000), powers = [];
        for (const clip of data.clips) {
            const bytes = Uint8Array.from(atob(clip.sound.split(",")[1]), (letter) => letter.charCodeAt(0));
            const heard = (await decoder.decodeAudioData(bytes.buffer)).getChannelData(0);
            powers.push(heard.reduce((sum, sample) => sum + sample * sample, 0) / heard.length);
        }
        return powers;
    }""")
    levels = 10 * np.log10(powers)
    assert len(levels) == 4 and np.ptp(levels) < 0.5


def test_the_player_moves_the_playhead_and_is_remembered(page: Page) -> None:
    begin(page, "ann")
    page.keyboard.press("Space")
    wait_until(page, "document.getElementById('player').currentTime > 1")
    page.keyboard.press("Space")
    wait_until(page, "document.getElementById('player').paused")
    wait_until(page, "Number(document.getElementById('playhead').getAttribute('x1')) > 250")
    assert page.evaluate("state.played[clip().id]") > 0.5


def test_keys_reach_what_has_the_focus(page: Page) -> None:
    begin(page, "ann")
    page.keyboard.press("Enter")
    assert page.locator("#trial-title").inner_text() == "Piece 1"  # nothing is rated, so it does not go on
    tab_to(page, page.locator("#player"))
    page.keyboard.press("Space")
    wait_until(page, "!document.getElementById('player').paused")
    for scale, value in (("MQ", 4), ("LTC", 2)):
        page.locator(f"#{scale}-1").focus()
        page.keyboard.press(str(value))
        assert page.locator(f"#{scale}-{value}").is_checked()
    page.locator("#MQ-4").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#MQ-5").is_checked()
    assert page.locator("#hint").inner_text() == "3 scales are still open"


def test_answers_outlast_a_reload(page: Page) -> None:
    begin(page, "ann")
    before = order(page)
    page.locator("#EDC-4").check(force=True)
    page.reload()
    assert page.locator("#listener").input_value() == "ann"
    page.locator("#begin").click()
    assert page.locator("#EDC-4").is_checked() and order(page) == before


def test_two_listeners_answers_become_the_table(
    browser: Browser, written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One rates with a finger on a phone, one with the keyboard alone; both on what they hear, whoever plays it."""
    answers = tmp_path / "answers"
    with visit(browser, written / PAGE_FILE, PHONE, has_touch=True) as page:
        begin(page, "ann")
        for piece in range(4):
            value = RATED[system_of(page, written)]
            assert page.locator("#next").is_disabled()
            for scale in SCALES:
                page.locator(f"#scales label:has(#{scale}-{value})").tap()
            assert page.locator("#progress").inner_text() == f"Piece {piece + 1} of 4; {piece + 1} rated"
            page.locator("#next").tap()
        assert page.locator("#finish").is_visible()
        page.locator("#review").tap()
        assert page.locator("#trial-title").inner_text() == "Piece 1"
        for _ in range(4):
            page.locator("#next").tap()
        ann = saved(page, answers)
        assert page.locator("#saved").inner_text() == "Saved as answers-ann.csv."
    with visit(browser, written / PAGE_FILE, DESK) as page:
        tab_to(page, page.locator("#listener"))
        page.keyboard.type("ben 2")
        page.keyboard.press("Enter")
        for _ in range(4):
            for _ in SCALES:
                page.keyboard.press(str(RATED[system_of(page, written)]))
            page.keyboard.press("Enter")
        tab_to(page, page.locator("#download"))
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        download.value.save_as(answers / download.value.suggested_filename)
    with ann.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    assert len(rows) == 4 * len(SCALES)
    assert [row["order"] for row in rows] == [str(1 + index // len(SCALES)) for index in range(len(rows))]

    words = ["evaluate", "experiment=ratings", f"ratings.answers={answers}", f"ratings.key={written / KEY_FILE}"]
    assert main([*words, f"output={tmp_path / 'out'}"]) == 0
    said = capsys.readouterr().out
    tables = [line.split("|")[1:-1] for line in said.splitlines() if line.startswith(("| Quagga", "| Zebra"))]
    assert len(tables) == 2 * 2  # intervals over listeners, and over clips
    for name, *cells in [[cell.strip() for cell in line] for line in tables]:
        mean = f"{RATED[name]:.2f}"
        assert cells == [f"{mean} [{mean}, {mean}]"] * len(SCALES) + ["2", "2", "20"]
