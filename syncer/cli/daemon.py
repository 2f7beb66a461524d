"""`syncer daemon`: runs jobs by their schedules until it is told to stop."""

from syncer.cli.options import EVERYWHERE, Everywhere


async def daemon(*, here: Everywhere = EVERYWHERE) -> int:
    """Run jobs by their schedules, until told to stop.

    The first SIGTERM or SIGINT finishes what is in flight and ends with
    0; the next start goes on there. A second one stops at once.
    """
    from syncer.app.daemon import open_daemon
    from syncer.cli.context import opened
<<<<<<< HEAD
    from syncer.cli.listeners import page
    from syncer.schedule.lifetime import signals
=======
    from syncer.cli.living import living
    from syncer.model.errors import Exit
>>>>>>> life

    async with (
        opened(here) as session,
        open_daemon(session.syncer) as running,
        living(session, running.drain) as (life, vitals),
    ):
        session.jobs(())
<<<<<<< HEAD
        running = await stack.enter_async_context(open_daemon(session.syncer, [page(session)]))

        def stop(name: str) -> None:
            session.logger.warning("finishing what is in flight; a second signal stops at once", signal=name)
            running.drain(name)

        async with signals(stop):
            session.logger.info("daemon started", jobs=len(running.scheduler.plans))
            await running.work()
            session.logger.info("daemon ended")
    return 0
=======
        running.desk.lag = lambda: (vitals.lag.lag, vitals.lag.worst)
        running.desk.stalled = lambda: vitals.stalls.stalled
        session.logger.info("daemon started", jobs=len(running.scheduler.plans), memory_limit=vitals.memory_limit)
        life.supervisor.ready()
        await running.work()
        session.logger.info("daemon ended", reason=life.ending)
        # Nobody asked for this end: whoever started the process is to start it again.
        return Exit.NOT_NOW if life.stalled else Exit.DONE
>>>>>>> life
