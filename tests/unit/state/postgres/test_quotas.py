"""Limits shared by way of the database: several processes' worth of partners, on one server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from syncer.model.events import Event, Warned
from syncer.ports import Account, Quota, Quotas, Refusal, Standing, Terms
from syncer.state import open_quotas, open_state
from tests.support.postgres import Postgres, postgres

#: Seconds after which a test that waits for something in vain gives up.
PATIENCE = 60.0


@dataclass
class Told:
    """A partner that writes down what it hears."""

    served: float = 0.0
    wanted: int = 8
    used: int = 0
    terms: list[Terms] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    quota: Quota = field(init=False)

    def standing(self) -> Standing:
        """See the door."""
        return Standing(self.served, self.wanted, self.used)

    def heard(self, terms: Terms) -> None:
        """See the door."""
        self.terms.append(terms)
        self.news.set()

    @property
    def tokens(self) -> int:
        """How many requests may be in flight."""
        return self.terms[-1].tokens if self.terms else -1

    async def hears(self, wish: Callable[[Terms], bool]) -> Terms:
        """Wait for terms."""
        async with asyncio.timeout(PATIENCE):
            while not self.terms or not wish(self.terms[-1]):
                self.news.clear()
                await self.news.wait()
        return self.terms[-1]


@dataclass
class Processes:
    """What several processes would open."""

    url: str
    stack: AsyncExitStack
    events: list[Event] = field(default_factory=list)
    shared_again: asyncio.Event = field(default_factory=asyncio.Event)

    def said(self, event: Event) -> None:
        """Write down what is said."""
        self.events.append(event)
        if "shared again" in str(event):
            self.shared_again.set()

    async def another(self) -> Quotas:
        """Open one more process's way to the others."""
        quotas = await self.stack.enter_async_context(open_quotas(self.url, self.said))
        assert quotas is not None
        return quotas

    async def join(
        self, rate: float | None = None, concurrency: int = 32, quotas: Quotas | None = None, **standing: int
    ) -> Told:
        """Let one more take part, in a process of its own unless told otherwise."""
        told = Told(**standing)
        account = Account("account", "https://h", rate, concurrency)
        told.quota = (quotas or await self.another()).join(account, told)
        await told.hears(lambda _: True)
        return told


@asynccontextmanager
async def processes(url: str) -> AsyncIterator[Processes]:
    """Make a state, and open processes on it."""
    async with open_state(url, Path()):
        pass
    async with AsyncExitStack() as stack:
        yield Processes(url, stack)


@pytest.fixture
async def fleet(postgres_server: Postgres, schema: str) -> AsyncIterator[Processes]:
    """Yield processes that share a state."""
    async with processes(postgres_server.url(schema)) as opened:
        yield opened


@pytest.fixture(scope="module")
def restarted() -> Iterator[Postgres]:
    """Run a server that may be stopped, because nobody else uses it."""
    with postgres("fsync=off") as server:
        yield server


async def test_slots_of_all_processes_follow_each_other(fleet: Processes) -> None:
    """Lots of ten at 200 a second, wherever they are leased, with no slot given twice."""
    first, second = await fleet.join(200.0), await fleet.join(200.0)
    began, ends = asyncio.get_running_loop().time(), []
    for _ in range(10):
        for told in (first, second):
            grant = await told.quota.slots(64, succeeded=False)
            assert (grant.count, grant.interval) == (10, pytest.approx(1 / 200))
            ends.append(asyncio.get_running_loop().time() + grant.wait + grant.count * grant.interval)
    # 200 slots are a second's worth, of which the first tenth may lie in the past.
    assert ends[-1] - began >= 0.9
    assert ends == pytest.approx(sorted(ends), abs=0.04)


async def test_an_account_without_a_limit_needs_no_slots(fleet: Processes) -> None:
    """Until it is refused for the first time; what all were served counts."""
    first, second = await fleet.join(served=30), await fleet.join(served=50)
    assert first.terms[-1].rate is None
    assert (await first.quota.slots(5, succeeded=False)).interval == 0
    second.quota.refused(Refusal(0.1, 50.0, young=False, retry_after=None))
    terms = await first.hears(lambda terms: terms.rate is not None)
    assert terms.rate == pytest.approx(0.9 * 80)
    assert 0 < terms.pause <= 1
    assert (await second.hears(lambda terms: terms.rate is not None)).rate == terms.rate
    grant = await first.quota.slots(5, succeeded=False)
    assert grant.interval == pytest.approx(1 / 72)
    assert grant.wait > 0


async def test_rule_22_refusals_of_one_round_count_once(fleet: Processes) -> None:
    """Whoever they come to; those after it, with no success in between, only lengthen the pause."""
    first, second = await fleet.join(100.0), await fleet.join(100.0)
    first.quota.refused(Refusal(0.05, 100.0, young=False, retry_after=None))
    await second.hears(lambda terms: terms.rate == pytest.approx(98))
    second.quota.refused(Refusal(30.0, 100.0, young=False, retry_after=20.0))
    await first.hears(lambda terms: terms.pause > 15)
    assert first.terms[-1].rate == pytest.approx(98)
    second.quota.refused(Refusal(0.0, 100.0, young=False, retry_after=40.0))
    await first.hears(lambda terms: terms.pause > 35)
    assert first.terms[-1].rate == pytest.approx(98)
    await second.quota.slots(1, succeeded=True)
    second.quota.refused(Refusal(0.0, 100.0, young=False, retry_after=60.0))
    await first.hears(lambda terms: terms.rate == pytest.approx(0.9 * 98))


async def test_rule_22_a_pause_reaches_everybody(fleet: Processes) -> None:
    """Of the same account only; slots that are leased afterwards lie behind it."""
    shared = await fleet.another()
    first, second, same = await fleet.join(200.0), await fleet.join(200.0, quotas=shared), await fleet.join(200.0)
    elsewhere = Told()
    shared.join(Account("account", "https://elsewhere", None, 8), elsewhere)
    await elsewhere.hears(lambda _: True)
    first.quota.pause(30.0)
    for told in (second, same):
        # A look that overtakes the message says what is left of it.
        assert 25 < (await told.hears(lambda terms: terms.pause > 0)).pause <= 30
        assert (await told.quota.slots(10, succeeded=False)).wait > 25
    assert not any(terms.pause for terms in elsewhere.terms)


async def test_tokens_are_divided(fleet: Processes) -> None:
    """Who comes gets a part as soon as the others have no more in flight than theirs, and theirs come back."""
    shared = await fleet.another()
    first = await fleet.join(concurrency=10, quotas=shared, wanted=10)
    assert await first.hears(lambda terms: terms.tokens == 10)
    first.used = 10
    second = await fleet.join(concurrency=10, wanted=10)
    await first.hears(lambda terms: terms.tokens == 5)
    assert second.tokens == 0
    first.used = 7
    await second.hears(lambda terms: terms.tokens == 3)
    first.used = 5
    await second.hears(lambda terms: terms.tokens == 5)
    second.wanted = 2
    second.quota.want()
    await second.hears(lambda terms: terms.tokens == 2)
    await first.hears(lambda terms: terms.tokens == 8)
    first.quota.leave()
    second.wanted = 10
    second.quota.want()
    await second.hears(lambda terms: terms.tokens == 10)


@dataclass
class Hasty(Told):
    """A partner that has nothing in flight when it is asked, and all that it may a moment later."""

    def standing(self) -> Standing:
        """See the door."""
        self.used = max(0, self.tokens)
        return Standing(self.served, self.wanted, 0)


async def test_tokens_that_may_be_used_before_the_answer_comes_are_not_free(fleet: Processes) -> None:
    """What one process gave away and the other has are never more than there are, whenever they look."""
    first = Hasty(wanted=10)
    first.quota = (await fleet.another()).join(Account("account", "https://h", None, 10), first)
    await first.hears(lambda terms: terms.tokens == 10)
    second = await fleet.join(concurrency=10, wanted=10)
    most = 0
    while second.tokens < 5:
        most = max(most, first.used + second.tokens)
        second.news.clear()
        await asyncio.wait_for(second.news.wait(), PATIENCE)
    assert max(most, first.used + second.tokens) <= 10


async def test_a_process_that_was_killed_gives_its_tokens_back(
    fleet: Processes, postgres_server: Postgres, schema: str
) -> None:
    """Its row has an end; nobody has to have seen it die."""
    first = await fleet.join(concurrency=4, wanted=4)
    dead = (
        "INSERT INTO quota_members SELECT quota, gen_random_uuid(), 4, 2, 2, 0, clock_timestamp() + interval '{}'"
        " FROM quota_members"
    )
    with postgres_server.connect(schema) as connection:
        connection.execute(dead.format("1 second"))
        first.quota.want()
        await first.hears(lambda terms: terms.tokens == 2)
        await first.hears(lambda terms: terms.tokens == 4)


async def test_more_processes_than_tokens_take_turns(fleet: Processes) -> None:
    """Never more in flight than the configuration says, and nobody waits for ever."""
    told = [await fleet.join(concurrency=1, wanted=1) for _ in range(2)]
    for each in told:
        await each.hears(lambda terms: terms.tokens == 1)
    assert sum(each.tokens for each in told) == 1


async def test_other_bounds_hold_for_everybody(fleet: Processes) -> None:
    """A process with another configuration changes them for all."""
    first = await fleet.join(200.0, 10, wanted=10)
    second = await fleet.join(100.0, 6, wanted=1)
    await first.hears(lambda terms: terms.rate == 100.0 and terms.tokens == 5)
    second.quota.relimit(None, 32)
    await first.hears(lambda terms: terms.rate is None and terms.tokens == 10)


async def test_without_the_server_each_goes_on_with_its_part(restarted: Postgres) -> None:
    """A quarter of the rate and of the tokens for each of four; when it is back, all is shared again."""
    with restarted.schema() as schema:
        async with processes(restarted.url(schema)) as fleet:
            told = [await fleet.join(200.0, 32, wanted=32) for _ in range(4)]
            for each in told:
                each.quota.want()
                await each.hears(lambda terms: terms.tokens == 8)
            await asyncio.to_thread(restarted.stop)
            try:
                for each in told:
                    each.quota.want()
                    terms = await each.hears(lambda terms: terms.rate == 50.0)
                    assert terms.tokens == 8
                    assert (await each.quota.slots(64, succeeded=True)).interval == pytest.approx(1 / 50)
                told[0].quota.refused(Refusal(0.0, 200.0, young=False, retry_after=90.0))
                await told[0].hears(lambda terms: terms.rate == 45.0 and terms.pause > 80)
                assert told[1].terms[-1].rate == 50.0
            finally:
                await asyncio.to_thread(restarted.start)
            for each in told:
                await each.hears(lambda terms: terms.rate == 200.0)
            # What one was told meanwhile is told to the others.
            await told[1].hears(lambda terms: terms.pause > 60)
            assert (await told[2].quota.slots(64, succeeded=True)).interval == pytest.approx(1 / 200)
            words = [event.message for event in fleet.events if isinstance(event, Warned)]
            assert sum("going on with 1/4 of them" in each for each in words) == 4
            assert sum("are shared again" in each for each in words) == 4
            assert not any("wrenches" in each for each in words)


async def test_a_row_that_hangs_is_not_waited_for(fleet: Processes, postgres_server: Postgres, schema: str) -> None:
    """Somebody else's lock costs a second, then a process goes on alone until it is gone."""
    told = await fleet.join(100.0)
    with postgres_server.connect(schema) as connection, connection.transaction():
        connection.execute("SELECT 1 FROM quotas FOR UPDATE")
        grant = await told.quota.slots(8, succeeded=False)
        assert grant.interval == pytest.approx(1 / 100)
        assert any("can't be shared" in str(event) for event in fleet.events)
    async with asyncio.timeout(PATIENCE):
        await fleet.shared_again.wait()


async def test_who_leaves_is_gone(fleet: Processes, postgres_server: Postgres, schema: str) -> None:
    """Closing the way to the others gives back what is held of all accounts."""
    own = AsyncExitStack()
    quotas = await own.enter_async_context(open_quotas(fleet.url, fleet.events.append))
    await fleet.join(quotas=quotas)
    with postgres_server.connect(schema) as connection:
        assert _count(connection) == 1
        await own.aclose()
        assert _count(connection) == 0


async def test_a_state_in_a_file_shares_nothing(tmp_path: Path) -> None:
    """There is nobody to share with."""
    async with open_quotas(f"sqlite:{tmp_path}/state.db", lambda _: None) as quotas:
        assert quotas is None


def _count(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    row = connection.execute("SELECT count(*) FROM quota_members").fetchone()
    assert row is not None
    return row[0]
