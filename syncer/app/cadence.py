"""How often archives are rewritten while a daemon runs: what is stored in between waits, durably, beside them.

A sink's `publish_every` is the shortest time between two publications: the first change after a quiet time is published
at once. Its `publish` names times instead: only the first run after each of them publishes.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from syncer.model.entries import Leg
from syncer.model.report import Report
from syncer.ports import Clock, StateStore
from syncer.schedule.due import Cron, after
from syncer.settings import Configured, Job
from syncer.settings.cron import zone
from syncer.sinks.options import SinkOptions

#: Seconds between two publications, where nothing is said: rewriting in a bucket sends everything again.
LOCAL, BUCKET = 600.0, 3600.0

#: Name of the note with the time of each leg's last publication.
_NOTE = "published"


class Cadence(msgspec.Struct, frozen=True):
    """When the legs of jobs may be published."""

    store: StateStore
    clock: Clock

    async def hold(self, job: Job) -> frozenset[Leg]:
        """Return the legs whose archives the next run leaves as they are."""
        now, last = self.clock.now(), await self._last(job)
        return frozenset(leg.name for leg in job.legs if (at := _due(job, leg, last)) is not None and at > now)

    async def ended(self, job: Job, hold: frozenset[Leg], report: Report) -> None:
        """Note what a run published."""
        failed = {problem.leg for problem in report.problems}
        published = {
            leg.name
            for leg in job.legs
            if leg.name not in hold and leg.name not in failed and (_times(leg) or leg.name in report.generations)
        }
        # An immediate sink needs no time: it never waits.
        published -= {leg.name for leg in job.legs if leg.type == "prefix"}
        if published and report.run:
            last = {**await self._last(job), **dict.fromkeys(published, report.ended)}
            await self._note(job, last)

    async def next(self, job: Job) -> datetime | None:
        """Return when a run is needed because something waits to be published; None if nothing does."""
        pending = (await self.store.status(job.name)).pending
        last = await self._last(job)
        moments = [_due(job, leg, last) or self.clock.now() for leg in job.legs if pending.get(leg.name)]
        return min(moments, default=None)

    async def begin(self, job: Job) -> None:
        """Let times that a sink names count from now on, where nothing else is known."""
        last = dict(await self._last(job))
        new = {leg.name for leg in job.legs if _times(leg)} - last.keys()
        if new:
            await self._note(job, {**last, **dict.fromkeys(new, self.clock.now())})

    async def _last(self, job: Job) -> Mapping[Leg, datetime]:
        text = (await self.store.recall(job.name)).get(_NOTE)
        return {} if text is None else {leg: datetime.fromisoformat(at) for leg, at in json.loads(text).items()}

    async def _note(self, job: Job, last: Mapping[Leg, datetime]) -> None:
        text = json.dumps({leg: at.astimezone(UTC).isoformat() for leg, at in last.items()})
        await self.store.remember(job.name, _NOTE, text)


def _times(leg: Configured) -> str | None:
    """Return the times of day that a sink names."""
    return leg.options.publish if isinstance(leg.options, SinkOptions) else None


def _due(job: Job, leg: Configured, last: Mapping[Leg, datetime]) -> datetime | None:
    """Return the earliest moment of the next publication; None: there was none before."""
    before, options = last.get(leg.name), leg.options
    if before is None or not isinstance(options, SinkOptions):
        return None
    if options.publish is not None:
        name = job.options.schedule.timezone if job.options.schedule is not None else "UTC"
        return after(Cron(options.publish, zone(name)), before)
    distance = options.publish_every
    if distance is None:
        distance = BUCKET if options.in_bucket else LOCAL
    return before + timedelta(seconds=distance)
