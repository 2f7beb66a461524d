"""`syncer worker`: takes part in the runs of a fleet until it is told to stop."""

from contextlib import AsyncExitStack
from importlib import import_module
from typing import Annotated

import anyio.to_thread
from cyclopts import Parameter
from cyclopts.validators import Number

from syncer.cli.options import EVERYWHERE, Everywhere


async def worker(
    *,
    concurrency: Annotated[
        int | None,
        Parameter(metavar="N", validator=Number(gte=1), help="Units at once. Default: fleet.concurrency of the file."),
    ] = None,
    queue: Annotated[
        tuple[str, ...], Parameter(metavar="QUEUE", help="Take work from this queue only. May be repeated.")
    ] = (),
    here: Everywhere = EVERYWHERE,
) -> int:
    """Work for a fleet, until told to stop.

    All workers share one state in PostgreSQL and one configuration: they
    do the runs that `syncer sync --fleet` asks for, and those of
    schedules. The first SIGTERM or SIGINT commits what is in flight and
    leaves the rest to others. A worker that loses its database ends with
    1: its supervisor is to start it again.
    """
    from syncer import __version__
    from syncer.cli.context import opened
    from syncer.cli.listeners import probes
    from syncer.cli.living import living
    from syncer.fleet.store import shared
    from syncer.model.errors import Exit
    from syncer.observe.metrics import Metrics
    from syncer.observe.outcomes import Outcomes

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(opened(here, usual="info", fleet=True))
        session.jobs(())
        # What is wrong with the state is said before the queue is imported. That reads files: not on the event loop.
        await shared(session.syncer.store)
        room = await anyio.to_thread.run_sync(import_module, "syncer.fleet.worker")
        sides = [probes(session, Metrics(Outcomes(__version__)))]
        opening = room.open_worker(session.syncer, queues=queue, concurrency=concurrency, sides=sides)
        running = await stack.enter_async_context(opening)
        life, vitals = await stack.enter_async_context(living(session, running.drain))
        running.desk.lag = lambda: (vitals.lag.lag, vitals.lag.worst)
        session.logger.info(
            "worker started", worker=running.crew.name, concurrency=running.concurrency, queues=list(queue) or "all"
        )
        life.supervisor.ready()
        if await running.work():
            session.logger.info("worker ended", reason=life.ending)
            return Exit.DONE
        session.logger.error("the worker lost its database and ends, to be started again", why=running.lost)
        return Exit.BUG
