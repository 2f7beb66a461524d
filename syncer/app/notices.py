"""Tells those whom the configuration names that a run has ended: beside the runs, never in their way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from uuid import uuid4

import anyio
import orjson

from syncer.flow.finish import status
from syncer.model.errors import Exit, SyncerError
from syncer.model.events import OF_ITEMS, Emit, Event, RunEnded, Warned
from syncer.model.report import Report
from syncer.net.notice import Notice, Recipient, open_recipient
from syncer.observe.hub import Hub
from syncer.ports import Clock, Spool
from syncer.settings.daemon import NotifyOptions

#: Notices that wait for one recipient; beyond that the oldest are dropped, and it is said.
WAITING = 100
#: Seconds after which a notice that could not be delivered is tried again, each time with a new signature.
AGAIN = (300.0, 1800.0, 7200.0)
#: Seconds that notices get at the end of the process.
FAREWELL = 15.0

#: Ends that are as they should be: done, or stopped because somebody asked for it.
_FINE = frozenset({Exit.DONE, Exit.STOPPED})


@asynccontextmanager
async def notifying(options: Sequence[NotifyOptions], clock: Clock, hub: Hub, spool: Spool) -> AsyncIterator[None]:
    """Tell of the runs that end inside the block; leaving it waits a little for what is still to be told."""
    posts = [_Post(each, clock, hub.emit, spool) for each in options]

    def hear(event: Event) -> None:
        if isinstance(event, RunEnded):
            for post in posts:
                post.take(event.report)

    hub.add(hear, without=OF_ITEMS)
    # No task group: a recipient that is away, or a bug here, never ends a run.
    tasks = [asyncio.create_task(post.work()) for post in posts]
    for task in tasks:
        task.add_done_callback(partial(_ended, hub.emit))
    try:
        yield
    finally:
        hub.remove(hear)
        with anyio.CancelScope(shield=True):
            if tasks:
                waiting = [asyncio.ensure_future(post.told()) for post in posts]
                await asyncio.wait([*waiting], timeout=FAREWELL)
                for each in (*waiting, *tasks):
                    each.cancel()
                await asyncio.wait([*waiting, *tasks])
        for post in posts:
            post.close()


class _Post:
    """The notices for one recipient, told one after the other."""

    def __init__(self, options: NotifyOptions, clock: Clock, emit: Emit, spool: Spool) -> None:
        self._options = options
        self._clock = clock
        self._emit = emit
        self._spool = spool
        self._waiting: list[Notice] = []
        self._came = asyncio.Event()
        #: Nothing is being tried: all is told, or rests until it is tried again.
        self._calm = asyncio.Event()
        self._calm.set()
        #: Where notices go, for messages: the origin alone. Known once it was read.
        self._where = options.url.source

    def take(self, report: Report) -> None:
        """Keep a notice of a run, if its recipient wants to hear of such."""
        if not concerns(self._options.on, report):
            return
        if len(self._waiting) >= WAITING:
            del self._waiting[0]
            self._emit(Warned(f"notify: {self._where} can't be reached; a notice was dropped"))
        self._waiting.append(notice_of(report))
        self._calm.clear()
        self._came.set()

    async def told(self) -> None:
        """Return when nothing is being tried."""
        await self._calm.wait()

    def close(self) -> None:
        """Say what was not told."""
        if self._waiting:
            count = len(self._waiting)
            self._emit(Warned(f"notify: {self._where} was not told of {count} run{'s' if count > 1 else ''}"))

    async def work(self) -> None:
        """Tell what comes, until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            try:
                async with open_recipient(
                    self._options.url, self._options.secret, self._clock, self._spool,
                    allow_http=self._options.allow_http,
                ) as recipient:  # fmt: skip
                    self._where = recipient.origin
                    while self._waiting:
                        await self._deliver(recipient, self._waiting[0])
            except SyncerError as error:
                self._emit(Warned(f"notify: {self._where}: {error}"))
                self._waiting.clear()
            self._calm.set()

    async def _deliver(self, recipient: Recipient, notice: Notice) -> None:
        for wait in (*AGAIN, None):
            try:
                await recipient.send(notice)
                break
            except SyncerError as error:
                if error.exit_code is not Exit.NOT_NOW or wait is None:
                    self._emit(Warned(f"notify: {recipient.origin} was not told: {error}"))
                    break
                self._emit(Warned(f"notify: {recipient.origin} is told again in {wait / 60:.0f} min: {error}"))
            self._calm.set()
            await self._clock.sleep(wait)
            self._calm.clear()
        if notice in self._waiting:
            self._waiting.remove(notice)


def concerns(on: str, report: Report) -> bool:
    """Tell whether a run is one of those that somebody wants to hear of."""
    counts = report.counts
    match on:
        case "always":
            return True
        case "change":
            return bool(counts.stored or counts.deleted or counts.withdrawn or counts.replayed)
        case _:
            signalled = report.stopped is not None and report.stopped.startswith("SIG")
            return report.exit_code() not in _FINE and not (signalled and not report.problems)


def notice_of(report: Report) -> Notice:
    """Return what is told of a run: its report, as `syncer sync -o json` shows it."""
    data = {**status(report), "generations": dict(report.generations), "exit_code": int(report.exit_code())}
    body = orjson.dumps({"type": "run.ended", "timestamp": report.ended.isoformat(), "data": data})
    return Notice(f"run_{report.job}_{report.run}" if report.run else f"run_{uuid4().hex}", body)


def _ended(emit: Emit, task: "asyncio.Task[None]") -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        emit(Warned(f"notify: nobody is told any more: {type(error).__name__}: {error}"))
