"""Several processes on one state at once, as stores of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from syncer.model.errors import SettingsError
from syncer.ports import StateStore
from syncer.state import open_state
from tests.support.postgres import Postgres
from tests.support.states import LAKE, at, group, put, row
from tests.support.stored import key, partition, unit


@pytest.fixture
async def stores(postgres_server: Postgres, schema: str) -> AsyncIterator[list[StateStore]]:
    """Open the same state four times."""
    async with AsyncExitStack() as stack:
        opened = [open_state(postgres_server.url(schema), Path()) for _ in range(4)]
        yield [await stack.enter_async_context(each) for each in opened]


async def test_units_of_one_job_commit_side_by_side(stores: list[StateStore]) -> None:
    """Each process has a unit of its own: every row, cursor and counter is there in the end."""

    async def work(number: int, store: StateStore) -> None:
        mine = partition(str(number))
        async with store.unit("job", unit(str(number), mine), [LAKE]) as ledger:
            for turn in range(10):
                name = f"{number}-{turn}"
                item = row(key(name, str(number)))
                await ledger.commit(group(changes={"lake": put(item)}, cursors=at(name, mine.key)))
            assert [each.seq for each in await ledger.outbox("lake", 100)] == list(range(1, 11))

    await asyncio.gather(*(work(number, store) for number, store in enumerate(stores)))
    assert (await stores[0].status("job")).items == {"lake": 40}
    assert set((await stores[1].partitions("job")).values()) == {10}


async def test_rule_4_of_two_that_claim_at_once_one_gets_it(stores: list[StateStore]) -> None:
    """Whoever comes second sees the first, and is refused with both names."""
    claims = [store.claim(f"job-{number}", "s3://bucket", ["a/"]) for number, store in enumerate(stores)]
    answers = await asyncio.gather(*claims, return_exceptions=True)
    refused = [each for each in answers if each is not None]
    assert len(refused) == 3
    assert all(isinstance(each, SettingsError) and "belongs to job job-" in str(each) for each in refused)
