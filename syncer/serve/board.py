"""One snapshot for all visitors: however many look, the daemon is asked once, and only while somebody looks."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime

import msgspec

from syncer.model.checkpoint import OwedItem
from syncer.model.errors import SyncerError
from syncer.model.events import Emit, Warned
from syncer.ports import Clock, FleetView, Health, JobView, Overview, PlatformView, RunRow

#: Runs of a job on the page, and owed items of a job.
RUNS, OWED = 30, 25
#: Seconds that a snapshot serves visitors before the daemon is asked again, and that a list of owed items does.
FRESH, FRESH_OWED = 1.0, 10.0
#: The same for a fleet.
FRESH_FLEET = 5.0


class Snapshot(msgspec.Struct, frozen=True):
    """What the page shows of one moment."""

    taken: datetime
    jobs: Sequence[JobView] = ()
    platforms: Sequence[PlatformView] = ()
    #: Newest first, by job.
    runs: Mapping[str, Sequence[RunRow]] = msgspec.field(default_factory=dict)
    #: The first owed items, by job; only of jobs that owe.
    owed: Mapping[str, Sequence[OwedItem]] = msgspec.field(default_factory=dict)
    health: Health | None = None
    #: None: there is none.
    fleet: FleetView | None = None
    #: Why this is not what it should be: the rest is then as it was before.
    trouble: str | None = None


class Board:
    """The present snapshot, and whoever waits for the next."""

    def __init__(self, overview: Overview, clock: Clock, emit: Emit) -> None:
        """Take what is looked at. Nothing is asked before `current` or `follow`."""
        self._overview = overview
        self._clock = clock
        self._emit = emit
        self._snapshot: Snapshot | None = None
        self._asked = float("-inf")
        self._dirty = True
        self._turn = asyncio.Lock()
        self._next: asyncio.Future[None] | None = None
        self._runs: dict[str, tuple[object, Sequence[RunRow]]] = {}
        self._owed: dict[str, tuple[object, float, Sequence[OwedItem]]] = {}
        self._fleet: tuple[float, FleetView | None] = (float("-inf"), None)
        #: Visitors that follow live.
        self.followers = 0
        #: No further snapshots: those who follow end.
        self.closed = False

    async def watch(self) -> None:
        """Take note of changes until cancelled, and pass them on while somebody follows."""
        async for _ in self._overview.changes():
            self._dirty = True
            if self.followers:
                await self.current()

    async def current(self) -> Snapshot:
        """Return a snapshot that is at most a second old. Never raises: what is wrong stands in it."""
        async with self._turn:
            now = self._clock.monotonic()
            snapshot = self._snapshot
            if snapshot is None or self._dirty or now - self._asked > FRESH:
                self._dirty, self._asked = False, now
                snapshot = self._snapshot = await self._take(snapshot)
                self._wake()
        return snapshot

    async def follow(self, patience: float) -> AsyncGenerator[Snapshot | None, None]:
        """Yield the snapshot and every later one; None after `patience` seconds without. Ends with the board."""
        self.followers += 1
        try:
            shown = await self.current()
            yield shown
            while True:
                if self._snapshot is shown and not self.closed:
                    await self._wait(patience)
                if self._snapshot is shown and shown.fleet is not None and not self.closed:
                    # What workers elsewhere do rings no bell here.
                    await self.current()
                if self.closed:
                    return
                fresh = self._snapshot if self._snapshot is not shown else None
                shown = fresh or shown
                yield fresh
        finally:
            self.followers -= 1

    def close(self) -> None:
        """Let go of everybody who follows."""
        self.closed = True
        self._wake()

    async def _wait(self, patience: float) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._next], timeout=patience)

    def _wake(self) -> None:
        waiting, self._next = self._next, None
        if waiting is not None:
            waiting.set_result(None)

    async def _take(self, before: Snapshot | None) -> Snapshot:
        now = self._clock.now()
        old = before or Snapshot(now)
        try:
            jobs = await self._overview.jobs()
            platforms = await self._overview.platforms()
            health = await self._overview.health()
            runs = {view.name: await self._runs_of(view) for view in jobs}
            fleet = await self._fleet_now()
            owed = {view.name: await self._owed_of(view) for view in jobs if view.owed}
        except SyncerError as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001  # a page that can't be drawn never ends a daemon that works
            trouble = f"the page can't be drawn anew: {type(error).__name__}"
            self._emit(Warned(f"{trouble}: {error}"))
        else:
            self._forget(frozenset(view.name for view in jobs))
            return Snapshot(now, jobs, platforms, runs, owed, health, fleet)
        return Snapshot(now, old.jobs, old.platforms, old.runs, old.owed, old.health, old.fleet, trouble)

    async def _runs_of(self, view: JobView) -> Sequence[RunRow]:
        """Return the last runs: asked for once a run."""
        mark = None if view.last is None else (view.last.run, view.last.ended)
        kept = self._runs.get(view.name)
        if kept is None or kept[0] != mark:
            kept = self._runs[view.name] = (mark, await self._overview.runs(view.name, RUNS))
        return kept[1]

    async def _owed_of(self, view: JobView) -> Sequence[OwedItem]:
        """Return the first owed items: asked for when their number changes, and now and then."""
        now = self._clock.monotonic()
        mark = (view.owed, None if view.last is None else view.last.run, view.live and view.live.owed)
        kept = self._owed.get(view.name)
        if kept is None or kept[0] != mark or now - kept[1] > FRESH_OWED:
            kept = self._owed[view.name] = (mark, now, await self._overview.owed(view.name, OWED))
        return kept[2]

    async def _fleet_now(self) -> FleetView | None:
        """Return the fleet, unless nobody works for it: asked for now and then."""
        now = self._clock.monotonic()
        if now - self._fleet[0] > FRESH_FLEET:
            view = await self._overview.fleet()
            self._fleet = now, view if view is not None and (view.workers or view.runs) else None
        return self._fleet[1]

    def _forget(self, names: frozenset[str]) -> None:
        for name in self._runs.keys() - names:
            del self._runs[name]
        for name in self._owed.keys() - names:
            del self._owed[name]
