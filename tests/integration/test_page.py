"""The status page in a real Chromium."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from msgspec.structs import replace
from playwright.async_api import Browser, Page, expect

from tests.support.browser import open_browser, visit
from tests.support.desk import NOW, Desk, idle, lively, owing, ran
from tests.support.visitor import TOKEN, visiting

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests of this file; each opens a window of its own."""
    async with open_browser() as started:
        yield started


async def _live(page: Page) -> None:
    await expect(page.locator("#link")).to_have_text("Live")


async def test_progress_moves_while_a_run_runs(browser: Browser) -> None:
    """Bar, figures and state follow a run without a reload, and the end of the run is told."""
    async with visiting() as visitor, visit(browser, visitor.url) as seen:
        await _live(seen.page)
        card, bar = seen.page.locator("#job-highway"), seen.page.locator("#job-highway progress")
        assert await bar.get_attribute("value") == "3817"
        await bar.evaluate("element => { element.before_the_move = true }")
        for stored, left in ((4_000, "6m"), (7_000, "1m 40s")):
            visitor.desk.progress("highway", stored=stored, eta=360.0 if stored == 4_000 else 100.0)
            await expect(bar).to_have_attribute("value", str(stored + 613))
            await expect(card).to_contain_text(f"{stored + 613:,} of 8,400")
            await expect(card).to_contain_text(f"{left} left")
        assert await bar.evaluate("element => element.before_the_move")
        row = ran("highway", NOW, stored=7_787)
        visitor.desk.history.append(row)
        visitor.desk.change("highway", state="idle", live=None, last=row)
        await expect(bar).to_have_count(0)
        await expect(seen.page.locator("#said")).to_have_text("highway: Idle.")
        await expect(seen.page.locator("#runs tbody tr").first).to_contain_text("7,787")


async def test_retry_works(browser: Browser) -> None:
    """The button of an owed item retries exactly that one, says so, and the item leaves the list when it is stored."""
    async with visiting() as visitor, visit(browser, visitor.url) as seen:
        await _live(seen.page)
        rows = seen.page.locator("#owed tbody tr")
        await expect(rows).to_have_count(6)
        row = rows.filter(has_text="clinic-0001")
        await expect(row).to_contain_text("the document is cut short")
        await row.get_by_role("button", name="Retry clinic-0001 of clinic").click()
        await expect(seen.page.locator("#said")).to_contain_text("What clinic owes is tried again now.")
        await expect(rows).to_have_count(5)
        await expect(seen.page.locator("#owed")).not_to_contain_text("clinic-0001")
        await seen.page.get_by_role("button", name="Retry 3 owed of clinic").click()
        await expect(rows).to_have_count(2)
        assert visitor.desk.asked == [("retry", "clinic", "clinic-0001"), ("retry", "clinic", "all")]


async def test_jobs_are_triggered_paused_and_resumed(browser: Browser) -> None:
    """Buttons do what they say, and the card shows what came of it."""
    async with visiting() as visitor, visit(browser, visitor.url) as seen:
        await _live(seen.page)
        card = seen.page.locator("#job-archive")
        await card.get_by_role("button", name="Pause archive").click()
        await expect(card.locator(".badge")).to_have_text("Paused")
        await card.get_by_role("button", name="Resume archive").click()
        await expect(card.locator(".badge")).to_have_text("Idle")
        await card.get_by_role("button", name="Run now archive").click()
        await expect(card.locator(".badge")).to_have_text("Waiting for its turn")
        await expect(card.get_by_role("button", name="Run now")).to_be_disabled()
        assert [each[0] for each in visitor.desk.asked] == ["pause", "resume", "trigger"]


async def test_a_token_is_needed(browser: Browser) -> None:
    """Without the token there is only the form; with it the page, until one signs out. No script sees the session."""
    refused = ("Failed to load resource: the server responded with a status of 403",)
    async with visiting(token=TOKEN) as visitor, visit(browser, visitor.url, fine=refused) as seen:
        page = seen.page
        assert page.url.endswith("/login")
        await page.get_by_label("Token").fill("a guess")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        await page.get_by_label("Token").fill(TOKEN)
        await page.keyboard.press("Enter")
        await _live(page)
        assert await page.evaluate("document.cookie") == ""
        await page.get_by_role("button", name="Run now street").click()
        await expect(page.locator("#said")).to_contain_text("street runs as soon as it may.")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Token")).to_be_focused()
        await page.goto(visitor.url)
        assert page.url.endswith("/login")


async def test_a_session_that_ends_leads_to_the_login(browser: Browser) -> None:
    """A page whose session is over shows nothing more and asks for the token."""
    gone = ("Failed to load resource: the server responded with a status of 401",)
    async with visiting(token=TOKEN) as visitor, visit(browser, visitor.url, fine=gone) as seen:
        await seen.page.get_by_label("Token").fill(TOKEN)
        await seen.page.keyboard.press("Enter")
        await _live(seen.page)
        visitor.clock.ahead += 13 * 3600
        visitor.desk.moved()
        visitor.desk.progress("highway", stored=4_000)
        await expect(seen.page.get_by_label("Token")).to_be_visible(timeout=30_000)


HOSTILE = "<img src=x onerror=\"alert('in')\"><script>alert('here')</script>"


async def test_what_platforms_say_stays_text(browser: Browser) -> None:
    """A project, an item and a reason full of markup are shown as written, at first and live; nothing of it runs."""
    desk = Desk()
    desk.views = {"street": idle("street", owed=1)}
    desk.debts = {"street": owing("street", 1, project=HOSTILE, reason=HOSTILE)}
    async with visiting(desk) as visitor, visit(browser, visitor.url) as seen:
        await _live(seen.page)
        reason = seen.page.locator("#owed tbody td").first
        await expect(reason).to_have_text(HOSTILE)
        row = ran("street", NOW, stored=1, code=75, problem=HOSTILE)
        desk.history.append(row)
        desk.change("street", last=row, schedule=HOSTILE)
        await expect(seen.page.locator("#runs tbody small")).to_have_text(HOSTILE)
        await expect(seen.page.locator("#job-street header p")).to_contain_text(HOSTILE)
        assert await seen.page.locator("main img, main script").count() == 0


async def test_it_reads_without_a_script(browser: Browser) -> None:
    """With scripts switched off everything is there to be read, and the buttons work as forms."""
    async with visiting() as visitor, visit(browser, visitor.url, java_script_enabled=False) as seen:
        for said in ("3,817 of 8,400", "Reload to see changes", "Left alone", "29 Nov 01:30 UTC", "1,635"):
            assert said in await seen.text("body")
        await seen.page.get_by_role("button", name="Pause street").click()
        assert "street is paused; a run under way goes on." in await seen.text("#said")
        assert await seen.page.locator("#job-street .badge").inner_text() == "Paused"
        assert visitor.desk.asked == [("pause", "street")]


async def test_the_keyboard_reaches_everything(browser: Browser) -> None:
    """Tab leads to the way past the head and to every button, each seen; focus stays where it is when things move."""
    async with visiting() as visitor, visit(browser, visitor.url) as seen:
        page = seen.page
        await _live(page)
        reached: list[str] = []
        while True:
            await page.keyboard.press("Tab")
            focus = await page.evaluate(
                "() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return [e.tagName, e.id || e.className, s.outlineStyle] }"
            )
            if focus[0] == "BODY":
                break
            assert focus[2] != "none", focus
            reached.append(focus[1])
        assert reached[0] == "skip"
        buttons = await page.locator("button:enabled").evaluate_all("all => all.map(each => each.id)")
        assert [each for each in reached if each in buttons] == buttons
        await page.locator("#job-highway-pause").focus()
        visitor.desk.progress("highway", stored=4_000)
        await expect(page.locator("#job-highway")).to_contain_text("4,613")
        await expect(page.locator("#job-highway-pause")).to_be_focused()
        await page.keyboard.press("Enter")
        # The button is another now: the next one of the card takes the focus, not the top of the page.
        await expect(page.locator("#job-highway-resume")).to_be_visible()
        await expect(page.locator("#job-highway button:focus")).to_have_count(1)
        assert visitor.desk.asked == [("pause", "highway")]


@pytest.mark.parametrize("window", [{}, PHONE], ids=["desktop", "phone"])
async def test_everybody_can_use_it(browser: Browser, window: dict[str, object]) -> None:
    """Axe finds nothing against the page or the form: contrast, names, roles, order; on a phone and in the dark too."""
    async with visiting(token=TOKEN) as visitor, visit(browser, visitor.url, color_scheme="dark", **window) as seen:
        # The checker is a script of the test's, which the driver runs beside the page's policy.
        found = [await Axe().run(seen.page)]
        await seen.page.get_by_label("Token").fill(TOKEN)
        await seen.page.keyboard.press("Enter")
        await _live(seen.page)
        visitor.desk.state = replace(visitor.desk.state, ready=False, reasons=("the state can't be written",))
        visitor.desk.moved()
        await expect(seen.page.locator(".alarm")).to_be_visible()
        grounds = []
        for scheme in ("dark", "light"):
            await seen.page.emulate_media(color_scheme=scheme)
            found.append(await Axe().run(seen.page))
            grounds.append(await seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert [each.generate_report() for each in found if each.violations_count] == []
        assert grounds == ["rgb(15, 20, 19)", "rgb(246, 247, 247)"]


@pytest.mark.parametrize("width", [320, 390, 768])
async def test_it_fits_on_a_phone(browser: Browser, width: int) -> None:
    """Nothing sticks out sideways, also with long names, and what may be tapped is large enough."""
    desk = lively()
    desk.debts["clinic"] = owing("clinic" * 20, 4, project="p" * 90, reason="https://example.com/" + "x" * 200)
    desk.change("street", sinks={"lake": "s3://" + "labels" * 40}, schedule="cron " + "0," * 60)
    window = {**PHONE, "viewport": {"width": width, "height": 800}}
    async with visiting(desk) as visitor, visit(browser, visitor.url, **window) as seen:
        await _live(seen.page)
        assert await seen.page.evaluate("document.documentElement.scrollWidth") == width
        boxes = await seen.page.locator("button").evaluate_all(
            "all => all.map(each => each.getBoundingClientRect()).map(box => [box.left, box.right, box.height])"
        )
        assert all(left >= 0 and right <= width and height >= 32 for left, right, height in boxes)


async def test_it_comes_back_by_itself(browser: Browser) -> None:
    """When the daemon restarts the page says so, and goes on with what is true then."""
    away = ("Failed to load resource: net::ERR_", "Failed to load resource: the server responded with a status of 5")
    desk = lively()
    async with visiting(desk) as visitor:
        port = int(visitor.origin.rpartition(":")[2])
        window = visit(browser, visitor.url, fine=away)
        seen = await window.__aenter__()
        await _live(seen.page)
    await expect(seen.page.locator("#link")).to_have_text("Connecting again")
    desk.change("street", items=50_000)
    async with visiting(desk, port=port):
        await expect(seen.page.locator("#link")).to_have_text("Live", timeout=30_000)
        await expect(seen.page.locator("#job-street")).to_contain_text("50,000")
        desk.views["more"] = idle("more")
        desk.moved()
        await expect(seen.page.locator("#job-more")).to_be_visible()
        await window.__aexit__(None, None, None)


async def test_a_page_of_another_changes_nothing(browser: Browser) -> None:
    """A page elsewhere can neither send its forms to us, nor read, nor frame us."""
    async with visiting() as visitor:

        async def lure(_request: web.Request) -> web.Response:
            here = visitor.origin
            text = (
                f"<form method=post action='{here}/jobs/street/trigger'><button>win</button></form>"
                f"<iframe src='{here}/'></iframe><p id=got></p><script>fetch('{here}/api/v1/jobs')"
                ".then(r => r.text()).catch(() => 'refused').then(t => { got.textContent = t })</script>"
            )
            return web.Response(text=text, content_type="text/html")

        app = web.Application()
        app.router.add_get("/", lure)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/")
            await expect(page.locator("#got")).to_have_text("refused")
            assert await page.frames[1].locator("#main").count() == 0
            async with page.expect_navigation() as sent:
                await page.get_by_role("button", name="win").click()
            answer = await sent.value
            assert answer is not None
            assert answer.status == 403
            assert visitor.desk.asked == []
            await context.close()
        finally:
            await runner.cleanup()
