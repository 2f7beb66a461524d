"""From the schedules of a configuration to those of the scheduler."""

from syncer.schedule.due import After, Cron, Every, Kind, Schedule, Single
from syncer.schedule.scheduler import Entry
from syncer.settings import Settings
from syncer.settings.cron import plain_cron, zone
from syncer.settings.schema import AdaptiveOptions, ScheduleOptions


def entries(settings: Settings) -> list[Entry]:
    """Return all jobs with their schedules, in the order of the file."""
    return [Entry(job.name, job.platform.name, _schedule(job.options.schedule)) for job in settings.jobs.values()]


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
