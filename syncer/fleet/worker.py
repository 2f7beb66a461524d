"""A worker: takes tasks from the queue until it is told to stop, or loses its database."""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, cast

import anyio
import msgspec
import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.app import WorkerOptions
from procrastinate.exceptions import ProcrastinateException

from syncer import __version__
from syncer.app.daemon import Side
from syncer.app.library import Syncer
from syncer.app.timetable import entries
from syncer.app.world import World
from syncer.fleet import orders
from syncer.fleet.crew import Crew
from syncer.fleet.desk import DEAD, WorkerDesk
from syncer.fleet.engine import Ear, Manager, open_app
from syncer.fleet.heads import tell_all
from syncer.fleet.queue import HOUSE
from syncer.fleet.store import refuse_alone, shared
from syncer.fleet.tasks import enlist
from syncer.model.errors import SyncerError
from syncer.model.events import Warned
from syncer.observe.accounts import Accounts
from syncer.schedule.scheduler import open_scheduler

#: Seconds between two looks at what was stopped.
_LOOK = 1.0

_ENTER = "INSERT INTO fleet_workers (id, host, pid, version, queues, concurrency, silent) VALUES (?, ?, ?, ?, ?, ?, ?)"

_BEAT = (
    "INSERT INTO fleet_workers (id, host, pid, version, queues, concurrency, silent, running, draining)"
    " VALUES (%(id)s, %(host)s, %(pid)s, %(version)s, %(queues)s, %(concurrency)s, %(silent)s, %(running)s,"
    " %(draining)s) ON CONFLICT (id) DO UPDATE SET beat = clock_timestamp(), running = excluded.running,"
    " draining = excluded.draining"
)


class Worker(msgspec.Struct):
    """A member of the fleet."""

    syncer: Syncer
    crew: Crew
    desk: WorkerDesk
    queues: tuple[str, ...]
    concurrency: int
    sides: Sequence[Side] = ()
    #: Why it lost its database, once it did.
    lost: str | None = None
    _asked: bool = False
    _stop: anyio.Event = msgspec.field(default_factory=anyio.Event)
    _manager: Manager | None = None

    async def work(self) -> bool:
        """Work until `drain`; False if it ended because the database was lost."""
        app = open_app(self.crew.store.server.target)
        manager = self._manager = Manager(cast("PsycopgConnector", app.connector), self._beat)
        app.job_manager = manager
        enlist(app, self.crew, manager)
        self.desk.silence = self._silence
        async with AsyncExitStack() as stack:
            for side in self.sides:
                await stack.enter_async_context(side(self.desk, self.desk, self.syncer.hub))
            _quiet(Ear(self._lose))
            try:
                await self._enter()
                await self._serve(app)
            except (ProcrastinateException, psycopg.Error, SyncerError) as error:
                self._lose(str(error))
            finally:
                await self._leave()
        return self.lost is None or self._asked

    def drain(self, _reason: str) -> None:
        """Take nothing more, and leave to others what is under way, after what is in flight was committed."""
        self._asked = True
        self._let_go(_reason)

    def _let_go(self, reason: str) -> None:
        self.crew.leaving = self.desk.draining = True
        self.syncer.drain(reason)
        self._stop.set()
        self.desk.ring()

    def _lose(self, why: str) -> None:
        if self.lost is None and not self._asked:
            self.lost = why
            self._let_go("the database was lost")

    async def _serve(self, app: App) -> None:
        async with app.open_async(), anyio.create_task_group() as group:
            group.start_soon(self._watch)
            group.start_soon(self._tell)
            # Not in the group: the queue ends in order when it is cancelled once, and a scope cancels again and again.
            taking = asyncio.create_task(self._take(app))
            await self._stop.wait()
            taking.cancel()
            await asyncio.wait([taking])
            group.cancel_scope.cancel()

    async def _take(self, app: App) -> None:
        """Take tasks. When this is cancelled, no more are taken, and it ends with those under way."""
        options = self.crew.options
        wanted: WorkerOptions = {
            # One more than units: schedules and rescues find a place, too.
            "concurrency": self.concurrency + 1,
            "install_signal_handlers": False,
            "delete_jobs": "successful",
            "update_heartbeat_interval": options.heartbeat,
            "stalled_worker_timeout": options.silent_after,
            "fetch_job_polling_interval": max(0.2, options.heartbeat / 5),
        }
        if self.queues:
            wanted["queues"] = [*self.queues, HOUSE]
        try:
            await app.run_worker_async(**wanted)
        except Exception as error:  # noqa: BLE001  # whatever ends the queue: the worker ends, and says why
            self._lose(f"{type(error).__name__}: {error}")
            return
        # Nobody asked for this end.
        self._lose("the queue ended")

    async def _watch(self) -> None:
        """Notice runs that were stopped, and a database that does not answer."""
        while True:
            await anyio.sleep(_LOOK)
            if self._silence() > max(DEAD, 3 * self.crew.options.heartbeat):
                self._lose(f"no heartbeat reached it for {self._silence():.0f} s")
            jobs = [job for job, units in self.crew.busy.items() if units]
            if not jobs or self.crew.leaving:
                continue
            try:
                found = await self.crew.database.read(partial(orders.stopped, jobs=jobs))
            except SyncerError as error:
                self.syncer.hub.emit(Warned(f"stops could not be looked for: {error}"))
                continue
            for job, reason in found.items():
                self.syncer.drain(reason, job)

    async def _tell(self) -> None:
        """Tell HEADs what units left for them."""
        while True:
            await anyio.sleep(self.crew.options.manifest_every)
            try:
                await tell_all(self.syncer, self.crew.database)
            except SyncerError as error:
                self.syncer.hub.emit(Warned(f"manifests could not be looked at: {error}"))

    async def _enter(self) -> None:
        values = self._values()
        row = [values[name] for name in ("id", "host", "pid", "version", "queues", "concurrency", "silent")]
        await self.crew.database.write(lambda c: c.execute(_ENTER, row))

    async def _leave(self) -> None:
        try:
            await self.crew.database.write(
                lambda c: c.execute("DELETE FROM fleet_workers WHERE id = ?", (self.crew.name,))
            )
        except SyncerError:
            # A courtesy: others see that it is silent, and forget it later.
            return

    def _beat(self) -> tuple[str, dict[str, Any]]:
        return _BEAT, {**self._values(), "running": self.crew.running, "draining": self.crew.leaving}

    def _values(self) -> dict[str, Any]:
        return {
            "id": self.crew.name, "host": socket.gethostname(), "pid": os.getpid(), "version": __version__,
            "queues": " ".join(self.queues), "concurrency": self.concurrency,
            "silent": self.crew.options.silent_after,
        }  # fmt: skip

    def _silence(self) -> float:
        return 0.0 if self._manager is None else time.monotonic() - self._manager.beaten


@asynccontextmanager
async def open_worker(
    syncer: Syncer, *, queues: Sequence[str] = (), concurrency: int | None = None, sides: Sequence[Side] = ()
) -> AsyncIterator[Worker]:
    """Put a worker together; `work` runs it.

    Raises on entering:
        SettingsError, PermissionRefused: the state, or the queue in it, can't be used by a fleet.
    """
    refuse_alone(syncer.settings)
    store = await shared(syncer.store)
    options = syncer.settings.fleet
    crew = Crew(syncer, store, f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}")
    # Nobody runs it: it knows what the desk shows of jobs.
    world = World(syncer)
    scheduler = await open_scheduler(world, syncer.clock, entries(syncer.settings), world.memory, 1)
    accounts = Accounts()
    desk = WorkerDesk(
        __version__, syncer.clock.now(), syncer, scheduler, accounts, heartbeat=options.heartbeat
    )  # fmt: skip
    observers = (accounts, desk)
    for observer in observers:
        syncer.hub.add(observer)
    try:
        yield Worker(syncer, crew, desk, tuple(queues), concurrency or options.concurrency, sides)
    finally:
        for observer in observers:
            syncer.hub.remove(observer)


def _quiet(ear: Ear) -> None:
    """Let the logs of the queue and of its pool be heard by us alone: what matters in them is said in our words."""
    for name in ("procrastinate", "psycopg"):
        log = logging.getLogger(name)
        log.propagate = False
        log.handlers[:] = [ear]
