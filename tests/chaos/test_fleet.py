"""A fleet whose workers die, freeze and lose their database: everything ends as if one process had done it in peace."""

import asyncio
from pathlib import Path

from syncer.demo.platform_process import platform_process
from syncer.model.errors import Exit
from tests.support.command import start, syncer
from tests.support.fleet import configure, finished, fleet, told_twice, wait_for
from tests.support.postgres import Postgres
from tests.support.survival import current


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
