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
    from syncer.model.errors import PartitionGone, SettingsError

    async with opened_platform(here, platform) as (session, choice):
        source = await session.syncer.source(choice.name)
        try:
            table = await source.batches(project)
        except PartitionGone as error:
            # Nothing is frozen here: a name was given that the platform does not know.
            hint = f"`syncer projects {platform}` lists what there is"
            raise SettingsError(f"{platform} has no project {project!r}: {error}", hint=hint) from error
        show(table, output, empty="this project has no batches")
    return 0
