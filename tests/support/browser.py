"""A real Chromium, and what every visit with it has to hold: no error, nothing asked of others.

The browser is Debian's package; Playwright drives it. Where it is missing, tests fail and name the command to run.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, async_playwright

#: Names under which distributions install it.
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Visit:
    """A page in a browser of its own, and what went wrong on it."""

    page: Page
    #: Errors on the console, and exceptions of scripts.
    errors: list[str] = field(default_factory=list)
    #: Origins that anything was asked of.
    origins: set[str] = field(default_factory=set)

    async def text(self, selector: str) -> str:
        """Return the text of an element as it is shown."""
        return await self.page.locator(selector).inner_text()


def chromium() -> str:
    """Return where the browser is.

    Raises:
        RuntimeError: it is not installed.
    """
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = "this test needs Chromium. Run `python3 tests/run.py`, or: apt-get install -y chromium"
        raise RuntimeError(message)
    return found


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start a browser; its windows are separate from each other."""
    # Containers run tests as root, where Chromium's own sandbox can't start; it visits nothing but our own pages.
    flags = ["--no-sandbox", "--disable-dev-shm-usage"]
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium(), args=flags)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visit(browser: Browser, url: str, *, fine: tuple[str, ...] = (), **window: Any) -> AsyncIterator[Visit]:
    """Open a page in a fresh window; at the end nothing may have gone wrong on it, and nobody else been asked.

    `fine`: beginnings of console errors that the test means to bring about.
    """
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **window})
    try:
        page = await context.new_page()
        seen = Visit(page)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: seen.errors.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: seen.origins.add("{0.scheme}://{0.netloc}".format(urlsplit(request.url))))
        await page.goto(url)
        yield seen
        assert [error for error in seen.errors if not error.startswith(fine)] == []
        assert seen.origins == {url.rstrip("/")}
    finally:
        await context.close()
