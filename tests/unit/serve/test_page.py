"""What the page says."""

from contextlib import aclosing
from datetime import timedelta
from html import unescape

import pytest
from msgspec.structs import replace

from syncer.model.errors import Exit
from syncer.model.events import Event
from syncer.ports import Health
from syncer.serve import words
from syncer.serve.board import Board, Snapshot
from syncer.serve.job_cards import job_card
from syncer.serve.page import draw
from syncer.serve.sparkline import BARS, sparkline
from tests.support.clock import InstantClock
from tests.support.crews import crewed
from tests.support.desk import NOW, Desk, idle, lively, owing, ran
from tests.support.visitor import visiting


async def test_everything_is_on_the_page() -> None:
    """Jobs with their next run, progress and destinations, limits and circuits, owed items and runs: all in words."""
    async with visiting() as visitor:
        page = unescape((await visitor.get("/")).text)
    for said in (
        "cron 0 2 * * * Europe/Stockholm", "29 Nov 01:30 UTC", "3,817", "of 8,400", "9.6 items/s", "184 kB/s",
        "7m 57s left", "3 throttled", "file:///srv/exports/highway.zip", "Waiting for its turn", "Only by hand",
        "18 at once, 27.5 a second", "Left alone", "Being tried", "GET /annotations: 503, given up after 5 attempts",
        "clarifai answered 503 to every request", "Done, but owing", "182,340",
    ):  # fmt: skip
        assert said in page


async def test_what_rests_is_not_drawn_again() -> None:
    """Cards and tables of what is as it was are taken over as they are, and the page is the same as one drawn anew."""
    desk = lively()
    clock = InstantClock()
    board = Board(desk, clock, list[Event]().append)
    first = draw(await board.current())
    row = ran("street", NOW, stored=5)
    desk.history.append(row)
    desk.change("street", last=row)
    desk.progress("highway", stored=4_000)
    clock.seconds += 2
    snapshot = await board.current()
    second = draw(snapshot, first)
    assert second.pieces == draw(snapshot).pieces
    kept = {name for name, piece in second.pieces.items() if piece is first.pieces[name]}
    assert kept == {"job-clinic", "job-parts", "job-archive", "owed", "platforms"}
    desk.accounts["vi"] = replace(desk.accounts["vi"], circuit="closed")
    desk.debts["clinic"] = desk.debts["clinic"][:1]
    desk.change("clinic", owed=1)
    clock.seconds += 2
    snapshot = await board.current()
    third = draw(snapshot, second)
    assert third.pieces == draw(snapshot).pieces
    assert {"owed", "platforms", "job-clinic"}.isdisjoint(
        name for name, piece in third.pieces.items() if piece is second.pieces[name]
    )


async def test_a_fleet_has_a_section_where_somebody_works_for_it() -> None:
    """Workers with what they do, what waits, and shared limits; nothing where there is no fleet or an empty one."""
    desk = lively()
    empty = replace(crewed(), workers=(), runs=(), queues=(), accounts=())
    for fleet in (None, empty):
        desk.crew = fleet
        async with visiting(desk) as visitor:
            assert 'id="fleet"' not in (await visitor.get("/")).text
    desk.crew = crewed()
    async with visiting(desk) as visitor:
        page = unescape((await visitor.get("/")).text)
    assert page.index('id="fleet"') < page.index('id="owed"')
    for said in (
        "Working", "Silent", "4 of 4", "all queues",
        "Queue default: 89 units wait, 7 are at work, 1 of them with a worker that fell silent.",
        "studio: 27.5 requests a second together.", "vi: no limit together, paused for 41s.",
    ):  # fmt: skip
        assert said in page


async def test_a_fleet_is_followed_without_a_word_of_the_daemon() -> None:
    """Workers elsewhere ring no bell: after each silence those who follow get the fleet as it is then."""
    desk, clock = lively(), InstantClock()
    desk.crew = crewed()
    board = Board(desk, clock, list[Event]().append)
    async with aclosing(board.follow(0.01)) as snapshots:
        first = await anext(snapshots)
        assert first is not None
        assert first.fleet == crewed()
        desk.crew = replace(crewed(), queues=())
        clock.seconds += 60
        second = await anext(snapshots)
    assert second is not None
    assert second.fleet == desk.crew


HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


async def test_what_platforms_say_stays_text() -> None:
    """Names, reasons, addresses and problems that hold markup are shown as they are, in every place."""
    desk = Desk()
    row = ran("street", NOW, stored=1, code=75, problem=HOSTILE, stopped=HOSTILE)
    items = owing("street", 1, project=HOSTILE, reason=HOSTILE)
    items = [replace(item, key=item.key._replace(item=HOSTILE, batch=HOSTILE)) for item in items]
    desk.views = {"street": idle("street", sinks={HOSTILE: HOSTILE}, schedule=HOSTILE, last=row, owed=1)}
    desk.debts = {"street": items}
    desk.history = [row]
    desk.accounts = {
        "studio": replace(lively().accounts["studio"], name=HOSTILE, limits={HOSTILE: 1}, type=HOSTILE),
    }
    desk.state = replace(desk.state, reasons=(HOSTILE,), stalled=HOSTILE)
    async with visiting(desk) as visitor:
        page = (await visitor.get("/")).text
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(") >= 10


async def test_an_empty_daemon_says_so() -> None:
    """Without jobs, platforms, runs and debts the page says that there are none."""
    async with visiting(Desk()) as visitor:
        page = (await visitor.get("/")).text
    for said in ("No job is configured.", "No platform is configured.", "Nothing ran yet.", "Nothing is owed"):
        assert said in page


def test_what_is_wrong_stands_on_top() -> None:
    """Reasons, stalls and a state that can't be read are said in the summary."""
    health = Health(lag=0.1, worst_lag=6.0, idle=700, stalled="fetch of highway", ready=False, reasons=("it drains",))
    summary = draw(Snapshot(NOW, health=health, trouble="disk I/O error")).pieces["summary"]
    for said in ("it drains", "fetch of highway does not move", "Shown as it was before: disk I/O error"):
        assert said in summary


def test_unknown_totals_have_no_figures() -> None:
    """Where nobody knows how much there is, the bar has no value and no time left is promised."""
    view = lively().views["highway"]
    assert view.live is not None
    card = job_card(replace(view, live=replace(view.live, total=None, eta=None)), ())
    assert '<progress aria-label="Progress of highway"></progress>' in card
    assert "time left not known yet" in card
    empty = job_card(replace(view, live=replace(view.live, total=0, stored=0, unchanged=0, owed=0)), ())
    assert 'max="1" value="0"' in empty


def test_each_outcome_has_words() -> None:
    """Every exit code, a run under way and one of a later release are named, with a tone beside the word."""
    for code in Exit:
        word, tone = words.outcome(ran("street", NOW, stored=1, code=code))
        assert word
        assert tone in {"good", "held", "bad"}
    assert words.outcome(replace(ran("street", NOW, stored=1), ended=None)) == ("Not ended", "held")
    assert words.outcome(ran("street", NOW, stored=1, code=42)) == ("Failed: 42", "bad")
    assert words.outcome(replace(ran("street", NOW, stored=1), code=None)) == ("Ended", "calm")
    strange = replace(ran("street", NOW, stored=1), report={"counts": 5, "problems": "x"})
    assert (words.counts(strange), words.problem(strange)) == ({}, None)


def test_the_sparkline_shows_the_last_runs() -> None:
    """One bar a run, the newest last, as high as it stored; bad ones in another tone, and all of it in words."""
    runs = [ran("street", NOW - timedelta(hours=n), stored=100 - n, code=75 if n == 3 else 0) for n in range(40)]
    drawn = sparkline(runs)
    assert drawn is not None
    assert drawn.count("<rect") == BARS
    assert drawn.count('class="bad"') == 1
    assert 'aria-label="Last 24 runs: at most 100 stored, 1 failed"' in drawn
    assert drawn.endswith('height="28" rx="1" class="good"></rect></svg>')
    assert sparkline([]) is None


@pytest.mark.parametrize(
    ("action", "data", "said", "asked"),
    [
        ("street/trigger", None, "street runs as soon as it may.", ("trigger", "street", "page")),
        ("highway/trigger", None, "highway runs already, waits", ("trigger", "highway", "page")),
        ("street/pause", None, "street is paused", ("pause", "street")),
        ("clinic/resume", None, "clinic is back in the schedule.", ("resume", "clinic")),
        ("clinic/retry", None, "What clinic owes is tried again now.", ("retry", "clinic", "all")),
        ("street/retry", None, "street owes nothing of that any more.", ("retry", "street", "all")),
    ],
)
async def test_buttons_work_without_the_script(action: str, data: None, said: str, asked: tuple[str, ...]) -> None:
    """A button is a form: it does what it says, and leads back to the page, which tells what was done."""
    async with visiting() as visitor:
        answer = await visitor.post(f"/jobs/{action}", data)
        assert answer.status == 303
        back = answer.headers["Location"]
        assert back.endswith(f"#job-{action.partition('/')[0]}")
        assert said in (await visitor.get(back.partition("#")[0])).text
        assert visitor.desk.asked == [asked]
        told = await visitor.post(f"/jobs/{action}", data, Accept="application/json")
        assert told.status == 200


async def test_one_item_can_be_retried() -> None:
    """The button of an owed item names it by its key; a key that is none is refused."""
    async with visiting() as visitor:
        key = visitor.desk.debts["clinic"][2].key.canonical()
        assert (await visitor.post("/jobs/clinic/retry", {"key": key})).status == 303
        assert visitor.desk.asked == [("retry", "clinic", "clinic-0002")]
        for wrong in ("", "[1]", "[" * 9_000):
            assert (await visitor.post("/jobs/clinic/retry", {"key": wrong})).status == 422
        assert (await visitor.post("/jobs/nothing/retry")).status == 404
        assert (await visitor.post("/jobs/clinic/explode")).status == 404


async def test_what_was_said_is_ours() -> None:
    """A link can't put words on the page: only ours are said, and only about jobs that there are."""
    async with visiting() as visitor:
        for query in ("said=<b>x</b>&job=street", "said=pause&job=<b>x</b>", "said=pause", "job=street"):
            page = (await visitor.get(f"/?{query}")).text
            assert 'aria-live="polite"></p>' in page
            assert "<b>x" not in page
