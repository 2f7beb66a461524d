"""One pass of some jobs by the fleet: submitted at once, followed one after the other."""

from collections.abc import Sequence

from syncer.cli.context import Session
from syncer.cli.exits import UsageError
from syncer.cli.options import PassFlags
from syncer.cli.passes import Pass
from syncer.cli.tables import Form
from syncer.fleet.submit import Submitted, submitted
from syncer.model.errors import Exit

#: What counts or divides within one process.
_ALONE = ("max_items", "max_bytes", "max_time", "shard")


class _Following(Pass):
    """A pass whose end by a signal leaves the runs to the fleet."""

    runs: Submitted | None = None

    def _drain(self, reason: str) -> None:
        self.signalled = reason
        if self.runs is not None:
            self.runs.left = reason


async def sync_by_fleet(session: Session, flags: PassFlags, jobs: Sequence[str], output: Form) -> Exit:
    """Ask the fleet for runs of the jobs, and wait for their ends.

    Raises:
        UsageError: an option makes sense in one process only.
        SettingsError, PermissionRefused, NotNow: the state can't be that of a fleet.
    """
    options = flags.options()
    for name in _ALONE:
        if getattr(options, name) is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} does not go with --fleet: it is about one process",
                hint="leave it out; `syncer fleet cancel JOB` ends a run",
            )
    runs = await submitted(session.syncer, session.tell)
    for job in jobs:
        await runs.submit(job, options)
    return await _Following(session, flags, work=runs.follow, runs=runs).run(jobs, output)
