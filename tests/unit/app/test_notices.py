"""Who is told of which runs, and that a run never waits for that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from syncer.app import notices
from syncer.app.notices import WAITING, concerns, notifying
from syncer.model.errors import Exit
from syncer.model.events import RunEnded, Warned
from syncer.model.report import Counts, Problem, Report
from syncer.net.notice import ATTEMPTS
from syncer.observe.hub import Hub
from syncer.settings.daemon import NotifyOptions
from tests.support.clock import START, InstantClock
from tests.support.inbox import Inbox, inbox
from tests.support.scratch import MemorySpool

GOOD = Report("highway", "r-1", START, START + timedelta(seconds=9), Counts(listed=3, unchanged=3), complete=True)
CHANGED = replace(GOOD, counts=Counts(listed=3, stored=2, unchanged=1))
OWING = replace(GOOD, counts=Counts(listed=3, unchanged=2, owed=1), owed={"lake": 1})
AWAY = replace(GOOD, complete=False, problems=(Problem("the platform is away", Exit.NOT_NOW, "try later"),))
ASKED = replace(GOOD, complete=False, stopped="--max-items")
DRAINED = replace(GOOD, complete=False, stopped="SIGTERM")


@asynccontextmanager
async def _told(box: Inbox, **options: Any) -> AsyncIterator[tuple[Hub, list[str]]]:
    hub, said = Hub(), list[str]()
    hub.add(lambda event: said.append(event.message) if isinstance(event, Warned) else None)
    chosen = NotifyOptions.model_validate({"url": f"{box.served.url}/secret-path", "on": "always", **options})
    async with notifying([chosen], InstantClock(), hub, MemorySpool()):
        yield hub, said


@pytest.mark.parametrize(
    ("report", "heard"),
    [
        (GOOD, {"always"}), (CHANGED, {"always", "change"}), (OWING, {"always", "failure"}),
        (AWAY, {"always", "failure"}), (ASKED, {"always"}), (DRAINED, {"always"}),
        (replace(AWAY, stopped="SIGTERM"), {"always", "failure"}),
    ],
)  # fmt: skip
def test_some_runs_concern_some(report: Report, heard: set[str]) -> None:
    """`failure`: what failed or owes; `change`: what changed a destination; an end that was asked for is neither."""
    assert {on for on in ("failure", "change", "always") if concerns(on, report)} == heard


async def test_a_run_that_ended_is_told() -> None:
    """The report arrives as it is, once, with nothing that is secret in it, before the block is left."""
    async with inbox() as box:
        async with _told(box) as (hub, said):
            hub.emit(RunEnded(AWAY))
            hub.emit(RunEnded(replace(GOOD, run="")))
        assert said == []
    first, second = box.reports
    assert (first["job"], first["run"], first["exit_code"], first["complete"]) == ("highway", "r-1", 75, False)
    assert first["problems"][0]["message"] == "the platform is away"
    assert box.came[0][0]["webhook-id"] == "run_highway_r-1"
    assert second["run"] == ""
    assert all(b"secret-path" not in body for _, body in box.came)


async def test_nobody_hears_what_does_not_concern() -> None:
    """A recipient of failures hears nothing of runs that were fine."""
    async with inbox() as box, _told(box, on="failure") as (hub, _):
        for report in (GOOD, CHANGED, OWING):
            hub.emit(RunEnded(report))
    assert [report["owed"] for report in box.reports] == [{"lake": 1}]


async def test_a_recipient_that_is_away_is_tried_for_hours() -> None:
    """What can't be delivered is tried again later, with a new signature under the same id, and then given up."""
    count = ATTEMPTS + 2
    async with inbox(*[503] * (count - 1), 204) as box, _told(box) as (hub, said):
        hub.emit(RunEnded(GOOD))
        for _ in range(count):
            await box.bell.get()
    assert {headers["webhook-id"] for headers, _ in box.came} == {"run_highway_r-1"}
    assert len(said) == 1
    assert "is told again in 5 min" in said[0]
    assert "secret-path" not in said[0]


async def test_a_refusal_is_a_warning() -> None:
    """A recipient that says no is not asked again, and the next notice goes out."""
    async with inbox(403, 204) as box, _told(box) as (hub, said):
        hub.emit(RunEnded(GOOD))
        hub.emit(RunEnded(CHANGED))
    assert len(box.came) == 2
    assert len(said) == 1
    assert "was not told" in said[0]


async def test_a_run_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Telling returns at once, however slow a recipient is; what waits is bounded, and what is dropped is said."""
    monkeypatch.setattr(notices, "FAREWELL", 0.01)
    silent = asyncio.Event()
    async with inbox() as box:

        async def hang(*_: object) -> None:
            await silent.wait()

        monkeypatch.setattr("syncer.net.notice.Recipient.send", hang)
        async with _told(box) as (hub, said):
            for _ in range(WAITING + 5):
                hub.emit(RunEnded(GOOD))
        assert len([text for text in said if "a notice was dropped" in text]) == 5
        assert said[-1].endswith(f"was not told of {WAITING} runs")
    assert box.came == []


async def test_a_url_that_is_missing_is_said_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that leads nowhere is a warning with its name, not the end of anything."""
    async with inbox() as box:
        async with _told(box, url="http://hooks.example.com/x") as (hub, said):
            hub.emit(RunEnded(GOOD))
        assert len(said) == 1
        assert "plain http to hooks.example.com is not accepted" in said[0]
