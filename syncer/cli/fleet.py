"""`syncer fleet`: what the workers of a state do, and the runs that they do together."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere
from syncer.cli.tree import family

if TYPE_CHECKING:
    from syncer.cli.context import Session

app = family("fleet")

Job = Annotated[str, Parameter(name="JOB", help="A job of the configuration.")]


@app.command(usage="Usage: syncer fleet cancel JOB [OPTIONS]")
async def cancel(job: Job, /, *, here: Everywhere = EVERYWHERE) -> int:
    """End the run of a job: what is in flight is committed, the rest is left to the next run."""
    from syncer.cli.context import opened
    from syncer.cli.messages import say
    from syncer.fleet.submit import stop

    async with opened(here) as session:
        (name,) = session.jobs([job])
        if not await stop(session.syncer, name, "cancelled"):
            return _none(session, name)
        say(f"the run of job {name} comes to its end")
    return 0


@app.command(usage="Usage: syncer fleet pause JOB [OPTIONS]")
async def pause(job: Job, /, *, here: Everywhere = EVERYWHERE) -> int:
    """Begin no further units of the run of a job; those under way go on."""
    return await _pause(job, here, paused=True)


@app.command(usage="Usage: syncer fleet resume JOB [OPTIONS]")
async def resume(job: Job, /, *, here: Everywhere = EVERYWHERE) -> int:
    """Go on with a run that was paused."""
    return await _pause(job, here, paused=False)


async def _pause(job: str, here: Everywhere, *, paused: bool) -> int:
    from syncer.cli.context import opened
    from syncer.cli.messages import say
    from syncer.fleet.submit import pause as ask

    async with opened(here) as session:
        (name,) = session.jobs([job])
        if not await ask(session.syncer, name, paused=paused):
            return _none(session, name)
        say(f"the run of job {name} {'is paused' if paused else 'goes on'}")
    return 0


def _none(session: "Session", job: str) -> int:
    from syncer.cli.messages import say
    from syncer.model.errors import Exit

    say(f"the fleet of {session.syncer.store.url} has no run of job {job}")
    return Exit.STOPPED
