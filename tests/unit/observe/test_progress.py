"""Progress in figures, words and on a terminal."""

import io
from collections.abc import Mapping

import anyio
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from syncer.model import events
from syncer.model.refs import PartitionKey
from syncer.model.running import works_for
from syncer.observe.figures import WINDOW, Figures, Speed
from syncer.observe.lines import fields, line, seconds_left
from syncer.observe.progress import Progress
from tests.support.clock import InstantClock
from tests.support.happenings import EVERY, report

A, B = PartitionKey("a"), PartitionKey("b")
START = events.RunStarted("street", "run-1", ("lake",))


def _figures(*happened: events.Event) -> Figures:
    figures = Figures()
    for event in happened:
        figures.update(event)
    return figures


def test_figures_follow_every_event() -> None:
    """All kinds of events are understood, and the sums are right."""
    figures = _figures(*EVERY)
    assert (figures.job, figures.listed, figures.stored, figures.unchanged, figures.owed) == ("street", 10, 6, 3, 1)
    assert (figures.settled, figures.size, figures.requests, figures.retries, figures.throttled) == (10, 4096, 1, 1, 1)
    assert figures.limits == {"https://studio.example": 8}
    assert figures.ended


def test_the_total_is_told_only_when_it_is_known() -> None:
    """It needs every unit of the run, every partition of each, and a number from the server for all of them."""
    figures = Figures()
    totals: list[int | None] = []
    for event in (
        events.UnitStarted("a", 2, 1, 2),
        events.PageListed(A, 10, 100),
        events.PageListed(B, 10, 50),
        events.UnitStarted("b", 0, 1, 2),
        events.PageListed(A, 10, 120),
        events.PageListed(PartitionKey("c"), 10, None),
    ):
        figures.update(event)
        totals.append(figures.total)
    assert totals == [None, None, None, 150, 170, None]


def test_the_total_is_never_less_than_what_was_listed() -> None:
    """Items that appear while a pass runs do not make more than everything."""
    figures = _figures(START, events.UnitStarted("a", 1, 1), events.PageListed(A, 30, 20))
    assert figures.total == 30


def test_a_later_page_without_a_number_changes_nothing() -> None:
    """A server that says its total on the first page only has said it."""
    figures = _figures(START, events.UnitStarted("a", 1, 1), events.PageListed(A, 5, 20), events.PageListed(A, 5, None))
    assert figures.total == 20


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A pause or a throttle shows within the window; what lies before it is forgotten."""
    speed = Speed()
    assert (speed.items, speed.size) == (0.0, 0.0)
    speed.sample(0, 0, 0)
    speed.sample(10, 1000, 5000)
    assert (speed.items, speed.size) == (100.0, 500.0)
    for second in range(11, 11 + int(WINDOW) + 1):
        speed.sample(second, 1000, 5000)
    assert speed.items == 0.0


def test_the_time_left_is_honest() -> None:
    """Remaining items over the present rate; unknown without a total or without a rate."""
    figures = _figures(
        START, events.UnitStarted("a", 1, 1), events.PageListed(A, 100, 1000), events.Committed("a", 100, 10)
    )
    speed = Speed()
    assert seconds_left(figures, speed) is None
    speed.sample(0, 0, 0)
    speed.sample(10, 100, 10)
    assert seconds_left(figures, speed) == 90.0
    figures.update(events.PageListed(B, 1, None))
    assert seconds_left(figures, speed) is None


def test_a_line_for_people() -> None:
    """Items, bytes, rate, time left, trouble and the present limit, in that order."""
    figures = _figures(
        START,
        events.UnitStarted("a", 1, 1, 1),
        events.PageListed(A, 5000, 20000),
        events.Committed("a", 3120, 45_000_000),
        events.ItemOwed(EVERY[6].key, "404"),  # type: ignore[union-attr]  # the owed item
        events.Retrying("o", 1, 1.0, "x"),
        events.Throttled("o", 1.0, None),
        events.LimitChanged("o", 16),
        events.Draining("SIGTERM"),
    )
    speed = Speed()
    speed.sample(0, 0, 0)
    speed.sample(15, 3121, 45_000_000)
    assert line(figures, speed) == (
        "street: 3,121 of 20,000 items, 45 MB, 208/s, about 1m 21s left, 1 owed, 1 retry, 1 time slowed down,"
        " 16 requests at once, stopping (SIGTERM)"
    )


def test_a_line_without_a_total() -> None:
    """Without a total the line says how much was listed and which unit it is at, and promises nothing."""
    figures = _figures(
        START, events.UnitStarted("a", 1, 1, 3), events.PageListed(A, 50, None), events.Committed("a", 5, 10)
    )
    assert line(figures, Speed()) == "street: 5 items, unit 1 of 3, 50 listed so far, 10 B"


def test_fields_say_the_same_and_leave_out_what_is_unknown() -> None:
    """For a log that programs read."""
    figures = _figures(
        START, events.UnitStarted("a", 1, 1), events.PageListed(A, 50, None), events.Committed("a", 5, 10)
    )
    found = fields(figures, Speed())
    assert (found["job"], found["settled"], found["listed"], found["bytes"]) == ("street", 5, 50, 10)
    assert "total" not in found
    assert "seconds_left" not in found


@given(st.lists(st.sampled_from(EVERY), max_size=40), st.lists(st.floats(0, 5), min_size=2, max_size=10))
def test_no_order_of_events_breaks_the_words(happened: list[events.Event], pauses: list[float]) -> None:
    """Whatever comes in whatever order, there is one line, and no time left below zero."""
    figures = _figures(*happened)
    speed = Speed()
    now = 0.0
    for step, pause in enumerate(pauses):
        now += pause
        speed.sample(now, step * 3, step)
    assert "\n" not in line(figures, speed)
    assert (seconds_left(figures, speed) or 0) >= 0
    fields(figures, speed)


def _plain(clock: InstantClock) -> tuple[Progress, list[str]]:
    said: list[str] = []

    def say(text: str, _values: Mapping[str, object]) -> None:
        said.append(text)

    return Progress("plain", clock, say), said


async def test_plain_lines_come_every_few_seconds_and_at_the_end() -> None:
    """While the run goes on a line every five seconds; one when it ended; none before it began or after."""
    clock = InstantClock()
    progress, said = _plain(clock)
    with works_for("street", "run-1"), progress:
        async with anyio.create_task_group() as group:
            group.start_soon(progress.watch)
            await anyio.lowlevel.checkpoint()
            assert said == []
            progress(START)
            progress(events.Committed("a", 5, 10))
            while len(said) < 3:
                await anyio.lowlevel.checkpoint()
            progress(events.RunEnded(report()))
            count = len(said)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            assert len(said) == count
            group.cancel_scope.cancel()
    assert set(clock.slept) == {5.0}
    assert all(text.startswith("street: 5 items") for text in said)


async def test_a_second_run_starts_from_zero() -> None:
    """Figures belong to one run."""
    progress, said = _plain(InstantClock())
    for run in ("run-1", "run-2"):
        with works_for("street", run):
            progress(events.RunStarted("street", run, ()))
            progress.show()
            assert said[-1].startswith("street: 0 items")
            progress(events.Committed("a", 5, 10))
            progress(events.RunEnded(report()))
            assert said[-1].startswith("street: 5 items")


async def test_runs_side_by_side_have_a_line_each() -> None:
    """Figures of several jobs never mix, and a run that ended is no longer shown."""
    progress, said = _plain(InstantClock())
    for job, items in (("street", 5), ("highway", 7)):
        with works_for(job, "1"):
            progress(events.RunStarted(job, "1", ()))
            progress(events.Committed("a", items, 10))
    progress.show()
    assert said == ["highway: 7 items, 10 B", "street: 5 items, 10 B"]
    progress(events.RunEnded(report(job="street")))
    progress.show()
    assert said[-1] == "highway: 7 items, 10 B"


async def test_without_a_style_nothing_is_shown() -> None:
    """`--progress none` is silent, and its watch ends at once."""
    progress = Progress("none", InstantClock(), lambda *_: _never())
    with progress:
        for event in EVERY:
            progress(event)
        await progress.watch()


def _never() -> None:
    raise AssertionError


def test_rule_24_the_live_line_is_words_never_markup() -> None:
    """Names from a platform are shown as they are: no markup is read, no control character passes."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, color_system=None, legacy_windows=False)
    progress = Progress("rich", InstantClock(), lambda *_: _never(), console)
    with works_for("x", "1"), progress:
        progress(events.RunStarted("[red]st\x1b]0;evilreet[/red]", "run-1", ()))
        progress(events.Committed("a", 5, 10))
        progress.show()
    assert "[red]st\\x1b]0;evilreet[/red]: 5 items" in screen.getvalue()


def test_the_live_line_is_gone_afterwards() -> None:
    """Leaving clears the line: the last thing written erases it."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None, legacy_windows=False)
    with Progress("rich", InstantClock(), lambda *_: None, console) as progress:
        progress(START)
        progress.show()
    assert screen.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))
