"""From the schedules of a configuration to those of the scheduler."""

from datetime import datetime

from syncer.app.library import Syncer
from syncer.schedule import memory
from syncer.schedule.due import After, Cron, Every, Kind, Schedule, Single, due
from syncer.schedule.scheduler import Entry
from syncer.settings import Job, Settings
from syncer.settings.cron import plain_cron, zone
from syncer.settings.schema import AdaptiveOptions, ScheduleOptions


def entries(settings: Settings) -> list[Entry]:
    """Return all jobs with their schedules, in the order of the file."""
    return [Entry(job.name, job.platform.name, _schedule(job.options.schedule)) for job in settings.jobs.values()]


async def outlook(syncer: Syncer, job: str) -> tuple[datetime | None, bool]:
    """Return when a daemon runs a job next, as far as the clock alone decides, and whether somebody paused it."""
    known = memory.load((await syncer.store.recall(job)).get(memory.NAME))
    found = syncer.settings.jobs.get(job)
    schedule = None if found is None else _schedule(found.options.schedule)
    if schedule is None or known.past is None or known.paused:
        return None, known.paused
    now = syncer.clock.now()
    answer = due(schedule, now, known.past, job)
    return (now if answer.turn is not None else answer.next), False


def schedule_of(job: Job) -> Schedule | None:
    """Return when a job runs; None: by hand."""
    return _schedule(job.options.schedule)


def _schedule(options: ScheduleOptions | None) -> Schedule | None:
    if options is None:
        return None
    return Schedule(_kind(options), options.jitter, options.catch_up, options.misfire)


def _kind(options: ScheduleOptions) -> Kind:
    if options.cron is not None:
        return Cron(plain_cron(options.cron), zone(options.timezone))
    if isinstance(options.every, AdaptiveOptions):
        return Every(options.every.min, options.every.max)
    if options.every is not None:
        return Every(options.every, options.every)
    if options.after is not None:
        return After(options.after)
    return Single(None if options.once is True else options.once)
