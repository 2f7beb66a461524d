"""The scheduler: begins the run of each job at its turn, several at once, never one job beside itself.

It knows jobs by name, and the world through a few callables. A turn counts as taken when its run is over: a run that
was interrupted, by a signal or a kill, is due again at the next start and goes on where it stood.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import anyio
import msgspec
from anyio.abc import TaskGroup
from msgspec.structs import replace

from syncer.model.errors import Exit
from syncer.model.report import Report
from syncer.ports import Clock
from syncer.schedule import adaptive, plan, turns
from syncer.schedule.circuit import Circuit
from syncer.schedule.due import After, Every, Schedule
from syncer.schedule.memory import Memory
from syncer.schedule.plan import Plan

#: Seconds after which the wall clock is looked at again, whatever was planned: it may have been set, or the machine
#: may have slept.
RECHECK = 60.0

_WELL = frozenset({Exit.DONE, Exit.OWING})


class World(Protocol):
    """What a scheduler needs done."""

    async def run(self, job: str, why: str) -> Report:
        """Run a job once. Never raises for what the job did."""

    async def probe(self, job: str) -> bool:
        """Ask the platform of a job, with one cheap request, whether it is there."""

    async def later(self, job: str) -> datetime | None:
        """Return when a job has to run again whatever its schedule says; None if it has not."""

    async def keep(self, job: str, memory: Memory) -> None:
        """Remember where a job's schedule stands."""

    async def skipped(self, job: str, reason: str, times: int, last: datetime) -> None:
        """Record turns that passed without a run."""

    def said(self, message: str) -> None:
        """Tell the log."""


class Entry(msgspec.Struct, frozen=True):
    """A job as the configuration has it."""

    job: str
    platform: str
    schedule: Schedule | None


class Scheduler(msgspec.Struct):
    """Jobs and their turns. `work` runs it; everything else may be called beside that, from the same event loop."""

    world: World
    clock: Clock
    slots: int
    plans: dict[str, Plan]
    circuits: dict[str, Circuit]
    recheck: float = RECHECK
    stopped: bool = False
    _began: dict[str, float] = msgspec.field(default_factory=dict)
    _changed: anyio.Event = msgspec.field(default_factory=anyio.Event)

    def stop(self) -> None:
        """Begin no further run; `work` returns when those under way are over."""
        self.stopped = True
        self.wake()

    def wake(self) -> None:
        """Look at everything again."""
        self._changed.set()

    async def work(self) -> None:
        """Run jobs at their turns until stopped."""
        async with anyio.create_task_group() as group:
            while not self.stopped:
                # What changes from here on is looked at in the next round.
                self._changed = anyio.Event()
                await self._look()
                self._begin(group)
                await self._wait()

    def trigger(self, job: str, why: str) -> bool:
        """Run a job as soon as it may; False if it runs, waits or is paused."""
        found = self.plans[job]
        now = self.clock.monotonic()
        self.circuits[found.platform].hurry(now)
        asked = found.ask(why, now)
        self.wake()
        return asked

    def hint(self, job: str, why: str) -> bool:
        """Run a job now, or once more if it runs already: what is new may have come behind its listing."""
        found = self.plans[job]
        if found.running and not found.paused:
            found.again = why
            return True
        return self.trigger(job, why)

    async def pause(self, job: str, *, paused: bool) -> None:
        """Take a job out of the schedule, or back into it."""
        found = self.plans[job]
        found.paused = paused
        if paused:
            found.waiting = None
        await self.world.keep(job, found.memory)
        self.wake()

    def reschedule(self, entries: Mapping[str, Entry], slots: int) -> None:
        """Take changed schedules and numbers; turns that were taken stay taken."""
        self.slots = slots
        for name, entry in entries.items():
            found = self.plans[name]
            if found.schedule != entry.schedule:
                found.schedule = entry.schedule
                found.past = replace(found.past, pace=0.0)
                found.kept = replace(found.kept, pace=0.0)
        self.wake()

    def probe_time(self, platform: str) -> datetime | None:
        """Return when a platform that is left alone is asked again."""
        at = self.circuits[platform].probe_at
        return None if at is None else self.clock.now() + timedelta(seconds=at - self.clock.monotonic())

    async def _look(self) -> None:
        now, monotonic = self.clock.now(), self.clock.monotonic()
        for each in self.plans.values():
            before = each.past
            found = each.look(now, monotonic)
            if found.missed and found.passed is not None and not each.paused:
                await self.world.skipped(each.job, "missed", found.missed, found.passed)
            if found.turn is None and each.past != before and not each.running:
                each.kept = each.past
                await self.world.keep(each.job, each.memory)

    def _begin(self, group: TaskGroup) -> None:
        now = self.clock.monotonic()
        self._probe(group, now)
        platforms = len({each.platform for each in self.plans.values() if each.schedule or each.waiting is not None})
        while (chosen := self._choose(platforms)) is not None:
            found = self.plans[chosen.job]
            found.running, found.waiting = True, None
            self._began[found.platform] = now
            group.start_soon(self._run, found, found.why)

    def _choose(self, platforms: int) -> turns.Waiting | None:
        running: dict[str, int] = {}
        for each in self.plans.values():
            running[each.platform] = running.get(each.platform, 0) + each.running
        waiting = [
            queued
            for each in self.plans.values()
            if (queued := each.queued()) is not None and self.circuits[each.platform].closed
        ]
        return turns.choose(waiting, running, self._began, self.slots, platforms)

    async def _run(self, this: Plan, why: str) -> None:
        report = await self.world.run(this.job, why)
        this.running = False
        now = self.clock.now()
        if report.away:
            self.circuits[this.platform].suspect(self.clock.monotonic())
        if report.stopped is not None and self.stopped:
            # It goes on after the restart: its turn is not over.
            return
        if this.overlapped:
            await self.world.skipped(this.job, "overlap", this.overlapped, this.past.last)
            this.overlapped = 0
        if report.exit_code() in _WELL and report.stopped is None:
            await self._followed(this.job, now)
        if this.schedule is not None and isinstance(this.schedule.kind, Every):
            this.past = replace(this.past, pace=adaptive.next_pace(this.schedule.kind, this.past.pace, report))
        this.kept = this.past
        this.later = await self.world.later(this.job)
        await self.world.keep(this.job, this.memory)
        if this.again:
            why, this.again = this.again, ""
            this.ask(why, self.clock.monotonic())
        self.wake()

    async def _followed(self, job: str, now: datetime) -> None:
        for each in self.plans.values():
            if each.schedule is not None and each.schedule.kind == After(job):
                each.past = replace(each.past, asked=now)
                each.kept = replace(each.kept, asked=now)
                await self.world.keep(each.job, each.memory)

    def _probe(self, group: TaskGroup, now: float) -> None:
        for platform, circuit in self.circuits.items():
            if circuit.probe_due(now):
                job = self._asker(platform)
                if job is not None:
                    circuit.begin()
                    group.start_soon(self._ask, platform, circuit, job)

    def _asker(self, platform: str) -> str | None:
        """Return the job whose selection a probe asks for: one that waits, else any of the platform's."""
        mine = [each for each in self.plans.values() if each.platform == platform]
        waiting = [each for each in mine if each.waiting is not None]
        return next((each.job for each in (*waiting, *mine)), None)

    async def _ask(self, platform: str, circuit: Circuit, job: str) -> None:
        alive = await self.world.probe(job)
        if circuit.answered(self.clock.monotonic(), alive=alive):
            self.world.said(
                f"platform {platform} is back: its jobs go on"
                if alive
                else f"platform {platform} is away: its jobs wait, and one request a minute asks for it"
            )
        self.wake()

    async def _wait(self) -> None:
        """Sleep until the next moment that matters, or until something changes."""
        if self.stopped:
            return
        now, monotonic = self.clock.now(), self.clock.monotonic()
        moments: list[float] = []
        moments += [(at - now).total_seconds() for each in self.plans.values() if (at := each.wakes()) is not None]
        moments += [each.probe_at - monotonic for each in self.circuits.values() if each.probe_at is not None]
        changed = self._changed

        async def until_changed() -> None:
            await changed.wait()
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(until_changed)
            await self.clock.sleep(max(0.0, min([self.recheck, *moments])))
            group.cancel_scope.cancel()


async def open_scheduler(
    world: World, clock: Clock, entries: Sequence[Entry], memories: Callable[[str], Awaitable[Memory]], slots: int,
    *, recheck: float = RECHECK,
) -> Scheduler:  # fmt: skip
    """Return a scheduler that knows its jobs and what is remembered of them."""
    plans: dict[str, Plan] = {}
    for entry in entries:
        memory = await memories(entry.job)
        this = plans[entry.job] = plan.begin(entry.job, entry.platform, entry.schedule, memory, clock.now())
        this.later = await world.later(entry.job)
        if memory.past is None and entry.schedule is not None:
            await world.keep(entry.job, this.memory)
    circuits = {entry.platform: Circuit() for entry in entries}
    return Scheduler(world, clock, slots, plans, circuits, recheck)
