"""The same deaths with the state in PostgreSQL, and those of the server itself."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from syncer.demo.platform.process import platform_process
from syncer.model.errors import Exit
from tests.chaos.test_every_event import matrix
from tests.support.command import start, syncer
from tests.support.destination import contents
from tests.support.postgres import Postgres, postgres
from tests.support.survival import Survival, current, kill, prepare, settle


@pytest.fixture
def states(postgres_server: Postgres) -> Iterator[Callable[[], str]]:
    """Yield what names a state that nobody used yet; they are dropped in the end."""
    with ExitStack() as stack:
        yield lambda: postgres_server.url(stack.enter_context(postgres_server.schema()), lease=1)


@pytest.fixture(scope="module")
def restarted() -> Iterator[Postgres]:
    """Run a server that waits for its disk, and that may be stopped."""
    with postgres() as server:
        yield server


@pytest.mark.parametrize("step", [18, pytest.param(9, marks=pytest.mark.slow)])
async def test_invariant_3_dying_at_some_events_changes_nothing(
    tmp_path: Path, states: Callable[[], str], step: int
) -> None:
    """Every eighteenth event of a first and a second pass, or every ninth."""
    await matrix(tmp_path, inline=True, step=step, first=4, state=states)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("inline", [False, True])
async def test_invariant_3_dying_at_every_event_changes_nothing(
    tmp_path: Path, states: Callable[[], str], inline: bool
) -> None:
    """All events of a first and a second pass, one after the other."""
    await matrix(tmp_path, inline=inline, step=1, state=states)


@pytest.mark.slow
async def test_a_few_kills_change_nothing(tmp_path: Path, states: Callable[[], str]) -> None:
    """Three kills at random instants; who comes next waits until the lease has run out."""
    await Survival(kill, stops=3, tasks=300, state=states()).check(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [20261122, 2])
async def test_fifty_kills_change_nothing(tmp_path: Path, states: Callable[[], str], seed: int) -> None:
    """Fifty kills at random instants, with changes in between: everything ends as if undisturbed."""
    await Survival(kill, stops=50, tasks=3000, seed=seed, state=states()).check(tmp_path)


def stored(server: Postgres, schema: str) -> int:
    """Return how many items the state holds so far."""
    with server.connect(schema) as connection:
        try:
            row = connection.execute("SELECT coalesce(sum(live), 0)::int FROM positions").fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    assert row is not None
    return int(str(row[0]))


def work_begins(server: Postgres, schema: str, process: subprocess.Popen[bytes], beyond: int) -> None:
    """Wait until a process has committed more than so many items."""
    until = time.monotonic() + 120
    while stored(server, schema) <= beyond:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_that_restarts_costs_nothing(tmp_path: Path, restarted: Postgres, how: signal.Signals) -> None:
    """In order or in mid-flight: the run waits and goes on, or ends with 75; nothing is lost or stored twice."""
    with restarted.schema() as schema:
        async with platform_process("--tasks", "300", "--latency", "0.02") as platform:
            folder = prepare(tmp_path / "disturbed", platform, restarted.url(schema, lease=2))
            process = start("sync", "--progress", "none", "-q", cwd=folder)
            await asyncio.to_thread(work_begins, restarted, schema, process, 0)
            await asyncio.to_thread(restarted.stop, how)
            await asyncio.to_thread(restarted.start)
            _, errors = await asyncio.to_thread(process.communicate)
            assert process.returncode in {Exit.DONE, Exit.NOT_NOW}, errors.decode()
            assert b"Traceback" not in errors
            await asyncio.to_thread(settle, folder)
            syncer("verify", "--deep", "-q", cwd=folder).ok()
            calm = prepare(tmp_path / "calm", platform)
            syncer("sync", "-q", cwd=calm, timeout=300).ok()
            expected = current(calm)
            assert expected
            assert current(folder) == expected
            assert contents(folder / "archive") == contents(calm / "archive")


@pytest.mark.slow
async def test_a_server_that_stays_away_ends_the_run_with_75(tmp_path: Path, restarted: Postgres) -> None:
    """Before the run and in the middle of it; the next run finishes."""
    with restarted.schema() as schema:
        async with platform_process("--tasks", "300", "--latency", "0.02") as platform:
            folder = prepare(tmp_path / "disturbed", platform, restarted.url(schema, lease=2))
            await asyncio.to_thread(restarted.stop)
            try:
                never = await asyncio.to_thread(syncer, "sync", "-q", cwd=folder)
                assert (never.code, "is away" in never.err) == (Exit.NOT_NOW, True)
            finally:
                await asyncio.to_thread(restarted.start)
            await asyncio.to_thread(settle, folder)
            assert current(folder)
