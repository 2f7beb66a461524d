"""`syncer fleet`: what the workers of a state do, and the runs that they do together."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output
from syncer.cli.tree import family

if TYPE_CHECKING:
    from syncer.cli.context import Session

app = family("fleet")

#: What a table shows of each; programs get all there is.
_COLUMNS = {
    "worker": ("name", "host", "pid", "state", "heard", "running", "concurrency", "version"),
    "queue": ("name", "waiting", "running", "stalled"),
    "run": ("job", "run", "state", "units", "waiting", "running", "done", "stalled", "listed", "stored", "owed",
            "paused", "code"),
    "account": ("name", "origin", "rate", "concurrency", "pause", "members"),
}  # fmt: skip

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


@app.command
async def status(*, output: Output = "table", here: Everywhere = EVERYWHERE) -> int:
    """Show what the fleet does: workers, queues, runs, shared limits of accounts.

    `stalled` are units whose worker fell silent; others take them over.
    An account's `rate` is what all of them ask a second, together; `pause`
    the seconds for which none of them asks.
    """
    from syncer.cli.context import opened
    from syncer.cli.tables import show
    from syncer.model.errors import SettingsError
    from syncer.model.value import asdict

    async with opened(here) as session:
        view = await session.syncer.store.fleet()
        if view is None:
            url = session.syncer.store.url
            raise SettingsError(f"{url} is not the state of a fleet", hint="name a database: state: postgresql://…")
        parts = {
            "worker": [asdict(each) for each in view.workers],
            "queue": [asdict(each) for each in view.queues],
            "run": [asdict(each) for each in view.runs],
            "account": [asdict(each) for each in view.accounts],
        }
        if output != "table":
            show([{"kind": kind, **row} for kind, rows in parts.items() for row in rows], output)
            return 0
        for kind, rows in parts.items():
            show(rows, output, _COLUMNS[kind], empty=f"no {kind}")
    return 0


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
