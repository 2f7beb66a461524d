"""`syncer compact`: archives without what is no longer current."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere


async def compact(
    job: Annotated[str, Parameter(help="A job of the configuration.")],
    /,
    *,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Rewrite archives without what is no longer current."""
    from syncer.app.care import compact_job
    from syncer.cli.context import opened
    from syncer.model.units import show_size

    async with opened(here, progress=True) as session:
        (name,) = session.jobs([job])
        freed = await compact_job(session.syncer, name)
        session.tell(f"{name}: {show_size(freed)} given back")
    return 0
