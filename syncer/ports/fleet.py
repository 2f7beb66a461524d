"""A fleet of workers as its visitors see it. Values only; every answer is a snapshot, ages are in seconds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

#: What a worker does: "working" beats in time, "draining" takes nothing more, "silent" has stopped beating.
WorkerState = Literal["working", "draining", "silent"]

#: Where a run of the fleet stands.
FleetRunState = Literal["planning", "running", "finalising", "ended"]


class FleetWorker(msgspec.Struct, frozen=True):
    """A process that works for the fleet."""

    #: No two workers share it.
    name: str
    host: str
    pid: int
    version: str
    #: Queues that it takes work from; empty: all.
    queues: tuple[str, ...]
    #: Units that it works on at once, at most, and now.
    concurrency: int
    running: int
    started: datetime
    #: Seconds since it was heard of last.
    heard: float
    state: WorkerState


class FleetRun(msgspec.Struct, frozen=True):
    """A run that workers do together."""

    job: str
    run: str
    state: FleetRunState
    #: Why it was begun: "schedule", "command", …
    why: str
    queue: str
    created: datetime
    ended: datetime | None
    #: Its units: all of them, and those waiting for a worker, being worked on, and done.
    units: int
    waiting: int
    running: int
    done: int
    #: Units whose worker fell silent; others take them over.
    stalled: int
    #: Items so far.
    listed: int
    stored: int
    unchanged: int
    owed: int
    bytes: int
    paused: bool = False
    #: Why no more work is taken in, once somebody said so.
    stop: str | None = None
    #: Exit code of the report, once there is one.
    code: int | None = None


class FleetQueue(msgspec.Struct, frozen=True):
    """Units of all active runs of one queue."""

    name: str
    #: Units without a worker: the figure to scale by.
    waiting: int
    running: int
    stalled: int


class FleetAccount(msgspec.Struct, frozen=True):
    """A platform account whose limits processes share now."""

    name: str
    origin: str
    #: Requests a second of all together; None: not limited at present.
    rate: float | None
    #: Most requests in flight, of all together.
    concurrency: int
    #: Seconds for which nobody starts a request.
    pause: float
    #: Processes that share it.
    members: int


class FleetView(msgspec.Struct, frozen=True):
    """The whole fleet at one moment."""

    workers: Sequence[FleetWorker]
    #: Active runs, then the newest ones that ended.
    runs: Sequence[FleetRun]
    queues: Sequence[FleetQueue]
    #: What HEADs of manifests were not told yet.
    untold: int = 0
    #: Accounts that somebody uses, or that are paused.
    accounts: Sequence[FleetAccount] = ()

    @property
    def alive(self) -> int:
        """Workers that were heard of in time."""
        return sum(worker.state != "silent" for worker in self.workers)

    @property
    def stalled(self) -> int:
        """Units whose worker fell silent."""
        return sum(queue.stalled for queue in self.queues)
