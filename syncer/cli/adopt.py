"""`syncer adopt`: a destination changes hands, without being fetched again."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output
from syncer.flow.job import RunOptions

if TYPE_CHECKING:
    from syncer.cli.context import Session
    from syncer.model.report import Report


async def adopt(
    url: Annotated[str, Parameter(help="The destination, as `status` or a report names it.")],
    /,
    *,
    job: Annotated[str, Parameter(metavar="JOB", help="The job of the configuration that takes it over.")],
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Hand a destination over to a job of this configuration, and bring it up to date.

    It may have belonged to another job, to an export without a file, or
    to a state that is lost.
    """
    from syncer.cli.context import opened
    from syncer.cli.passes import Pass

    async with opened(here, progress=True) as session:
        names = session.jobs([job])
        return await Pass(session, work=partial(_adopted, session, url)).run(names, output)


async def _adopted(session: "Session", url: str, job: str, _: RunOptions) -> "Report":
    from syncer.app.handover import take_over

    return await take_over(session.syncer, url, job)
