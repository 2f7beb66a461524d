"""A world for schedulers on virtual time: runs take their time, platforms go away, processes die and come back."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import anyio

from syncer.model.errors import Exit
from syncer.model.report import Counts, Problem, Report
from syncer.schedule import memory
from syncer.schedule.clock import FakeClock
from syncer.schedule.memory import Memory
from syncer.schedule.scheduler import Entry, Scheduler, open_scheduler

AWAY = Problem("no answer", Exit.NOT_NOW, away=True)


@dataclass(frozen=True, slots=True)
class Took:
    """A run that began."""

    job: str
    why: str
    #: The turn that it took.
    turn: datetime
    at: datetime


@dataclass(slots=True)
class FakeWorld:
    """Does nothing, remembers everything; outlives the schedulers that use it."""

    clock: FakeClock
    platforms: dict[str, str]
    #: Seconds that a run takes.
    seconds: Callable[[str], float] = lambda _job: 5.0
    #: Items that a run finds.
    finds: Callable[[str], int] = lambda _job: 0
    down: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    took: list[Took] = field(default_factory=list)
    done: list[Took] = field(default_factory=list)
    active: Counter[str] = field(default_factory=Counter)
    most_active: int = 0
    skips: list[tuple[str, str, int]] = field(default_factory=list)
    probes: list[tuple[str, float]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)
    publish_at: dict[str, datetime] = field(default_factory=dict)
    scheduler: Scheduler | None = None

    async def run(self, job: str, why: str) -> Report:
        """Take as long as a run takes; a platform that is away costs a while, too."""
        assert self.scheduler is not None
        scheduler, started = self.scheduler, self.clock.now()
        this = Took(job, why, scheduler.plans[job].past.last, started)
        self.took.append(this)
        self.active[job] += 1
        assert self.active[job] == 1, f"{job} runs beside itself"
        self.most_active = max(self.most_active, self.active.total())
        self.publish_at.pop(job, None)
        try:
            await self.clock.sleep(self.seconds(job))
        finally:
            self.active[job] -= 1
        found, problems = self.finds(job), []
        stopped = "SIGTERM" if scheduler.stopped else None
        if self.platforms[job] in self.down:
            problems.append(AWAY)
        elif job in self.problems:
            problems.append(self.problems[job])
        elif stopped is None:
            self.done.append(this)
        counts = Counts(listed=found, stored=found)
        ended = self.clock.now()
        complete = not problems and stopped is None
        return Report(job, "run", started, ended, counts, complete=complete, stopped=stopped, problems=tuple(problems))

    async def probe(self, job: str) -> bool:
        """Answer for a platform."""
        self.probes.append((self.platforms[job], self.clock.monotonic()))
        await self.clock.sleep(0.1)
        return self.platforms[job] not in self.down

    async def later(self, job: str) -> datetime | None:
        """Return what a test asks for."""
        return self.publish_at.get(job)

    async def keep(self, job: str, remembered: Memory) -> None:
        """Keep the text."""
        self.notes[job] = remembered.dump()

    async def recall(self, job: str) -> Memory:
        """Return what was kept."""
        return memory.load(self.notes.get(job))

    async def skipped(self, job: str, reason: str, times: int, last: datetime) -> None:
        """Note it."""
        assert last <= self.clock.now()
        self.skips.append((job, reason, times))

    def said(self, message: str) -> None:
        """Note it."""
        self.words.append(message)

    def runs(self, job: str) -> list[Took]:
        """Return the runs of a job that began."""
        return [each for each in self.took if each.job == job]

    @asynccontextmanager
    async def scheduled(
        self, entries: Sequence[Entry], *, slots: int = 4, recheck: float = 60.0, kill: bool = False
    ) -> AsyncIterator[Scheduler]:
        """Let a scheduler work while the block runs; then stop it in an orderly way, or kill it."""
        self.scheduler = await open_scheduler(self, self.clock, entries, self.recall, slots, recheck=recheck)
        over: list[bool] = []

        async def work(scheduler: Scheduler) -> None:
            await scheduler.work()
            over.append(True)

        async with anyio.create_task_group() as group:
            group.start_soon(work, self.scheduler)
            await self.clock.wait_for_sleepers()
            yield self.scheduler
            if kill:
                group.cancel_scope.cancel()
            self.scheduler.stop()
            while not kill and not over:
                await self.clock.advance(600)
