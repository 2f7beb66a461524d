"""One pass: each job once, in the order given, until one is told to stop."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from syncer.model.report import Report

#: Runs one job and returns its report.
RunJob = Callable[[str], Awaitable[Report]]


class Once(msgspec.Struct, frozen=True):
    """Runs every job a single time."""

    run: RunJob
    #: Tells whether no further job should begin.
    stopped: Callable[[], bool]

    async def work(self, jobs: Sequence[str]) -> list[Report]:
        """Return the reports of the jobs that began."""
        reports: list[Report] = []
        for job in jobs:
            if self.stopped():
                break
            reports.append(await self.run(job))
        return reports
