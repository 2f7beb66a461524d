"""One pass of some jobs: run, told about, and turned into an exit code. `sync`, `export` and `repair` stand on it."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec
from msgspec.structs import replace

from syncer.cli import summary
from syncer.cli.context import Advice, Session
from syncer.cli.living import living
from syncer.cli.messages import advised
from syncer.cli.options import PASS, PassFlags
from syncer.cli.tables import Form, show
from syncer.flow.job import RunOptions
from syncer.model.errors import Exit, SyncerError
from syncer.model.report import Report, unbegun, worst
from syncer.schedule.once import Once

if TYPE_CHECKING:
    from syncer.cli.pushed import Gateway

#: Works on one job.
Work = Callable[[str, RunOptions], Awaitable[Report]]


class Pass(msgspec.Struct):
    """One pass over some jobs of an open configuration."""

    session: Session
    flags: PassFlags = PASS
    advice: Advice = lambda _message, _code: None
    #: What is done with a job; by default it is synced.
    work: Work | None = None
    #: Where the data lies, where that is known better than by the sinks' roots.
    place: str | None = None
    #: The first signal, once there was one, or what else ended it early.
    signalled: str | None = None
    reports: list[Report] = msgspec.field(default_factory=list)

    async def run(self, jobs: Sequence[str], output: Form) -> Exit:
        """Run the jobs one after the other, say what they did, and return the exit code of them all."""
        options = self.flags.options()
        # One that can't be is refused before anything runs.
        gateway = await self._gateway()

        async def one(name: str) -> Report:
            report = await self._job(name, options)
            self.reports.append(report)
            await self._tell(report)
            return report

        async with living(self.session, self._drain) as (life, _):
            life.supervisor.ready()
            await Once(one, self._stopped).work(jobs)
        codes = [report.exit_code(self.flags.allow_owed) for report in self.reports]
        left = jobs[len(self.reports) :]
        if left:
            self.session.tell(f"not begun: {', '.join(left)}")
            codes.append(Exit.NOT_NOW if self.signalled else Exit.STOPPED)
        await self._export(jobs, gateway)
        if output != "table":
            rows = [summary.as_json(report, self.flags.allow_owed) for report in self.reports]
            self.session.when_free(partial(show, rows, output))
        return worst(codes)

    async def _job(self, name: str, options: RunOptions) -> Report:
        """Run one job; one that can't even be assembled has a report too, and the others go on."""
        clock = self.session.syncer.clock
        started = clock.now()
        try:
            report = await (self.work or self.session.syncer.sync)(name, options)
        except SyncerError as error:
            report = unbegun(name, started, clock.now(), error)
        hinted = [
            replace(each, hint=advised(each.hint, self.advice(each.message, each.code))) for each in report.problems
        ]
        return replace(report, problems=tuple(hinted))

    async def _gateway(self) -> "Gateway | None":
        if self.flags.push_metrics is None:
            return None
        from syncer.cli.pushed import gateway

        return await gateway(self.flags.push_metrics)

    async def _export(self, jobs: Sequence[str], gateway: "Gateway | None") -> None:
        """Tell machines how the pass ended."""
        file, store = self.flags.metrics_file, self.session.syncer.store
        if file is None and gateway is None:
            return
        from syncer.cli.metrics_file import render, write

        if gateway is not None:
            texts = {job: await render(store, [job], self.reports, self.flags.allow_owed) for job in jobs}
            await gateway.push(texts, quiet=self.session.here.quiet)
        if file is not None:
            text = await render(store, jobs, self.reports, self.flags.allow_owed)
            await anyio.to_thread.run_sync(write, file, text)

    async def _tell(self, report: Report) -> None:
        owed = await self.session.syncer.store.all_owed(report.job) if sum(report.owed.values()) else ()
        done = report.exit_code(self.flags.allow_owed) is Exit.DONE
        if done and self.session.here.quiet and not self.session.machine:
            return
        for line in summary.lines(report, owed, self.flags.allow_owed, self.place):
            self.session.tell(line)

    def _stopped(self) -> bool:
        return self.signalled is not None or any(report.stopped is not None for report in self.reports)

    def _drain(self, reason: str) -> None:
        self.signalled = reason
        self.session.syncer.drain(reason)
