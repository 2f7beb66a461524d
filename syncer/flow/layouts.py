"""Layouts: a destination keeps the shape that it was begun with, until the user says otherwise."""

from syncer.flow.job import Job, RunOptions
from syncer.model.errors import SettingsError
from syncer.ports import StateStore


async def check_layout(job: Job, store: StateStore, options: RunOptions, *, remember: bool = True) -> None:
    """Compare each sink's layout (templates, mode, granularity) with the one its destination was written with.

    Raises:
        SettingsError: it changed, and `--relayout` was not given.
    """
    for sink in job.sinks:
        now = {**sink.layout, "granularity": job.source.shape.get("granularity", "")}
        before = await store.layout(job.name, sink.name)
        changed = [] if before is None else [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
        if changed and before is not None and not options.relayout:
            what = ", ".join(f"{key}: {before.get(key)!r} is now {now.get(key)!r}" for key in changed)
            message = f"job {job.name}: the layout of sink {sink.name} changed ({what})"
            raise SettingsError(
                message, hint="use a new sink for the new layout, or --relayout to move everything to its new place"
            )
        if remember and (before is None or changed):
            await store.set_layout(job.name, sink.name, now, sink.url)
