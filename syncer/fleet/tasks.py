"""The tasks, as the queue calls them; what they do stands elsewhere, and knows no queue."""

import asyncio
from collections.abc import Awaitable

from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.exceptions import JobAborted
from procrastinate.jobs import Job

from syncer.fleet import ending, planning, rescue, tick, working
from syncer.fleet.crew import Again, Crew
from syncer.fleet.engine import Manager
from syncer.fleet.queue import FINALISE, FIRST, HOUSE, PLAN, RESCUE, TICK, UNIT
from syncer.model.errors import SyncerError
from syncer.model.events import Warned

#: Seconds after which a task that failed is tried again, by the number of failures; then its row brings it back.
_PAUSES = (1, 5, 15, 60)


class Patience(BaseRetryStrategy):
    """When a task comes again."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Decide."""
        if isinstance(exception, Again):
            return RetryDecision(retry_in={"milliseconds": round(exception.seconds * 1000)})
        if isinstance(exception, asyncio.CancelledError | JobAborted):
            # The worker ends before the task did.
            return RetryDecision()
        if job.attempts < len(_PAUSES):
            return RetryDecision(retry_in={"seconds": _PAUSES[job.attempts]})
        return None


def enlist(app: App, crew: Crew, manager: Manager) -> None:
    """Make the tasks known to the queue."""
    seconds = max(1, round(crew.options.tick))
    every = "* * * * * " + ("0" if seconds >= 60 else f"*/{seconds}")  # noqa: PLR2004  # of a minute

    @app.task(name=PLAN, retry=Patience())
    async def plan(run: int) -> None:
        await _told(crew, planning.plan(crew, run))

    @app.task(name=UNIT, retry=Patience())
    async def unit(run: int, number: int) -> None:
        await _told(crew, working.work(crew, run, number))

    @app.task(name=FINALISE, retry=Patience())
    async def finalise(run: int) -> None:
        await _told(crew, ending.finalise(crew, run))

    @app.periodic(cron=every)
    @app.task(name=TICK, queue=HOUSE, priority=2 * FIRST, queueing_lock=TICK, lock=TICK)
    async def look(timestamp: int) -> None:  # noqa: ARG001  # the queue's; what counts is the time of the look
        await _told(crew, tick.tick(crew))

    # No lock: a rescue that stalled itself must not keep the next one from beginning.
    @app.periodic(cron=every)
    @app.task(name=RESCUE, queue=HOUSE, priority=3 * FIRST, queueing_lock=RESCUE)
    async def save(timestamp: int) -> None:  # noqa: ARG001  # same
        await _told(crew, rescue.rescue(crew, manager))


async def _told(crew: Crew, work: Awaitable[None]) -> None:
    """Do the work; what the state or a bug does to it is told, and the queue tries again."""
    try:
        await work
    except Again:
        raise
    except SyncerError as error:
        crew.syncer.hub.emit(Warned(f"a task could not be done and is tried again: {error}"))
        raise
    except Exception as error:
        crew.syncer.hub.emit(Warned(f"this is a bug in syncer: {type(error).__name__}: {error}"))
        raise
