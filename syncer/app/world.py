"""What the scheduler needs done, by the library: runs, probes, memories."""

from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime

import msgspec

from syncer.app.cadence import Cadence
from syncer.app.library import Syncer
from syncer.flow.job import RunOptions
from syncer.flow.run import run_id
from syncer.model.errors import Exit, SyncerError, Unavailable
from syncer.model.events import Warned
from syncer.model.report import Counts, Report, unbegun
from syncer.net.retry import once_only
from syncer.schedule import memory
from syncer.schedule.memory import Memory

#: Seconds after which the status beside the data is written anew though nothing was found.
STATUS_EVERY = 600.0

#: Answers that say "not now" and come from somebody who is there.
_THERE = frozenset({429})


class World(msgspec.Struct):
    """`schedule.scheduler.World` over an open configuration."""

    syncer: Syncer
    #: Told when a job's place in the schedule moved: its run is over, say, which no event of the run can tell.
    moved: Callable[[], None] = lambda: None
    #: When the status beside a job's data was last written, by a clock that never runs backwards.
    _marked: dict[str, float] = msgspec.field(default_factory=dict)
    #: The last run of a job, if it found nothing: the next one like it takes its place in the history.
    _idle: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def _cadence(self) -> Cadence:
        return Cadence(self.syncer.store, self.syncer.clock)

    async def begin(self) -> None:
        """Let the times at which sinks are published count from now, where nothing else is known."""
        for job in self.syncer.settings.jobs.values():
            await self._cadence.begin(job)

    async def run(self, job: str, why: str) -> Report:  # noqa: ARG002  # the door's signature
        """Run a job once; one that can't even be assembled has a report, too."""
        clock, wanted = self.syncer.clock, self.syncer.settings.jobs[job]
        started = clock.now()
        hold = await self._cadence.hold(wanted)
        now = clock.monotonic()
        sparing = now - self._marked.get(job, float("-inf")) < STATUS_EVERY
        try:
            options = RunOptions(patient=True, hold=hold, sparing=sparing, replaces=self._idle.pop(job, None))
            report = await self.syncer.sync(job, options)
        except SyncerError as error:
            return unbegun(job, started, clock.now(), error)
        if report.idle and report.exit_code() is Exit.DONE:
            self._idle[job] = report.run
        if report.exit_code() is not Exit.DONE:
            # The next idle run says that all is well again.
            self._marked.pop(job, None)
        elif not (sparing and report.idle):
            self._marked[job] = now
        await self._cadence.ended(wanted, hold, report)
        return report

    async def probe(self, job: str) -> bool:
        """Ask for the first partition of a job, once."""
        try:
            built = await self.syncer.job(job)
            with once_only():
                async with aclosing(built.source.partitions(built.select)) as partitions:
                    async for _ in partitions:
                        break
        except Unavailable as error:
            return error.status in _THERE
        except SyncerError:
            # Whatever else it says, it is there; the run will report it.
            return True
        return True

    async def later(self, job: str) -> datetime | None:
        """Return when a run is needed because something waits to be published."""
        return await self._cadence.next(self.syncer.settings.jobs[job])

    async def memory(self, job: str) -> Memory:
        """Return what is remembered of a job's schedule."""
        return memory.load((await self.syncer.store.recall(job)).get(memory.NAME))

    async def keep(self, job: str, remembered: Memory) -> None:
        """Remember where a job's schedule stands."""
        await self.syncer.store.remember(job, memory.NAME, remembered.dump())
        self.moved()

    async def skipped(self, job: str, reason: str, times: int, last: datetime) -> None:
        """Record turns that passed without a run."""
        what = f"{times} scheduled {'run' if times == 1 else 'runs'} skipped, the last of {last:%Y-%m-%d %H:%M %Z}"
        why = "it was still running, or waiting" if reason == "overlap" else "nobody was there to begin it"
        self.said(f"{job}: skipped_{reason}: {what}: {why}")
        report = Report(
            job, run_id(last), last, last, Counts(), complete=False, stopped=f"skipped_{reason}", notes=(what,)
        )
        await self.syncer.store.end_run(report, Exit.NOT_NOW)

    def said(self, message: str) -> None:
        """Tell the log."""
        self.syncer.hub.emit(Warned(message))
