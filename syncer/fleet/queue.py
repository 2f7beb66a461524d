"""The way into the task queue: one statement inside of a transaction of ours, so that rows and tasks come together."""

import json
from collections.abc import Mapping, Sequence

from syncer.state.tables.transaction import Transaction

#: Names of the tasks, as the queue knows them.
PLAN, UNIT, FINALISE, TICK, RESCUE = "syncer.plan", "syncer.unit", "syncer.finalise", "syncer.tick", "syncer.rescue"

#: The queue of what no job owns: schedules, and the rescue of stalled work. Every worker listens to it.
HOUSE = "fleet"

#: Beginnings and ends of runs come before units of whatever priority: they are short, and others wait for them.
FIRST = 10_000

# Through the queue's own function, which notifies the workers.
_DEFER = """
SELECT procrastinate_defer_jobs_v1(array_agg(ROW(
    CAST(?1 AS varchar), CAST(?2 AS varchar), CAST(?3 AS integer), t.lock, NULL, CAST(t.args AS jsonb), NULL
)::procrastinate_job_to_defer_v1 ORDER BY t.n))
FROM unnest(CAST(?4 AS text[]), CAST(?5 AS text[])) WITH ORDINALITY AS t (lock, args, n)
"""


def defer(
    transaction: Transaction, task: str, queue: str, priority: int, tasks: Sequence[tuple[str, Mapping[str, int]]]
) -> None:
    """Queue tasks: each has a lock that no two running tasks share, and its arguments."""
    if tasks:
        locks, texts = [lock for lock, _ in tasks], [json.dumps(arguments) for _, arguments in tasks]
        transaction.execute(_DEFER, (queue, task, priority, locks, texts)).fetchone()
