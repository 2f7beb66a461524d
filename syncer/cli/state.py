"""`syncer state`: what is remembered between runs, as a whole and by job."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Yes
from syncer.cli.tree import family

if TYPE_CHECKING:
    from syncer.cli.context import Session

app = family("state")

Job = Annotated[str, Parameter(name="JOB", help="A job that the state knows.")]


@app.command(usage="Usage: syncer state export FILE [OPTIONS]")
async def export(
    file: Annotated[Path, Parameter(name="FILE", help="Where the copy goes; it must not be there yet.")],
    /,
    *,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Write a consistent copy of the whole state, also while jobs run."""
    from syncer.cli.context import opened
    from syncer.cli.copies import copy_out
    from syncer.cli.messages import say

    async with opened(here) as session:
        await copy_out(session.syncer.settings, file)
        say(f"{session.syncer.store.url} is copied to {file}")
    return 0


@app.command(name="import", usage="Usage: syncer state import FILE [OPTIONS]")
async def import_(
    file: Annotated[Path, Parameter(name="FILE", help="What `state export` wrote.")],
    /,
    *,
    yes: Yes = False,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Replace the whole state by a copy.

    Where destinations are ahead of the copy, the next pass brings the state up to them; nothing is fetched again.
    """
    from syncer.cli.confirm import confirmed
    from syncer.cli.context import opened
    from syncer.cli.copies import copy_in
    from syncer.cli.messages import say

    async with opened(here) as session:
        store, settings = session.syncer.store, session.syncer.settings
        if known := await store.jobs():
            await confirmed(f"The state of {len(known)} jobs ({', '.join(known)}) is replaced.", yes=yes)
        async with AsyncExitStack() as held:
            for job in known:
                await held.enter_async_context(store.lease(job))
            await copy_in(settings, file)
        say(f"{store.url} is now as in {file}")
    return 0


@app.command(usage="Usage: syncer state rebuild JOB [OPTIONS]")
async def rebuild(
    job: Annotated[str, Parameter(name="JOB", help="A job of the configuration.")],
    /,
    *,
    yes: Yes = False,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Replace what is remembered of a job by what its destinations say."""
    from syncer.app.care import rebuild_job
    from syncer.cli.confirm import confirmed
    from syncer.cli.context import opened
    from syncer.cli.messages import say

    async with opened(here) as session:
        (name,) = session.jobs([job])
        if name in await session.syncer.store.jobs():
            await confirmed(f"What is remembered of job {name} is replaced.", yes=yes)
        rows = await rebuild_job(session.syncer, name)
        say(f"{name}: {rows:,} rows came back from its destinations")
    return 0


@app.command(usage="Usage: syncer state reset JOB [OPTIONS]")
async def reset(job: Job, /, *, yes: Yes = False, here: Everywhere = EVERYWHERE) -> int:
    """Forget a job: cursors, rows, owed items and claims. Destinations stay as they are."""
    from syncer.app.erasing import refuse_underway
    from syncer.cli.confirm import confirmed
    from syncer.cli.context import opened
    from syncer.cli.messages import say

    async with opened(here) as session:
        store = session.syncer.store
        name = await _known(session, job)
        await confirmed(f"What is remembered of job {name} is forgotten.", yes=yes)
        await refuse_underway(session.syncer, name)
        async with store.lease(name):
            await store.reset(name)
        say(f"{name} is forgotten; a destination with a manifest brings it back (syncer state rebuild {name})")
    return 0


@app.command(usage="Usage: syncer state rename OLD NEW [OPTIONS]")
async def rename(
    old: Annotated[str, Parameter(name="OLD", help="A job that the state knows.")],
    new: Annotated[str, Parameter(name="NEW", help="What it is called from now on.")],
    /,
    *,
    yes: Yes = False,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Give a job another name, in the state and beside its data."""
    from syncer.app.handover import rename_job
    from syncer.cli.confirm import confirmed
    from syncer.cli.context import opened
    from syncer.cli.messages import say

    async with opened(here) as session:
        name = await _known(session, old)
        await confirmed(f"Job {name} is called {new} from now on, here and beside its data.", yes=yes)
        await rename_job(session.syncer, name, new)
        say(f"{name} is now {new}; call it so in the configuration too")
    return 0


@app.command(usage="Usage: syncer state copy FROM TO [OPTIONS]")
async def copy(
    source: Annotated[str, Parameter(name="FROM", help="sqlite:PATH, postgresql://…, or env:NAME that holds one.")],
    target: Annotated[str, Parameter(name="TO", help="The same, of a state that is not used yet.")],
    /,
    *,
    here: Everywhere = EVERYWHERE,  # noqa: ARG001  # every command takes the same options
) -> int:
    """Copy a whole state into an empty one, between files and databases. Destinations know the copy as their state."""
    from syncer.cli.copies import copy_over
    from syncer.cli.messages import say

    name, rows = await copy_over(source, target)
    say(f"{rows:,} rows are copied to {name}; name it in the configuration, and use the other one no more")
    return 0


@app.command(usage="Usage: syncer state migrate [OPTIONS]")
async def migrate(*, here: Everywhere = EVERYWHERE) -> int:
    """Bring the state up to what this version of syncer needs; nobody may work on it meanwhile."""
    from syncer.cli.copies import migrate_over
    from syncer.cli.messages import say

    name, steps = await migrate_over(here)
    say(f"{name} is up to date" + (f"; {steps} steps were missing" if steps else ""))
    return 0


async def _known(session: "Session", job: str) -> str:
    from syncer.cli.exits import UsageError
    from syncer.settings.problems import suggestion

    known = await session.syncer.store.jobs()
    if job not in known:
        raise UsageError(f"the state has no job {job!r}; {suggestion(job, known, nothing='it has none')}")
    return job
