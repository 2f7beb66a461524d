"""The picture of the status page in README.md: `python -m tests.support.screenshot` makes it anew.

Fonts are those of the machine: with Debian's `fonts-inter` it looks as it did.
"""

import asyncio

from playwright.async_api import expect

from tests.support.browser import open_browser
from tests.support.tree import ROOT
from tests.support.visitor import visiting

FILE = ROOT / "config" / "page.png"


async def take() -> None:
    """Show the lively desk to a browser, and keep what is seen."""
    async with visiting() as visitor, open_browser() as browser:
        page = await browser.new_page(viewport={"width": 1200, "height": 960})
        await page.goto(visitor.url)
        await expect(page.locator("#link")).to_have_text("Live")
        await page.screenshot(path=FILE)


if __name__ == "__main__":
    asyncio.run(take())
