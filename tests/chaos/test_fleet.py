"""A fleet whose workers die, freeze and lose their database: everything ends as if one process had done it in peace."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.demo.platform.process import platform_process
from syncer.model.errors import Exit
from tests.support.command import start, syncer
from tests.support.fleet import Fleet, Member, configure, finished, fleet, supervised, told_twice, wait_for
from tests.support.postgres import Postgres, postgres
from tests.support.survival import current
from tests.support.wire import Wire, wire


@pytest.fixture(scope="module")
def restarted() -> Iterator[Postgres]:
    """Run a server that waits for its disk, and that may be stopped."""
    with postgres() as server:
        yield server


async def test_a_killed_worker_costs_nothing(tmp_path: Path, postgres_server: Postgres) -> None:
    """Two workers, one killed amid its units: the other takes them over, and the end is that of a single process."""
    with postgres_server.schema() as schema:
        async with platform_process("--tasks", "25", "--projects", "40", "--finished", "--latency", "0.02") as platform:
            with fleet(tmp_path / "fleet", platform, postgres_server, schema) as workers:
                victim = workers.start("--concurrency", "3")
                name = await asyncio.to_thread(workers.name_of, victim)
                command = start("sync", "--fleet", "--progress", "none", cwd=workers.folder)
                await asyncio.to_thread(wait_for, lambda: len(workers.running(name)) == 3, victim)
                other = workers.start("--concurrency", "3")
                await asyncio.to_thread(workers.name_of, other)
                victim.process.kill()
                picked_up = await asyncio.to_thread(wait_for, lambda: not workers.running(name), other)
                print(f"units of the killed worker are another's after {picked_up:.1f} s")
                await asyncio.to_thread(finished, command)
                assert workers.stop()[1] == Exit.DONE
                (end,) = workers.ends()
                assert (end["exit"], end["listed"], end["stored"]) == (0, 1000, 1000)
            assert told_twice(workers.folder) == {}
            calm = configure(tmp_path / "calm", platform, "sqlite:state.db")
            syncer("sync", "-q", cwd=calm).ok()
            assert current(workers.folder) == current(calm)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("projects", "tasks"), [(2000, 50)])
async def test_whatever_happens_to_a_fleet_changes_nothing(
    tmp_path: Path, restarted: Postgres, projects: int, tasks: int
) -> None:
    """A worker killed, one frozen past its lease, the database restarted, and the network cut for ten seconds."""
    total = projects * tasks
    options = ("--tasks", str(tasks), "--projects", str(projects), "--finished")
    with restarted.schema() as schema:
        async with platform_process(*options) as platform, wire(restarted.port) as network:
            url = restarted.url(schema, lease=5).replace(f":{restarted.port}/", f":{network.port}/")
            folder = tmp_path / "fleet"
            with fleet(folder, platform, restarted, schema, url=url, heartbeat=1, silent=5) as workers:
                for _ in range(4):
                    workers.start()
                with supervised(workers) as lost:
                    await asyncio.to_thread(workers.name_of, workers.members[0])
                    command = start("sync", "--fleet", "--progress", "none", cwd=folder)
                    await asyncio.to_thread(wait_for, lambda: workers.counted() > total // 10)
                    await asyncio.to_thread(killed, workers)
                    await asyncio.to_thread(wait_for, lambda: workers.counted() > total // 4)
                    await asyncio.to_thread(frozen, workers)
                    await asyncio.to_thread(wait_for, lambda: workers.counted() > total // 2)
                    await asyncio.to_thread(restarted.stop, signal.SIGQUIT)
                    await asyncio.to_thread(restarted.start)
                    await asyncio.to_thread(wait_for, lambda: workers.counted() > total * 7 // 10)
                    await cut(network)
                    await asyncio.to_thread(finished, command)
                print(f"{len(lost)} workers lost their database and were started anew")
                assert set(await asyncio.to_thread(workers.stop)) <= {
                    Exit.DONE,
                    Exit.BUG,
                    Exit.NOT_NOW,
                    -signal.SIGKILL,
                }
                assert not [line for member in workers.members for line in member.said() if "bug" in line["event"]]
                (row,) = workers.ask("SELECT count(*), min(code), min(remaining) FROM fleet_runs WHERE state = 'ended'")
                assert row == (1, 0, 0)
                (end,) = workers.ends()
                assert (end["exit"], end["listed"], end["stored"]) == (0, total, total)
            # In threads: the way to the database is this loop's.
            verified = await asyncio.to_thread(syncer, "verify", "--deep", "-q", cwd=folder, timeout=1800)
            verified.ok()
            assert told_twice(folder) == {}
            calm = configure(tmp_path / "calm", platform, "sqlite:state.db")
            (await asyncio.to_thread(syncer, "sync", "-q", cwd=calm, timeout=3600)).ok()
            assert len(expected := current(calm)) >= total
            assert await asyncio.to_thread(current, folder) == expected


def busy(workers: Fleet) -> tuple[Member, str]:
    """Return a worker that has units, and its name."""
    found: list[tuple[Member, str]] = []

    def has_units() -> bool:
        rows = workers.ask(
            "SELECT w.pid, w.id FROM fleet_units AS u JOIN fleet_workers AS w ON w.id = u.worker"
            " WHERE u.state = 'running' GROUP BY w.pid, w.id HAVING count(*) > 1"
        )
        alive = {member.pid: member for member in workers.members if member.process.poll() is None}
        found[:] = [(alive[pid], name) for pid, name in rows if pid in alive]
        return bool(found)

    wait_for(has_units)
    return found[0]


def killed(workers: Fleet) -> None:
    """Kill a worker amid its units, and wait until all of them are others'."""
    victim, name = busy(workers)
    victim.process.kill()
    victim.process.wait()
    workers.start()
    print(f"units of the killed worker are others' after {gone(workers, name):.1f} s")


def frozen(workers: Fleet) -> None:
    """Stop a worker amid its units until they are others', and wake it up."""
    victim, name = busy(workers)
    os.kill(victim.pid, signal.SIGSTOP)
    print(f"units of the frozen worker are others' after {gone(workers, name):.1f} s")
    os.kill(victim.pid, signal.SIGCONT)


def gone(workers: Fleet, name: str) -> float:
    """Wait until a worker has no units; return how long that took."""
    return wait_for(lambda: not workers.running(name))


async def cut(network: Wire) -> None:
    """Cut the way to the database for ten seconds."""
    network.cut()
    await asyncio.sleep(10)
    network.mend()
