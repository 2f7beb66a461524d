"""The daemon's desk: `ports.Overview` and `ports.Control` over scheduler, state and running figures."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

import anyio
import msgspec

from syncer.app.library import Syncer
from syncer.flow.fresh import fresh_until
from syncer.model.checkpoint import OwedItem
from syncer.model.errors import UnknownName
from syncer.model.events import Event
from syncer.model.refs import ItemKey
from syncer.observe.accounts import Accounts
from syncer.ports import CircuitState, FleetView, Health, JobState, JobView, PlatformView, RunRow
from syncer.schedule.due import words
from syncer.schedule.plan import Plan
from syncer.schedule.scheduler import Scheduler
from syncer.settings import Job
from syncer.settings.problems import suggestion

#: Seconds between two words of a change.
CALM = 1.0

#: Runs among which the last one is looked for that came to its own end.
_RECENT = 50


class Desk(msgspec.Struct):
    """What visitors of the daemon see and may ask for."""

    version: str
    started: datetime
    syncer: Syncer
    scheduler: Scheduler
    accounts: Accounts
    #: How late the event loop is now, and was at worst in the last minute; what does not move. Measured elsewhere.
    lag: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)
    stalled: Callable[[], str | None] = lambda: None
    draining: bool = False
    _changed: anyio.Event = msgspec.field(default_factory=anyio.Event)
    _rung: int = 0

    def __call__(self, _event: Event) -> None:
        """Hear that something happened."""
        self.ring()

    def ring(self) -> None:
        """Say that a snapshot would differ."""
        self._rung += 1
        if not self._changed.is_set():
            self._changed.set()

    async def changes(self) -> AsyncIterator[None]:
        """Yield whenever a snapshot would differ, at most once a second."""
        seen = self._rung
        while True:
            # What rang while a visitor was busy, or calm, is not waited for: it was not seen yet.
            if seen == self._rung:
                if self._changed.is_set():
                    self._changed = anyio.Event()
                await self._changed.wait()
            seen = self._rung
            yield
            await self.syncer.clock.sleep(CALM)

    async def jobs(self) -> Sequence[JobView]:
        """Return all jobs, in the order of the configuration."""
        return [await self._job(job) for job in self.syncer.settings.jobs.values()]

    async def platforms(self) -> Sequence[PlatformView]:
        """Return the platforms of the configuration."""
        return [self._platform(name, each.type) for name, each in self.syncer.settings.platforms.items()]

    async def runs(self, job: str | None, limit: int) -> Sequence[RunRow]:
        """Return the newest runs first."""
        return await self.syncer.store.runs(job, limit)

    async def owed(self, job: str, limit: int) -> Sequence[OwedItem]:
        """Return owed items of a job, the oldest first."""
        self._plan(job)
        owed = await self.syncer.store.all_owed(job)
        return sorted(owed, key=lambda each: (each.first or self.started, each.key.canonical()))[:limit]

    async def fleet(self) -> FleetView | None:
        """Return the fleet that works on the same state; None: no fleet can."""
        return await self.syncer.store.fleet()

    async def health(self) -> Health:
        """Return how the process itself is."""
        lag, worst = self.lag()
        stalled = self.stalled()
        reasons = [f"{stalled} does not move"] if stalled is not None else []
        reasons += ["it is being stopped"] if self.draining else []
        idle = self.syncer.underway.longest_idle()
        return Health(lag, worst, idle, stalled, not self.draining, tuple(reasons))

    async def trigger(self, job: str, why: str) -> bool:
        """Run a job as soon as it may; return False if it runs or waits already, or is paused."""
        self._plan(job)
        asked = self.scheduler.trigger(job, why)
        self.ring()
        return asked

    async def pause(self, job: str) -> None:
        """Begin no further runs of a job until it is resumed."""
        self._plan(job)
        await self.scheduler.pause(job, paused=True)
        self.ring()

    async def resume(self, job: str) -> None:
        """Take a job back into the schedule."""
        self._plan(job)
        await self.scheduler.pause(job, paused=False)
        self.ring()

    async def retry(self, job: str, keys: Sequence[ItemKey] | None = None) -> int:
        """Make owed items due now (None: all of the job), trigger the job, and return how many there were."""
        self._plan(job)
        wanted = keys if keys is not None else [each.key for each in await self.syncer.store.all_owed(job)]
        count = await self.syncer.store.postpone(job, wanted, None)
        if count:
            self.scheduler.hint(job, "retry")
        self.ring()
        return count

    async def hint(self, platform: str, project: str | None) -> Sequence[str]:
        """Poll jobs that a platform's word may concern now; return their names."""
        concerned = [
            job.name
            for job in self.syncer.settings.jobs.values()
            if job.platform.name == platform and _may_hold(job, project)
        ]
        asked = [name for name in concerned if self.scheduler.hint(name, "hint")]
        self.ring()
        return asked

    def _plan(self, job: str) -> Plan:
        found = self.scheduler.plans.get(job)
        if found is None:
            known = suggestion(job, self.scheduler.plans, nothing="the configuration has no jobs")
            raise UnknownName(f"no job {job!r}; {known}", names=(job,))
        return found

    async def _job(self, job: Job) -> JobView:
        store, plan = self.syncer.store, self._plan(job.name)
        counted = await store.status(job.name)
        rows = await store.runs(job.name, _RECENT)
        return JobView(
            name=job.name,
            platform=job.platform.name,
            sinks={leg.name: self.syncer.assembly.place(leg) for leg in job.legs},
            schedule=words(plan.schedule),
            state=self._state(plan),
            paused=plan.paused,
            next_run=None if plan.paused else plan.next,
            last=next((row for row in rows if row.ended is not None and not row.skipped), None),
            fresh_until=fresh_until(rows),
            items=max(counted.items.values(), default=0),
            owed=max(counted.owed.values(), default=0),
            live=self.syncer.underway.live(job.name),
        )

    def _state(self, plan: Plan) -> JobState:
        if plan.running:
            return "draining" if self.draining else "running"
        if plan.paused:
            return "paused"
        if plan.waiting is not None:
            return "waiting"
        return "never" if plan.schedule is None else "idle"

    def _platform(self, name: str, kind: str) -> PlatformView:
        circuit = self.scheduler.circuits.get(name)
        state: CircuitState = "closed"
        retry_at = None
        if circuit is not None and circuit.open:
            state = "half-open" if circuit.probing else "open"
            retry_at = self.scheduler.probe_time(name)
        account = self.accounts.of(name)
        return PlatformView(
            name, kind, state, retry_at, dict(account.limits), dict(account.rates),
            account.requests, account.retries, account.throttled,
        )  # fmt: skip


def _may_hold(job: Job, project: str | None) -> bool:
    """Tell whether a job may concern a project, known by id: titles and patterns may mean any."""
    wanted = job.options.select.projects
    ids = {each for each in wanted if each.isdecimal()}
    return project is None or not wanted or project in ids or len(ids) < len(wanted)
