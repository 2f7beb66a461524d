"""The API: what each route does, and the table that routes, checks and document are made from."""

from http import HTTPStatus

from syncer.model.errors import UnknownName
from syncer.ports import Control, JobView, Overview
from syncer.serve import fleet_shapes, shapes
from syncer.serve.routes import Call, Route


class Api:
    """Handlers of `/api/v1/…`. They return values; `routes` turns these into answers."""

    def __init__(self, overview: Overview, control: Control) -> None:
        """Take what is shown and what may be asked."""
        self._overview = overview
        self._control = control

    def routes(self) -> tuple[Route, ...]:
        """Return the table."""
        return (
            Route("GET", "/process", "process", "How the daemon itself is", self.process, shapes.Process),
            Route("GET", "/jobs", "jobs", "All jobs", self.jobs, shapes.Jobs),
            Route("GET", "/jobs/{job}", "job", "One job", self.job, shapes.Job),
            Route("GET", "/jobs/{job}/runs", "runs_of_job", "Runs of a job, the newest first", self.runs, shapes.Runs,
                  query=shapes.Slice),
            Route("GET", "/jobs/{job}/owed", "owed", "Owed items of a job, the oldest first", self.owed,
                  shapes.OwedItems, query=shapes.Slice),
            Route("GET", "/runs", "runs", "Runs of all jobs, the newest first", self.runs, shapes.Runs,
                  query=shapes.Slice),
            Route("GET", "/platforms", "platforms", "Platforms: limits, throttles, circuits", self.platforms,
                  shapes.Platforms),
            Route("GET", "/fleet", "fleet", "Workers on the same state, and what they do", self.fleet,
                  fleet_shapes.Fleet),
            Route("POST", "/jobs/{job}/trigger", "trigger", "Run a job as soon as it may", self.trigger,
                  shapes.Triggered, status=HTTPStatus.ACCEPTED),
            Route("POST", "/jobs/{job}/pause", "pause", "Begin no further runs of a job; one under way goes on",
                  self.pause, shapes.Job),
            Route("POST", "/jobs/{job}/resume", "resume", "Take a job back into the schedule", self.resume, shapes.Job),
            Route("POST", "/jobs/{job}/retry", "retry", "Make owed items due now, and run the job", self.retry,
                  shapes.Retried, status=HTTPStatus.ACCEPTED, body=shapes.Retry),
        )  # fmt: skip

    async def process(self, _call: Call) -> shapes.Process:
        """Return how the process is."""
        return shapes.Process.of(await self._overview.health(), self._overview.version, self._overview.started)

    async def jobs(self, _call: Call) -> shapes.Jobs:
        """Return all jobs."""
        return shapes.Jobs(jobs=[shapes.Job.of(view) for view in await self._overview.jobs()])

    async def job(self, call: Call) -> shapes.Job:
        """Return one job."""
        return shapes.Job.of(await self._view(call.job))

    async def runs(self, call: Call) -> shapes.Runs:
        """Return runs of one job, or of all."""
        part = call.asked(shapes.Slice)
        job = None if call.name is None else (await self._view(call.name)).name
        found = await self._overview.runs(job, part.offset + part.limit + 1)
        rows, following = _cut(len(found), part)
        return shapes.Runs(runs=[shapes.Run.of(row) for row in found[rows]], next=following)

    async def owed(self, call: Call) -> shapes.OwedItems:
        """Return owed items of a job."""
        part = call.asked(shapes.Slice)
        view = await self._view(call.job)
        found = await self._overview.owed(view.name, part.offset + part.limit + 1)
        rows, following = _cut(len(found), part)
        return shapes.OwedItems(items=[shapes.Owed.of(item) for item in found[rows]], next=following)

    async def platforms(self, _call: Call) -> shapes.Platforms:
        """Return all platforms."""
        return shapes.Platforms(platforms=[shapes.Platform.of(each) for each in await self._overview.platforms()])

    async def fleet(self, _call: Call) -> fleet_shapes.Fleet:
        """Return the fleet."""
        view = await self._overview.fleet()
        return fleet_shapes.Fleet(fleet=None if view is None else fleet_shapes.Crew.of(view))

    async def trigger(self, call: Call) -> shapes.Triggered:
        """Run a job."""
        return shapes.Triggered(started=await self._control.trigger(call.job, "api"))

    async def pause(self, call: Call) -> shapes.Job:
        """Pause a job."""
        await self._control.pause(call.job)
        return await self.job(call)

    async def resume(self, call: Call) -> shapes.Job:
        """Resume a job."""
        await self._control.resume(call.job)
        return await self.job(call)

    async def retry(self, call: Call) -> shapes.Retried:
        """Retry owed items."""
        return shapes.Retried(retried=await self._control.retry(call.job, call.sent(shapes.Retry).keys))

    async def _view(self, name: str) -> JobView:
        for view in await self._overview.jobs():
            if view.name == name:
                return view
        message = f"no job {name!r}"
        raise UnknownName(message, names=(name,))


def _cut(count: int, part: shapes.Slice) -> tuple[slice, int | None]:
    """Return which of the found entries make the page, and where the next begins; one more was asked for."""
    end = part.offset + part.limit
    return slice(part.offset, end), end if count > end else None
