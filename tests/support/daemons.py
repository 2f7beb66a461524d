"""A daemon inside the test's process: a file, a platform in memory, virtual time."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from syncer.app.daemon import Daemon, open_daemon
from syncer.app.library import open_syncer
from syncer.model.events import Event, RequestEnded, RunEnded, Warned
from syncer.model.report import Report
from syncer.schedule.clock import FakeClock

#: Virtual seconds of one step, and real ones that threads and files get for it.
STEP, BREATH = 1.0, 0.002


@dataclass(slots=True)
class Heard:
    """What a daemon did, from its events."""

    reports: list[Report] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    requests: int = 0

    def __call__(self, event: Event) -> None:
        """Note one event."""
        if isinstance(event, RunEnded):
            self.reports.append(event.report)
        elif isinstance(event, Warned):
            self.warnings.append(event.message)
        elif isinstance(event, RequestEnded):
            self.requests += 1

    def runs(self, job: str) -> list[Report]:
        """Return the reports of a job."""
        return [report for report in self.reports if report.job == job]


@dataclass(slots=True)
class Running:
    """A daemon under way, its clock, and what was heard of it."""

    daemon: Daemon
    clock: FakeClock
    heard: Heard

    async def until(self, condition: Callable[[], bool], most: float = 7200) -> None:
        """Let virtual time pass until something is so."""
        begin = self.clock.monotonic()
        while not condition():
            assert self.clock.monotonic() - begin < most, "it never came"
            await self.clock.advance(STEP)
            await anyio.sleep(BREATH)

    async def quiet(self) -> None:
        """Let threads and files finish what they are at, until no job runs."""
        await self.until(lambda: not any(plan.running for plan in self.daemon.scheduler.plans.values()))

    async def pass_by(self, seconds: float) -> None:
        """Let so much virtual time pass, with every run in it given the real time that it takes."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            scheduler = self.daemon.scheduler
            if any(plan.running or plan.waiting is not None for plan in scheduler.plans.values()):
                # A run takes real time, however slow the machine is; it should not take much of the virtual one.
                await self.clock.advance(STEP / 20)
                await anyio.sleep(BREATH)
            else:
                await self.clock.advance(min(10.0, end - self.clock.monotonic()))


def configure(folder: Path, *, platform: str, jobs: Mapping[str, Mapping[str, Any]], **more: Any) -> Path:
    """Write a configuration: jobs with `sink` (options, type included) in place of `sinks`."""
    tree: dict[str, Any] = {
        "state": "sqlite:state.db",
        "platforms": {"mem": {"type": "memory", "platform": platform}},
        "sinks": {name: {"url": f"file:{name}", **job["sink"]} for name, job in jobs.items()},
        "jobs": {
            name: {
                "platform": "mem", "select": {"projects": ["7"]}, "sinks": [name],
                **{key: value for key, value in job.items() if key != "sink"},
            }
            for name, job in jobs.items()
        },
        **more,
    }  # fmt: skip
    file = folder / "syncer.yaml"
    file.write_text(json.dumps(tree), "utf-8")
    return file


@asynccontextmanager
async def daemon(file: Path, clock: FakeClock | None = None) -> AsyncIterator[Running]:
    """Open a configuration and let a daemon run it while the block runs; then drain it."""
    ticking = clock or FakeClock()
    async with open_syncer(file, clock=ticking) as syncer, open_daemon(syncer) as found:
        heard = Heard()
        syncer.hub.add(heard)
        running = Running(found, ticking, heard)
        over: list[bool] = []

        async def work() -> None:
            await found.work(ready=lambda: None)
            over.append(True)

        async with anyio.create_task_group() as group:
            group.start_soon(work)
            yield running
            found.drain("SIGTERM")
            await running.until(lambda: bool(over))
