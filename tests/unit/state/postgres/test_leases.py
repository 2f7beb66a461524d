"""Leases with an end: who died is replaced, who was frozen is refused, and a busy process keeps what it has."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from anyio import to_thread

from syncer.model.errors import Fenced, LeaseHeld
from syncer.state import open_state
from syncer.state.postgres.leases import PostgresLeases
from syncer.state.postgres.target import Target
from tests.support.lost_answers import losing
from tests.support.postgres import Postgres
from tests.support.states import LAKE, at, group, put
from tests.support.stored import unit

#: Works on a unit, one commit after another, until it is stopped; says so after each, and how it ended.
WORKER = """
import asyncio, sys
from pathlib import Path
from syncer.model.errors import Fenced
from syncer.state import open_state
from tests.support.states import LAKE, at, group, put
from tests.support.stored import unit

async def main():
    async with open_state(sys.argv[1], Path()) as store:
        async with store.lease("job"), store.unit("job", unit(), [LAKE]) as ledger:
            number = (await ledger.legs())["lake"].live
            while True:
                number += 1
                await ledger.commit(group(changes={"lake": put(str(number))}, cursors=at(str(number))))
                print(number, flush=True)
                await asyncio.sleep(0.01)

try:
    asyncio.run(main())
except Fenced as error:
    print("fenced", flush=True)
"""


@pytest.fixture
def leases(target: Target) -> Iterator[PostgresLeases]:
    """Return the leases of one process, on a state that is there."""

    async def create() -> None:
        async with open_state(target.url + f"&schema={target.schema}", Path()):
            pass

    asyncio.run(create())
    found = PostgresLeases(target, seconds=10)
    yield found
    found.close()


def worker(url: str) -> subprocess.Popen[str]:
    """Start a worker, and wait for its first commit."""
    process = subprocess.Popen([sys.executable, "-c", WORKER, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    return process


def test_an_exclusive_lease_is_held_by_one(leases: PostgresLeases, target: Target) -> None:
    """Until it is released, which may be said twice; the others learn who has it, and for how long at most."""
    other = PostgresLeases(target, seconds=10)
    try:
        lease = leases.take("job", "unit 7")
        for shared in (False, True):
            with pytest.raises(
                LeaseHeld, match=r"unit 7 of job job is being worked on by pid \d+ on \S+ since"
            ) as held:
                other.take("job", "unit 7", shared=shared)
            assert re.search(r"runs out in \d+ s", held.value.hint or "")
        assert list(other.holders("job")) == ["unit 7"]
        other.take("other", "unit 7").release()
        lease.release()
        lease.release()
        assert other.holders("job") == {}
        other.take("job", "unit 7").release()
    finally:
        other.close()


def test_shared_leases_exclude_only_those_that_are_not(leases: PostgresLeases) -> None:
    """As a run of shards excludes one of the whole job."""
    first, second = leases.take("job", "", shared=True), leases.take("job", "", shared=True)
    assert leases.holders("job") == {}
    for lease in (first, second):
        with pytest.raises(LeaseHeld):
            leases.take("job", "")
        lease.release()
    leases.take("job", "").release()


def test_the_end_of_a_lease_moves_on_by_itself(
    leases: PostgresLeases, target: Target, postgres_server: Postgres, schema: str
) -> None:
    """A thread of the process that holds it does that, whatever the rest of the process is busy with."""
    quick = PostgresLeases(replace(target, lease_seconds=1), seconds=10)
    try:
        lease = quick.take("job", "unit 7")
        with postgres_server.connect(schema) as connection:
            first = connection.execute("SELECT expires FROM leases").fetchone()
            while connection.execute("SELECT expires FROM leases").fetchone() == first:
                assert quick.holders("job").keys() <= {"unit 7"}
        lease.release()
        assert leases.holders("job") == {}
    finally:
        quick.close()


async def test_rule_5_a_process_that_died_is_replaced_when_its_lease_runs_out(
    postgres_server: Postgres, schema: str
) -> None:
    """Not before; what it committed stays, and its successor counts on from there."""
    url = postgres_server.url(schema, lease=3600)
    process = await to_thread.run_sync(worker, url)
    process.kill()
    said = [1, *(int(line) for line in (await to_thread.run_sync(process.communicate))[0].split())]
    async with open_state(url, Path()) as store:
        with pytest.raises(LeaseHeld, match=f"job job is being worked on by pid {process.pid} on "):
            async with store.lease("job"):
                pass
        with postgres_server.connect(schema) as connection:
            connection.execute("UPDATE leases SET expires = now() WHERE name = ''")
            async with store.lease("job"):
                with pytest.raises(LeaseHeld, match=f"unit 7 of job job is being worked on by pid {process.pid} on "):
                    async with store.unit("job", unit(), [LAKE]):
                        pass
            connection.execute("UPDATE leases SET expires = now()")
        async with store.lease("job"), store.unit("job", unit(), [LAKE]) as ledger:
            assert (await ledger.legs())["lake"].live in {said[-1], said[-1] + 1}
            assert ledger.epoch == 2


async def test_rule_5_a_process_that_was_frozen_is_refused_when_it_wakes_up(
    target: Target, postgres_server: Postgres, schema: str
) -> None:
    """Its successor took the unit over: nothing of what it brings is written, not even what it had begun."""
    url = postgres_server.url(schema, lease=1)
    process = await to_thread.run_sync(worker, url)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        async with open_state(url, Path()) as store:
            while True:
                try:
                    async with store.lease("job"), store.unit("job", unit(), [LAKE]) as ledger:
                        await ledger.commit(group(changes={"lake": put("mine")}, cursors=at("mine")))
                        before = (await ledger.legs())["lake"].live
                        os.kill(process.pid, signal.SIGCONT)
                        said = await to_thread.run_sync(process.communicate)
                        assert said[0].split()[-1] == "fenced"
                        assert (await ledger.legs())["lake"].live == before
                        await ledger.commit(group(changes={"lake": put("more")}, cursors=at("more")))
                    break
                except LeaseHeld:
                    continue
    finally:
        process.kill()
        await to_thread.run_sync(process.wait)


async def test_rule_5_who_lost_the_job_writes_nothing_even_where_nobody_took_the_unit(
    target: Target, postgres_server: Postgres, schema: str
) -> None:
    """The lease of the run counts in every commit, not only that of the unit."""
    async with (
        open_state(postgres_server.url(schema), Path()) as store, store.lease("job"),
        store.unit("job", unit(), [LAKE]) as ledger,
    ):  # fmt: skip
        await ledger.commit(group(changes={"lake": put("1")}))
        with postgres_server.connect(schema) as connection:
            connection.execute("DELETE FROM leases WHERE name = ''")
        with pytest.raises(Fenced, match="no longer ours"):
            await ledger.commit(group(changes={"lake": put("2")}))
        assert (await ledger.legs())["lake"].live == 1


async def test_a_lease_survives_a_server_that_was_away(target: Target, postgres_server: Postgres, schema: str) -> None:
    """Its session was ended; the next beat makes a new one, and the row is still ours."""
    async with (
        open_state(postgres_server.url(schema, lease=1), Path()) as store, store.lease("job"),
        store.unit("job", unit(), [LAKE]) as ledger,
    ):  # fmt: skip
        with postgres_server.connect(schema) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncer'"
            )
            while True:
                row = connection.execute("SELECT min(expires) - now() > interval '0.9 s' FROM leases").fetchone()
                if row == (True,):
                    break
        await ledger.commit(group(changes={"lake": put("1")}))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("before", [True, False])
async def test_a_lease_whose_answer_was_lost_is_ours(
    leases: PostgresLeases, target: Target, postgres_server: Postgres, first: bool, before: bool
) -> None:
    """Whoever did not hear that the lease is taken takes it again, also on a first connection, and is no stranger."""
    held = await to_thread.run_sync(leases.take, "job", "other")
    async with losing(postgres_server, before=before) as (port, armed):
        url = target.url.replace(f":{postgres_server.port}/", f":{port}/") + "&sslmode=disable"
        mine = PostgresLeases(replace(target, url=url), seconds=10)
        try:
            if not first:
                earlier = await to_thread.run_sync(mine.take, "job", "earlier")
                await to_thread.run_sync(earlier.release)
            armed.set()
            taken = await to_thread.run_sync(mine.take, "job", "unit")
            assert not armed.is_set()
            with pytest.raises(LeaseHeld):
                await to_thread.run_sync(leases.take, "job", "unit")
            assert set(await to_thread.run_sync(leases.holders, "job")) == {"other", "unit"}
            await to_thread.run_sync(taken.release)
            (await to_thread.run_sync(leases.take, "job", "unit")).release()
        finally:
            await to_thread.run_sync(mine.close)
    held.release()
