"""`syncer sync`: one pass of the jobs of a configuration file; for cron, a Kubernetes Job, and by hand."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, PASS, Everywhere, Output, PassFlags


async def sync(
    *jobs: Annotated[str, Parameter(name="JOB", help="Jobs of the configuration; all of them if none is named.")],
    flags: PassFlags = PASS,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Bring the sinks of jobs in step with their platforms, once.

    Stop it at any moment: the first signal finishes what is in flight,
    and the next pass goes on from there.
    """
    from syncer.cli.context import opened
    from syncer.cli.passes import Pass
    from syncer.cli.previews import preview_jobs

    async with opened(here, progress=not flags.dry_run, readonly=flags.dry_run) as session:
        names = session.jobs(jobs)
        if flags.dry_run:
            return await preview_jobs(session, names, flags.options(), output)
        return await Pass(session, flags).run(names, output)
