"""Visits of a real browser to this project's pages, and what each page owes whoever opens it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PHONE, DESK = (390, 844), (1280, 900)
HERE = ("file:", "data:", "blob:")


@contextmanager
def visit(
    browser: Browser,
    page: Path | str,
    size: tuple[int, int] = DESK,
    *,
    allowed: tuple[str, ...] = HERE,
    overflows: bool = False,
    **context: Any,
) -> Iterator[Page]:
    """Open a page and, when the visit ends, see that it kept to what every page owes.

    It asked for nothing but what is allowed, wrote no error into the console, threw none, opened no dialogue, and is
    not wider than the screen.

    Args:
        browser: of the fixture `browser`.
        page: a file, opened with the network off, or an address.
        size: of the screen, in pixels.
        allowed: how addresses begin that the page may ask for.
        overflows: whether the page may be wider than the screen.
        context: what else the browser is to be, such as `color_scheme="dark"`.
    """
    is_file = isinstance(page, Path)
    asked, wrong = list[str](), list[str]()
    visitor = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, offline=is_file, accept_downloads=True, **context
    )
    try:
        opened = visitor.new_page()
        opened.set_default_timeout(30_000)
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on("dialog", lambda dialog: (wrong.append(f"dialogue: {dialog.message}"), dialog.dismiss()))
        opened.goto(page.absolute().as_uri() if isinstance(page, Path) else page)
        yield opened
        assert [address for address in asked if not address.startswith(allowed)] == []
        assert wrong == []
        if not overflows:
            width = opened.evaluate("document.documentElement.scrollWidth")
            assert width <= size[0], f"the page is {width} pixels wide on a screen of {size[0]}"
    finally:
        visitor.close()


def wait_until(page: Page, condition: str, seconds: float = 30.0) -> None:
    """Wait until an expression holds on a page; unlike `Page.wait_for_function` it evaluates nothing inside the page,
    which a policy against that would refuse."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"after {seconds:g} s this does not hold yet: {condition}"
        page.wait_for_timeout(50)


def tab_to(page: Page, target: Locator, most: int = 40) -> None:
    """Press the tabulator until the focus is on an element, as someone without a mouse does."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{target} is not reached by {most} presses of the tabulator")
