"""The part of a certificate that is about one job: what was rewritten, from what to what. It names no item."""

import re
from typing import Any

from syncer.flow.job import Job
from syncer.model.entries import Leg
from syncer.model.erasure import Place, Record
from syncer.ports import Sink

#: What an erasure adds to the name of a segment.
_DIGEST = re.compile("~[0-9a-f]{16}")


async def certified(job: Job, record: Record, state: str, left: list[str]) -> dict[str, Any]:
    """Return what became of a job's destinations and state, as JSON values.

    Raises:
        SyncerError: a manifest can't be read.
    """
    return {
        "job": job.name,
        "platform": {"type": job.platform_type, "origin": job.source.origin, "account": job.source.account},
        "items": len(record.keys),
        "same_group_kept": record.beside,
        "state": {"url": state, "rows": record.rows},
        "destinations": [await _destination(job, sink, record) for sink in job.sinks],
        "left": left,
    }


async def _destination(job: Job, sink: Sink, record: Record) -> dict[str, Any]:
    head = await sink.manifest(job.name).head()
    archives = {} if head is None else {name: one.sha256 for name, one in head.containers.items()}
    segments = {} if head is None else {_DIGEST.sub("", one.name): one for one in head.segments}
    places = record.places.get(sink.name, [])
    return {
        "sink": sink.name,
        "url": sink.url,
        "generation": 0 if head is None else head.generation,
        "objects": [_erased(place) for place in places if place.container is None],
        "entries": [{"archive": place.container, **_erased(place)} for place in places if place.container is not None],
        "archives": _changed(record.archives, sink.name, archives),
        "segments": [
            {"name": name, "before": sha256, "after": None if now is None else now.sha256}
            for name, sha256 in sorted(record.segments.get(sink.name, {}).items())
            for now in [segments.get(_DIGEST.sub("", name))]
        ],
    }


def _erased(place: Place) -> dict[str, Any]:
    return {"sha256": place.sha256 or None, "bytes": max(0, place.size), "current": place.current}


def _changed(before: dict[Leg, dict[str, str]], leg: Leg, now: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "before": sha256, "after": now.get(name)}
        for name, sha256 in sorted(before.get(leg, {}).items())
        if now.get(name) != sha256
    ]
