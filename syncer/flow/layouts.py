"""Layouts and selections: a destination keeps the shape that it was begun with, until the user says otherwise."""

import hashlib
import json

from syncer.flow.job import Job, RunOptions
from syncer.model.errors import SettingsError
from syncer.model.value import asdict
from syncer.ports import Sink, StateStore

#: What is remembered beside the layout: a change asks for a complete listing, not for a new destination.
WATCHED = ("fingerprint", "selection")


async def check_layout(job: Job, store: StateStore, options: RunOptions, *, remember: bool = True) -> None:
    """Compare each sink's layout (templates, mode, granularity) with the one its destination was written with.

    A changed selection, or a changed option that shapes documents, makes the next pass list everything: items that
    were passed long ago have to be looked at again.

    Raises:
        SettingsError: a layout changed, and `--relayout` was not given.
    """
    # A first try that failed before anything was listed binds nobody.
    begun = bool(await store.partitions(job.name))
    for sink in job.sinks:
        now = {**sink.layout, "granularity": job.source.shape.get("granularity", ""), **_watched(job, sink)}
        before = await store.layout(job.name, sink.name)
        changed = [] if before is None else [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
        moved = [key for key in changed if key not in WATCHED]
        if moved and begun and not options.relayout:
            what = ", ".join(f"{key}: {(before or {}).get(key)!r} is now {now.get(key)!r}" for key in moved)
            message = f"job {job.name}: the layout of sink {sink.name} changed ({what})"
            raise SettingsError(
                message, hint="use a new sink for the new layout, or --relayout to move everything to its new place"
            )
        if not remember:
            continue
        if changed:
            # First the cursors, then the note: a crash between the two repeats the harmless half.
            await store.rewind(job.name)
        if before is None or changed:
            await store.set_layout(job.name, sink.name, now, sink.url)


def _watched(job: Job, sink: Sink) -> dict[str, str]:
    text = json.dumps(asdict(job.select), sort_keys=True, default=str)
    selection = hashlib.sha256(text.encode()).hexdigest()[:16]
    return dict(zip(WATCHED, (job.leg_spec(sink).fingerprint, selection), strict=True))
