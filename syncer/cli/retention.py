"""`syncer retention`: superseded versions are removed once nobody wants to go back to them."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli.exits import UsageError
from syncer.cli.options import EVERYWHERE, Everywhere


async def retention(
    job: Annotated[str, Parameter(help="A job of the configuration.")],
    /,
    *,
    keep_runs: Annotated[
        int | None, Parameter(metavar="N", help="Keep what the last N runs that changed something superseded.")
    ] = None,
    keep_days: Annotated[
        float | None, Parameter(metavar="D", help="Keep what was superseded in the last D days.")
    ] = None,
    dry_run: Annotated[bool, Parameter(name=("--dry-run", "-n"), help="Only say what would go.")] = False,
    yes: Annotated[bool, Parameter(help="Do it without asking.")] = False,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Remove superseded versions that nobody wants to go back to.

    They are kept by sinks with `versions: keep`, and in archives of earlier
    runs with `mode: delta`. The current version of an item never goes, nor
    the last one of an item that was deleted.
    """
    from datetime import timedelta

    from syncer.app.care import retention_job
    from syncer.cli.confirm import confirmed
    from syncer.cli.context import opened
    from syncer.flow.retention import Keep
    from syncer.model.units import LONGEST, show_size

    if keep_runs is None and keep_days is None:
        raise UsageError("keep what?", hint="give --keep-runs N, --keep-days D, or both")
    if (keep_runs or 0) < 0 or (keep_days or 0) < 0:
        raise UsageError("--keep-runs and --keep-days are never negative")
    if not (keep_days or 0) * 86_400 <= LONGEST:  # nan is no number of days either
        raise UsageError("--keep-days is at most a hundred years")
    async with opened(here, progress=not dry_run) as session:
        (name,) = session.jobs([job])
        since = None if keep_days is None else session.syncer.clock.now() - timedelta(days=keep_days)
        keep = Keep(keep_runs, since)
        if not dry_run:
            found = await retention_job(session.syncer, name, keep, dry=True)
            if any(each.versions for each in found):
                count = sum(each.versions for each in found)
                await confirmed(f"{count:,} superseded versions of job {name} are removed for good.", yes=yes)
        for each in await retention_job(session.syncer, name, keep, dry=dry_run):
            what = "would go" if dry_run else "removed"
            session.tell(f"{each.sink}: {each.versions:,} superseded versions {what}, {show_size(each.size)}")
    return 0
