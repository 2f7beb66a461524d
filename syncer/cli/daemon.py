"""`syncer daemon`: runs jobs by their schedules until it is told to stop."""

from contextlib import AsyncExitStack

from syncer.cli.options import EVERYWHERE, Everywhere


async def daemon(*, here: Everywhere = EVERYWHERE) -> int:
    """Run jobs by their schedules, until told to stop.

    The first SIGTERM or SIGINT finishes what is in flight and ends with
    0; the next start goes on there. A second one stops at once.
    """
    from syncer.app.daemon import open_daemon
    from syncer.cli.context import opened
    from syncer.cli.listeners import page
    from syncer.cli.living import living
    from syncer.cli.supervisors import supervisors
    from syncer.model.errors import Exit

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(opened(here))
        session.jobs(())
        running = await stack.enter_async_context(open_daemon(session.syncer, [supervisors(session), page(session)]))
        life, vitals = await stack.enter_async_context(living(session, running.drain))
        running.desk.lag = lambda: (vitals.lag.lag, vitals.lag.worst)
        running.desk.stalled = lambda: vitals.stalls.stalled
        session.logger.info("daemon started", jobs=len(running.scheduler.plans), memory_limit=vitals.memory_limit)
        life.supervisor.ready()
        await running.work()
        session.logger.info("daemon ended", reason=life.ending)
        # Nobody asked for this end: whoever started the process is to start it again.
        return Exit.NOT_NOW if life.stalled else Exit.DONE
