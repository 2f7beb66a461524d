"""Schedules without a daemon: whichever worker looks first takes a turn, and the run comes in the same transaction."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from syncer.app.cadence import Cadence
from syncer.app.timetable import schedule_of
from syncer.app.world import World
from syncer.fleet import orders
from syncer.fleet.crew import Crew
from syncer.fleet.orders import Order
from syncer.flow.job import RunOptions
from syncer.flow.run import run_id
from syncer.model.errors import Exit
from syncer.model.report import Report
from syncer.schedule import adaptive, memory
from syncer.schedule.due import After, Due, Every, Past, Schedule, Single, due, first_past
from syncer.schedule.memory import Memory
from syncer.settings import Job
from syncer.settings.differences import digest
from syncer.state.tables import notes
from syncer.state.tables.transaction import Transaction

_WELL = frozenset({Exit.DONE, Exit.OWING})

#: Attempts to change what is remembered of a job that others change, too.
_TRIES = 20


async def tick(crew: Crew) -> None:
    """Begin the runs that are due."""
    for job in crew.syncer.settings.jobs.values():
        schedule = schedule_of(job)
        if schedule is not None:
            await _look(crew, job, schedule)


async def after(crew: Crew, order: Order, report: Report) -> None:
    """Let the end of a run count: for jobs that follow it, for its own pace, and for when its archives come next."""
    now, jobs = crew.syncer.clock.now(), crew.syncer.settings.jobs
    wanted = jobs.get(order.job)
    if wanted is None:
        return
    if report.exit_code() in _WELL and report.stopped is None:
        for job in jobs.values():
            if (schedule := schedule_of(job)) is not None and schedule.kind == After(order.job):
                await _change(crew, job.name, lambda past: replace(past or Past(now), asked=now))
    schedule = schedule_of(wanted)
    if order.why == "schedule" and schedule is not None and isinstance(schedule.kind, Every):
        kind = schedule.kind
        await _change(
            crew,
            order.job,
            lambda past: None if past is None else replace(past, pace=adaptive.next_pace(kind, past.pace, report)),
        )
    if order.options.patient:
        await Cadence(crew.store, crew.syncer.clock).ended(wanted, order.options.hold, report)


async def _look(crew: Crew, job: Job, schedule: Schedule) -> None:
    now = crew.syncer.clock.now()
    text = (await crew.store.recall(job.name)).get(memory.NAME)
    known = memory.load(text)
    past = known.past or first_past(schedule, now)
    found = due(schedule, now, past, job.name)
    if known.past is None and schedule.kind == Single(None):
        # "At the start": of the fleet, when it sees the job for the first time.
        found = Due(turn=now)
    publish = await Cadence(crew.store, crew.syncer.clock).next(job)
    if known.paused:
        found, publish = replace(found, turn=None), None
    if found.turn is None and publish is not None and publish <= now:
        await _begin(crew, job, "publish", lambda _: True)
    elif found.turn is None:
        moved = replace(past, last=found.passed) if found.passed is not None else past
        if Memory(moved, known.paused).dump() != text:
            after_it = Memory(moved, known.paused).dump()
            if await crew.database.write(lambda c: swap(c, job.name, text, after_it)) and found.missed and found.passed:
                await _skipped(crew, job.name, "missed", found.missed, found.passed)
    else:
        taken = Memory(replace(past, last=found.turn), known.paused).dump()
        begun = await _begin(crew, job, "schedule", lambda c: swap(c, job.name, text, taken))
        # A calendar's turn that comes while the run before it is under way is passed over.
        over = begun is False and found.passed is not None
        if over and await crew.database.write(lambda c: swap(c, job.name, text, taken)):
            await _skipped(crew, job.name, "overlap", 1, found.turn)


async def _begin(crew: Crew, job: Job, why: str, take: Callable[[Transaction], bool]) -> bool | None:
    """Ask for a run if the turn is still there to take; False: the job runs already, None: somebody else took it."""
    clock = crew.syncer.clock
    cadence = Cadence(crew.store, clock)
    await cadence.begin(job)
    options = RunOptions(patient=True, hold=await cadence.hold(job))
    run, config = run_id(clock.now()), digest(job)

    def begin(transaction: Transaction) -> bool | None:
        if orders.active(transaction, job.name) is not None:
            return False
        if not take(transaction):
            return None
        return orders.submit(
            transaction, job.name, run, config=config, options=options, why=why, queue=job.options.queue,
            priority=job.options.priority,
        )  # fmt: skip

    return await crew.database.write(begin)


def swap(transaction: Transaction, job: str, before: str | None, after_it: str) -> bool:
    """Change what is remembered of a job's schedule, unless somebody else did meanwhile."""
    if before is None:
        transaction.serialize()
        if memory.NAME in notes.recall(transaction, job):
            return False
        notes.remember(transaction, job, memory.NAME, after_it)
        return True
    row = transaction.execute(
        "UPDATE memories SET value = ?3 WHERE job = (SELECT id FROM jobs WHERE name = ?1) AND name = 'schedule'"
        " AND value = ?2 RETURNING value",
        (job, before, after_it),
    ).fetchone()
    return row is not None


async def _change(crew: Crew, job: str, change: Callable[[Past | None], Past | None]) -> None:
    for _ in range(_TRIES):
        text = (await crew.store.recall(job)).get(memory.NAME)
        known = memory.load(text)
        past = change(known.past)
        changed = Memory(past, known.paused).dump()
        if past is None or changed == text or await crew.database.write(lambda c: swap(c, job, text, changed)):  # noqa: B023  # run at once
            return


async def _skipped(crew: Crew, job: str, reason: str, times: int, last: datetime) -> None:
    await World(crew.syncer).skipped(job, reason, times, last)
