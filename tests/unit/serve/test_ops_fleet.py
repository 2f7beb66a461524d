"""The fleet in the metrics of the listener, over real connections."""

import asyncio

import aiohttp
import pytest
from msgspec.structs import replace

from syncer.model.errors import Unavailable
from syncer.model.events import Event, Warned
from syncer.observe.metrics import Metrics
from syncer.observe.outcomes import Outcomes
from syncer.ports import FleetQueue
from syncer.serve import ops
from syncer.serve.ops import open_ops
from syncer.settings.daemon import OpsOptions
from tests.support.clock import RealClock
from tests.support.crews import crewed
from tests.support.desk import lively


async def test_the_fleet_is_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What workers elsewhere do shows without an event here; a state that is away is told once, and shows nothing."""
    monkeypatch.setattr(ops, "FLEET", 0.01)
    desk, metrics, events = lively(), Metrics(Outcomes("1.2.3")), list[Event]()
    options = OpsOptions(address="127.0.0.1", port=0)
    desk.crew = crewed()
    async with (
        open_ops(desk, metrics, options, clock=RealClock(), emit=events.append) as url,
        aiohttp.ClientSession() as session,
        asyncio.timeout(60),
    ):

        async def scrape() -> str:
            async with session.get(f"{url}/metrics") as response:
                return await response.text()

        while 'syncer_fleet_units{queue="default",state="waiting"} 89.0' not in await scrape():
            pass
        desk.crew = replace(desk.crew, queues=[FleetQueue("default", 0, 1, 0)])
        while 'syncer_fleet_units{queue="default",state="waiting"} 0.0' not in await scrape():
            pass
        desk.broken = Unavailable("the database does not answer")
        while "syncer_fleet_units{" in await scrape():
            pass
        desk.broken = None
        while "syncer_fleet_units{" not in await scrape():
            pass
    told = [event for event in events if isinstance(event, Warned) and "fleet" in event.message]
    assert len(told) == 1
    assert "the database does not answer" in told[0].message
