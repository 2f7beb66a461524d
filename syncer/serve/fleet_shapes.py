"""What the API answers of a fleet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from syncer.ports import FleetAccount, FleetQueue, FleetRun, FleetRunState, FleetView, FleetWorker, WorkerState
from syncer.serve.shapes import Shape


class Worker(Shape):
    """A process that works for the fleet."""

    name: str
    host: str
    version: str
    state: Annotated[WorkerState, Meta(description="silent: taken for dead, its units are taken over.")]
    queues: Annotated[Sequence[str], Meta(description="What it takes work from; empty: all.")]
    concurrency: int
    running: int
    started: datetime
    heard_seconds: Annotated[float, Meta(description="Since it was heard of last.")]

    @classmethod
    def of(cls, worker: FleetWorker) -> "Worker":
        """Show a worker."""
        return cls(
            name=worker.name, host=worker.host, version=worker.version, state=worker.state, queues=worker.queues,
            concurrency=worker.concurrency, running=worker.running, started=worker.started,
            heard_seconds=worker.heard,
        )  # fmt: skip


class Queue(Shape):
    """Units of all runs under way of one queue."""

    name: str
    waiting: Annotated[int, Meta(description="The figure to scale by.")]
    running: int
    stalled: Annotated[int, Meta(description="Those at work whose worker fell silent.")]

    @classmethod
    def of(cls, queue: FleetQueue) -> "Queue":
        """Show a queue."""
        return cls(name=queue.name, waiting=queue.waiting, running=queue.running, stalled=queue.stalled)


class UnitedRun(Shape):
    """A run that workers do together."""

    job: str
    run: str
    state: FleetRunState
    queue: str
    paused: bool
    created: datetime
    ended: datetime | None
    exit_code: int | None
    units: int
    waiting: int
    running: int
    done: int
    stalled: int
    listed: int
    stored: int
    owed: int

    @classmethod
    def of(cls, run: FleetRun) -> "UnitedRun":
        """Show a run."""
        return cls(
            job=run.job, run=run.run, state=run.state, queue=run.queue, paused=run.paused, created=run.created,
            ended=run.ended, exit_code=run.code, units=run.units, waiting=run.waiting, running=run.running,
            done=run.done, stalled=run.stalled, listed=run.listed, stored=run.stored, owed=run.owed,
        )  # fmt: skip


class Account(Shape):
    """A platform account whose limits are shared."""

    name: str
    origin: str
    requests_per_second: Annotated[float | None, Meta(description="Of all together; null: not limited at present.")]
    concurrency: int
    pause_seconds: Annotated[float, Meta(description="For so long nobody starts a request.")]
    members: int

    @classmethod
    def of(cls, account: FleetAccount) -> "Account":
        """Show an account."""
        return cls(
            name=account.name, origin=account.origin, requests_per_second=account.rate,
            concurrency=account.concurrency, pause_seconds=account.pause, members=account.members,
        )  # fmt: skip


class Crew(Shape):
    """Workers, and what they do."""

    workers: Sequence[Worker]
    queues: Sequence[Queue]
    runs: Annotated[Sequence[UnitedRun], Meta(description="Those under way, then the last that ended.")]
    accounts: Sequence[Account]

    @classmethod
    def of(cls, view: FleetView) -> "Crew":
        """Show a fleet."""
        return cls(
            workers=list(map(Worker.of, view.workers)), queues=list(map(Queue.of, view.queues)),
            runs=list(map(UnitedRun.of, view.runs)), accounts=list(map(Account.of, view.accounts)),
        )  # fmt: skip


class Fleet(Shape):
    """The fleet that works on the state of the daemon."""

    fleet: Annotated[Crew | None, Meta(description="null: the state is one that no fleet can share.")]
