"""`syncer projects`: what can be exported from a platform."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output


async def projects(
    platform: Annotated[str, Parameter(help="A platform of the configuration, or a type such as label_studio.")],
    /,
    *,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """List the projects of a platform."""
    from syncer.cli.context import opened_platform
    from syncer.cli.tables import show

    async with opened_platform(here, platform) as (session, choice):
        source = await session.syncer.source(choice.name)
        show(await source.projects(), output, empty="this account sees no projects")
    return 0
