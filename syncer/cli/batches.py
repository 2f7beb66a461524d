"""`syncer batches`: the batches of a project."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output


async def batches(
    platform: Annotated[str, Parameter(help="A platform of the configuration, or a type such as label_studio.")],
    project: Annotated[str, Parameter(help="Id or title of the project.")],
    /,
    *,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """List the batches of a project."""
    from syncer.cli.context import opened_platform
    from syncer.cli.tables import show

    async with opened_platform(here, platform) as (session, choice):
        source = await session.syncer.source(choice.name)
        show(await source.batches(project), output, empty="this project has no batches")
    return 0
