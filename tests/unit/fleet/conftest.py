"""A fleet inside of this process: crews without a queue of their own, which do what lies in the real one's table."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from syncer.app.library import Syncer, open_syncer
from syncer.fleet import ending, orders, planning, working
from syncer.fleet.crew import Again, Crew
from syncer.fleet.queue import FINALISE, PLAN, UNIT, defer
from syncer.fleet.store import shared
from syncer.flow.job import RunOptions
from syncer.model.refs import PartitionKey
from syncer.ports import RunRow
from syncer.settings.differences import digest
from syncer.sources.memory import MemoryPlatform, platform_named
from tests.support.postgres import Postgres

#: Projects of the platform, with three items each.
PROJECTS = 7

CONFIG = """
state: {state}
platforms: {{mem: {{type: memory, platform: {name}}}}}
sinks: {{lake: {{type: prefix, url: "file:lake"}}, box: {{type: zip, url: "file:box", name: "{{project}}.zip"}}}}
jobs:
  files: {{platform: mem, select: {{projects: ["*"]}}, sinks: [lake]}}
  boxes: {{platform: mem, select: {{projects: ["*"]}}, sinks: [box]}}
  appended:
    {{platform: mem, select: {{projects: ["*"]}},
      sinks: [{{box: {{url: "file:appended", mode: append, compact_above: 0.1}}}}]}}
  clock:
    {{platform: mem, select: {{projects: ["1"]}}, sinks: [{{lake: {{url: "file:clock"}}}}],
      schedule: {{cron: "0 2 * * *"}}}}
fleet: {{window: 2}}
"""


@dataclass(slots=True)
class Member:
    """A crew, and the tasks that it takes from the table when it is told to."""

    crew: Crew
    syncer: Syncer

    async def submit(self, job: str, options: RunOptions | None = None, *, config: str | None = None) -> bool:
        """Ask for a run."""
        wanted = config or digest(self.syncer.settings.jobs[job])
        name = f"run-{job}-{len(await self.syncer.store.runs(None, 100))}"
        return await self.crew.database.write(
            lambda c: orders.submit(
                c, job, name, config=wanted, options=options or RunOptions(), why="command", queue="default",
                priority=0,
            )
        )  # fmt: skip

    async def tasks(self) -> list[tuple[str, dict[str, int]]]:
        """Return what waits in the queue, in the order in which it would be taken."""
        rows = await self.crew.database.read(
            lambda c: c.execute(
                "SELECT task_name, args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY priority DESC, id"
            ).fetchall()
        )
        return [(name, arguments) for name, arguments in rows]

    async def take(self) -> bool:
        """Do the next task, False if there is none; one that is to come again goes to the end of the queue."""
        row = await self.crew.database.write(
            lambda c: c.execute(
                "DELETE FROM procrastinate_jobs WHERE id = (SELECT id FROM procrastinate_jobs WHERE status = 'todo'"
                " ORDER BY priority DESC, id LIMIT 1) RETURNING task_name, args, queue_name, priority, lock"
            ).fetchone()
        )
        if row is None:
            return False
        task, arguments, *rest = row
        try:
            if task == UNIT:
                await working.work(self.crew, arguments["run"], arguments["number"])
            else:
                await {PLAN: planning.plan, FINALISE: ending.finalise}[task](self.crew, arguments["run"])
        except Again:
            await self.crew.database.write(lambda c: _back(c, task, arguments, rest))
            raise
        return True

    async def work(self) -> None:
        """Do all there is."""
        while await self.take():
            pass

    async def last(self, job: str) -> RunRow:
        """Return the newest line of a job's history."""
        return (await self.syncer.store.runs(job, 1))[0]

    async def units(self) -> dict[str, str]:
        """Return the states of the units of all runs, by name."""
        rows = await self.crew.database.read(lambda c: c.execute("SELECT name, state FROM fleet_units").fetchall())
        return dict(rows)


def _back(transaction: Any, task: str, arguments: dict[str, int], rest: list[Any]) -> None:
    queue, priority, lock = rest
    defer(transaction, task, queue, priority, [(lock, arguments)])


@pytest.fixture
def platform(tmp_path: Path) -> MemoryPlatform:
    """Return a platform with some projects."""
    found = platform_named(tmp_path.name)
    for project in range(1, PROJECTS + 1):
        for item in range(3):
            found.put(f"{project}{item}", partition=PartitionKey(str(project)))
    return found


@pytest.fixture
def schema(postgres_server: Postgres) -> Iterator[str]:
    """Yield the name of a state that nobody uses."""
    with postgres_server.schema() as name:
        yield name


@pytest.fixture
def config(tmp_path: Path, platform: MemoryPlatform, postgres_server: Postgres, schema: str) -> Path:
    """Write the configuration of the fleet."""
    file = tmp_path / "syncer.yaml"
    file.write_text(CONFIG.format(state=postgres_server.url(schema, lease=2), name=tmp_path.name))
    return file


@asynccontextmanager
async def joined(config: Path) -> AsyncIterator[Member]:
    """Open a member of the fleet."""
    async with AsyncExitStack() as stack:
        syncer = await stack.enter_async_context(open_syncer(config))
        yield Member(Crew(syncer, await shared(syncer.store), f"worker-{id(syncer)}"), syncer)
