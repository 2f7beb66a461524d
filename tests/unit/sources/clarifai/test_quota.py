"""How much of Clarifai's quota a listing uses, and how often it is refused: on virtual time, through the real stack."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from syncer.model.events import Event
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import Quota
from tests.emulators.clarifai_store import Store
from tests.support.clarifai_simulated import simulated
from tests.support.clock import SimulatedClock

#: Requests that Clarifai lets through in any second.
QUOTA = 15


@dataclass(frozen=True)
class Outcome:
    """What a listing took."""

    requests: int
    refused: int
    #: Part of the quota that was used, from the first request to the last.
    busy: float
    items: int


@pytest.fixture(autouse=True)
def everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read large answers on the loop: virtual time does not know what a thread is doing."""
    monkeypatch.setattr("syncer.sources.clarifai.listing.THREAD", 10**9)


async def listed(inputs: int, each: int, *, quota: int = QUOTA, latency: float = 0.1, jitter: float = 0.0,
                 status: int = 429, page_size: int = 1000) -> Outcome:  # fmt: skip
    """List an app under a quota."""
    clock = SimulatedClock()
    start = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    platform = ClarifaiPlatform(Store(now=lambda: start + timedelta(seconds=clock.monotonic())))
    platform.store.fill(platform.store.create_app("cars"), inputs, each)
    platform.quota = Quota(quota, clock.monotonic, status=status)
    events: list[Event] = []
    async with simulated(platform, clock, latency=latency, jitter=jitter, events=events, page_size=page_size) as mirror:
        await clock.run(mirror.sync())
        passed = platform.quota.passed
        busy = (len(passed) - 1) / ((passed[-1] - passed[0]) * quota)
        return Outcome(len(platform.log), platform.quota.refused, busy, len(mirror.items))


@pytest.mark.parametrize(("latency", "busy"), [(0.02, 0.96), (0.1, 0.95), (0.5, 0.8)])
async def test_rule_22_the_quota_is_used_and_never_exceeded(latency: float, busy: float) -> None:
    """Near or far, nearly all of fifteen requests a second are used, beginning and end included; none is refused."""
    found = await listed(10_000, 1, latency=latency)
    assert found.items == 10_000
    assert found.requests == 213
    assert found.refused == 0
    assert found.busy >= busy


@pytest.mark.parametrize("status", [429, 200, 403])
async def test_rule_22_a_lower_quota_is_learned(status: int) -> None:
    """Where less is allowed, the code 11005 teaches it, with whatever HTTP status: a few refusals, nothing lost."""
    found = await listed(1000, 1, quota=5, status=status, page_size=40)
    assert found.items == 1000
    assert found.refused <= 0.06 * found.requests
    assert found.busy >= 0.7


@pytest.mark.slow
async def test_fifty_thousand_annotations_at_fifteen_a_second() -> None:
    """10,000 inputs with 5 annotations each: 213 requests, at least 95 % of the quota used, at most a few refused."""
    for jitter in (0.0, 0.03):
        found = await listed(10_000, 5, jitter=jitter)
        print(jitter, found)
        assert found.items == 50_000
        assert found.requests == 213 + found.refused
        assert found.refused <= 5
        assert found.busy >= 0.95
