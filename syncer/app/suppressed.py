"""The list of erased items, for people: what is on it, what comes off it, and what is stored in spite of it."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC
from typing import TYPE_CHECKING, Any

from syncer.flow.job import Job
from syncer.flow.suppress import keep, suppression
from syncer.model.refs import GroupKey, ItemKey

if TYPE_CHECKING:
    from syncer.app.library import Syncer


async def lift(syncer: "Syncer", names: Sequence[str], keys: Sequence[ItemKey]) -> int:
    """Take items off the list, and let the next run of each job list everything; return how many lines were lifted."""
    lifted = 0
    for name in names:
        job = await syncer.job(name)
        async with syncer.store.lease(name):
            whole = (await suppression(job, syncer.store)).whole
            tokens = [token for key in keys for token in whole.all_tokens(key)]
            after = whole.marked(
                tokens, syncer.clock.now().astimezone(UTC).isoformat(timespec="microseconds"), lift=True
            )
            lifted = max(lifted, whole.active - after.active)
            await keep(job, syncer.store, after, before=whole)
            for sink in job.sinks:
                await sink.manifest(name).suppress(after)
            await syncer.store.rewind(name)
    return lifted


async def listed(syncer: "Syncer", names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the lines in force of the accounts that jobs read: they name nobody."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for name in names:
        job = await syncer.job(name)
        whole = (await suppression(job, syncer.store, heal=False)).whole
        for marks in whole.marks.values():
            for token, mark in marks.items():
                if mark.active:
                    place = f"{job.platform_type} {job.source.origin}"
                    rows[place, token] = {"platform": place, "token": token, "since": mark.since}
    return [rows[each] for each in sorted(rows)]


async def stored_again(syncer: "Syncer", job: Job) -> list[ItemKey]:
    """Return what is stored though it was erased: of an older copy that was restored."""
    whole = (await suppression(job, syncer.store, heal=False)).whole
    found: set[ItemKey] = set()
    for sink in job.sinks:
        async with aclosing(sink.manifest(job.name).rows()) as rows:  # type: ignore[type-var]  # adapters return generators
            found.update([row.key async for _, row in rows if whole.hides(row.key, _group(row.group))])
        rows_here = await syncer.store.rows(job.name, sink.name)
        found.update(row.key for row in rows_here if whole.hides(row.key, _group(row.group)))
    return sorted(found, key=ItemKey.canonical)


def _group(text: str | None) -> GroupKey | None:
    return None if text is None else GroupKey(text)
