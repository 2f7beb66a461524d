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
    from syncer.cli.supervisors import supervisors
    from syncer.schedule.lifetime import signals

    async with opened(here) as session, AsyncExitStack() as stack:
        session.jobs(())
        running = await stack.enter_async_context(open_daemon(session.syncer, [supervisors(session)]))

        def stop(name: str) -> None:
            session.logger.warning("finishing what is in flight; a second signal stops at once", signal=name)
            running.drain(name)

        async with signals(stop):
            session.logger.info("daemon started", jobs=len(running.scheduler.plans))
            await running.work()
            session.logger.info("daemon ended")
    return 0
