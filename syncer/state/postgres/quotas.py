"""`ports.Quotas` on PostgreSQL: one row an account, seen by every process that uses the same state.

Slots are leased in lots, one statement each; pauses and new rates are told to everybody by NOTIFY, and read again every
few seconds in case that got lost. While the server can't be reached, each process goes on with an equal part of what
was known last.
"""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import orjson

from syncer.model.events import Emit
from syncer.ports import Account, Partner, Quota
from syncer.state.postgres import quota_rows
from syncer.state.postgres.line import Line
from syncer.state.postgres.quota import PostgresQuota
from syncer.state.postgres.quota_rows import Member
from syncer.state.postgres.target import Target
from syncer.state.postgres.transaction import Connection

T = TypeVar("T")


class PostgresQuotas:
    """The accounts that one process shares with others, over one connection."""

    def __init__(self, target: Target, emit: Emit) -> None:
        """Begin to connect."""
        self._loop = asyncio.get_running_loop()
        self._emit = emit
        self._id = uuid.uuid4()
        self._channel = f"syncer_{hashlib.sha256(target.schema.encode()).hexdigest()[:16]}"
        self._quotas: dict[PostgresQuota, asyncio.Task[None]] = {}
        self._line = Line(target, self._channel, self._told, self._connected)

    def join(self, account: Account, partner: Partner) -> Quota:
        """See the door."""
        quota = PostgresQuota(account, partner, self._ask, self._member, self._emit)
        # No task group: a server that is away, or a bug here, never ends a run.
        task = asyncio.create_task(quota.keep())
        self._quotas[quota] = task
        task.add_done_callback(lambda _: self._quotas.pop(quota, None))
        return quota

    async def close(self) -> None:
        """Leave all accounts, and give the connection back."""
        tasks = list(self._quotas.values())
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*tasks, return_exceptions=True)
            self._line.ask(partial(quota_rows.leave_all, member=self._member(0)))
            await anyio.to_thread.run_sync(self._line.close)

    def _ask(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        return asyncio.wrap_future(self._line.ask(work), loop=self._loop)

    def _member(self, quota: int) -> Member:
        return Member(quota, self._id, self._channel)

    def _told(self, payload: str) -> None:
        """Pass on what the thread heard."""
        message = orjson.loads(payload)
        if message["from"] != str(self._id):
            self._loop.call_soon_threadsafe(self._hear, message)

    def _connected(self) -> None:
        self._loop.call_soon_threadsafe(self._hear, {})

    def _hear(self, message: dict[str, Any]) -> None:
        for quota in self._quotas:
            if message.get("quota") in {None, quota.number}:
                quota.hear(message)


@asynccontextmanager
async def open_quotas(target: Target, emit: Emit) -> AsyncIterator[PostgresQuotas]:
    """Share limits with all that use the same state; everything is given back when the block ends."""
    quotas = PostgresQuotas(target, emit)
    try:
        yield quotas
    finally:
        await quotas.close()
