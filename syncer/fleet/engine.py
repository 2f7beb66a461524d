"""The task queue procrastinate as a fleet uses it: its connections, its heart, and what it may say of a task.

Imported by workers alone: importing the queue takes half a second.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from syncer.state.postgres.target import Target

#: Connections of the queue in one worker: for tasks that begin and end at once. The listener has one of its own.
POOL = 4

#: Milliseconds; nothing of the queue takes longer than that.
_STATEMENT = "60000"

# A worker that stood still for long must not end, or put back, what another one does by now.
_OURS = " FROM procrastinate_jobs WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'"
_FINISH = f"SELECT procrastinate_finish_job_v1(id, %(status)s, %(delete_job)s){_OURS}"
_RETRY = f"SELECT procrastinate_retry_job_v2(id, %(retry_at)s, %(priority)s, %(queue)s, %(lock)s){_OURS}"


class Manager(JobManager):
    """Ends only tasks that are still this worker's, and knows when its heart beat last."""

    def __init__(self, connector: PsycopgConnector, beat: Callable[[], tuple[str, dict[str, Any]]]) -> None:
        """Take the connections, and a statement that goes with each beat."""
        super().__init__(connector)
        self.beaten = time.monotonic()
        self._beat = beat
        self._worker: int | None = None

    async def register_worker(self) -> int:
        """Enter the worker, and remember its number."""
        self._worker = await super().register_worker()
        return self._worker

    async def update_heartbeat(self, worker_id: int) -> None:
        """Beat."""
        await super().update_heartbeat(worker_id)
        statement, values = self._beat()
        await self.connector.execute_query_async(statement, **values)
        self.beaten = time.monotonic()

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001  # procrastinate's
        """End a task, unless it was given to another worker."""
        values = {"job_id": job.id, "worker_id": self._worker, "status": status.value, "delete_job": delete_job}
        await self.connector.execute_query_async(_FINISH, **values)

    async def retry_job(
        self, job: Job, retry_at: datetime | None = None, priority: int | None = None, queue: str | None = None,
        lock: str | None = None,
    ) -> None:  # fmt: skip
        """Put a task back, unless it was given to another worker."""
        await self.connector.execute_query_async(
            _RETRY, job_id=job.id, worker_id=self._worker, retry_at=retry_at or datetime.now(UTC), priority=priority,
            queue=queue, lock=lock,
        )  # fmt: skip


def open_app(target: Target) -> App:
    """Return the queue in the schema of a state; nothing is connected yet."""

    async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(
            "SELECT set_config('search_path', quote_ident(%s), false), set_config('statement_timeout', %s, false),"
            " set_config('client_min_messages', 'warning', false)",
            (target.schema, _STATEMENT),
        )
        await connection.commit()

    return App(
        connector=PsycopgConnector(conninfo=target.url, configure=configure, min_size=1, max_size=POOL, timeout=30.0)
    )


class Ear(logging.Handler):
    """Hears what the queue says to its log: that it loses the database is said nowhere else."""

    def __init__(self, lost: Callable[[str], None]) -> None:
        """Take what is to be told."""
        super().__init__(logging.WARNING)
        self._lost = lost

    def emit(self, record: logging.LogRecord) -> None:
        """Tell that something which has to run beside the tasks does not any more."""
        if getattr(record, "action", "").startswith("side_task"):
            self._lost(f"{getattr(record, 'task_name', 'a part of it')} ended")
