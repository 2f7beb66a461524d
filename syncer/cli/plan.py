"""`syncer plan`: what sync would do now."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output, shard_from_environment
from syncer.flow.job import RunOptions


async def plan(
    *jobs: Annotated[str, Parameter(name="JOB", help="Jobs of the configuration; all of them if none is named.")],
    relist: Annotated[bool, Parameter(name=("--full", "--relist"), help="As for a full pass.")] = False,
    refetch: Annotated[bool, Parameter(help="As for a pass that fetches everything again.")] = False,
    relayout: Annotated[bool, Parameter(help="Accept changed names.")] = False,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Say what sync would do now; nothing is fetched or written."""
    from syncer.cli.context import opened
    from syncer.cli.previews import preview_jobs

    async with opened(here, readonly=True) as session:
        options = RunOptions(relist=relist, refetch=refetch, relayout=relayout, shard=shard_from_environment())
        return await preview_jobs(session, session.jobs(jobs), options, output)
