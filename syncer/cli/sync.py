"""`syncer sync`: one pass of the jobs of a configuration file; for cron, a Kubernetes Job, and by hand."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, PASS, Everywhere, Output, PassFlags


async def sync(
    *jobs: Annotated[str, Parameter(name="JOB", help="Jobs of the configuration; all of them if none is named.")],
    flags: PassFlags = PASS,
    fleet: Annotated[
        bool, Parameter(help="Let the workers of the fleet do it, and wait for them. Ctrl-C stops waiting, not them.")
    ] = False,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Bring the sinks of jobs in step with their platforms, once.

    Stop it at any moment: the first signal finishes what is in flight,
    and the next pass goes on from there.
    """
    from syncer.cli.context import opened
    from syncer.cli.passes import Pass
    from syncer.cli.ping import pinged
    from syncer.cli.previews import preview_jobs

    if flags.dry_run:
        async with opened(here, readonly=True) as session:
            return await preview_jobs(session, session.jobs(jobs), flags.options(), output)
    if fleet:
        from syncer.cli.fleets import sync_by_fleet

        async with pinged(flags.ping, quiet=here.quiet) as ended, opened(here, progress=True) as session:
            return ended(await sync_by_fleet(session, flags, session.jobs(jobs), output))
    async with pinged(flags.ping, quiet=here.quiet) as ended, opened(here, progress=True) as session:
        return ended(await Pass(session, flags).run(session.jobs(jobs), output))
