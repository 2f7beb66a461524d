"""Work of dead workers comes back: nothing in the queue does that by itself."""

from datetime import UTC, datetime
from functools import partial

from procrastinate.exceptions import ProcrastinateException

from syncer.fleet import shares
from syncer.fleet.crew import Crew
from syncer.fleet.engine import Manager
from syncer.fleet.queue import FINALISE, FIRST, PLAN, defer
from syncer.model.events import Warned
from syncer.state.tables.transaction import Transaction

#: Seconds after which a worker that fell silent is no longer shown.
FORGOTTEN = 3600.0

# Runs whose beginning or end nobody will come for: the task failed for good, or was lost.
_LEFT = """
SELECT r.id, r.job, r.queue, r.priority, r.state FROM fleet_runs AS r WHERE r.state IN ('planning', 'finalising')
AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs AS j WHERE j.status IN ('todo', 'doing') AND j.task_name IN (?1, ?2)
    AND CAST(j.args ->> 'run' AS bigint) = r.id
) FOR UPDATE OF r
"""


async def rescue(crew: Crew, manager: Manager) -> None:
    """Give tasks of silent workers to others, and make anew those that were lost."""
    silent = crew.options.silent_after
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=silent):
        if job.id is None:
            continue
        try:
            await manager.retry_job_by_id_async(job.id, retry_at=datetime.now(UTC))
        except ProcrastinateException as error:
            # Each for itself: a periodic task whose successor is queued can't come again, and need not.
            crew.syncer.hub.emit(Warned(f"task {job.id} of a silent worker stays where it is: {error}"))
        else:
            crew.syncer.hub.emit(Warned(f"task {job.id} ({job.task_name}) of a silent worker goes to another one"))
    lost = await crew.database.write(partial(_sweep, window=crew.options.window))
    if lost:
        crew.syncer.hub.emit(Warned(f"{lost} lost tasks were queued again"))


def _sweep(transaction: Transaction, *, window: int) -> int:
    transaction.execute("DELETE FROM procrastinate_jobs WHERE status IN ('failed', 'aborted', 'cancelled')")
    transaction.execute(
        "DELETE FROM fleet_workers WHERE beat < clock_timestamp() - make_interval(secs => ?)", (FORGOTTEN,)
    )
    left = transaction.execute(_LEFT, (PLAN, FINALISE)).fetchall()
    for run, job, queue, priority, state in left:
        defer(
            transaction, PLAN if state == "planning" else FINALISE, queue, FIRST + priority, [(f"{job}/", {"run": run})]
        )
    return len(left) + shares.found_again(transaction, window)
