"""`syncer daemon`: runs jobs by their schedules until it is told to stop."""

from contextlib import AsyncExitStack

from syncer.cli.options import EVERYWHERE, Everywhere


async def daemon(*, here: Everywhere = EVERYWHERE) -> int:
    """Run jobs by their schedules, until told to stop.

    The first SIGTERM or SIGINT finishes what is in flight and ends with
    0; the next start goes on there. A second one stops at once. A
    changed file, or SIGHUP, changes schedules and limits without a
    restart.
    """
    from syncer import __version__
    from syncer.app.daemon import open_daemon
    from syncer.cli.context import opened
    from syncer.cli.listeners import page, probes
    from syncer.cli.living import living
    from syncer.model.errors import Exit
    from syncer.observe.metrics import Metrics
    from syncer.observe.outcomes import Outcomes
    from syncer.schedule.lifetime import hangups

    async with AsyncExitStack() as stack:
        # It is watched for hours: what it does, and where to look, is worth a line.
        session = await stack.enter_async_context(opened(here, usual="info"))
        session.jobs(())
        metrics = Metrics(Outcomes(__version__))
        sides = [probes(session, metrics), page(session)]
        running = await stack.enter_async_context(open_daemon(session.syncer, sides))
        life, vitals = await stack.enter_async_context(living(session, running.drain))
        running.reload.began, running.reload.over = life.supervisor.reloading, life.supervisor.ready
        await stack.enter_async_context(hangups(running.reload.ask))
        running.desk.lag = lambda: (vitals.lag.lag, vitals.lag.worst)
        vitals.lag.heard = metrics.late
        running.desk.stalled = lambda: vitals.stalls.stalled
        session.logger.info("daemon started", jobs=len(running.scheduler.plans), memory_limit=vitals.memory_limit)
        await running.work(life.supervisor.ready)
        session.logger.info("daemon ended", reason=life.ending)
        # Nobody asked for this end: whoever started the process is to start it again.
        return Exit.NOT_NOW if life.stalled else Exit.DONE
