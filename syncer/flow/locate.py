"""Locating what an erasure is about: every row, place and archive of the items asked for, and what goes with them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from posixpath import basename

import msgspec
from msgspec.structs import replace

from syncer.flow.job import Job
from syncer.model.erasure import Place, Record, Targets, mentions
from syncer.model.refs import GroupKey, ItemKey
from syncer.model.rows import ManifestRow
from syncer.ports import Head, SegmentRef, Sink, StateStore

#: What may stand behind an id in the name of a file that a run wrote.
_BEHIND = ".@~"

#: Where bytes lie, and which.
_At = tuple[str | None, str, str]


class Locator(msgspec.Struct):
    """Fills a record; nothing is written."""

    job: Job
    store: StateStore
    record: Record
    targets: Targets
    #: Canonical keys of all that go, and items of their groups that stay.
    found: set[str] = msgspec.field(default_factory=set)
    beside: set[ItemKey] = msgspec.field(default_factory=set)
    #: What nobody can decide from here, in words that name nobody.
    doubts: list[str] = msgspec.field(default_factory=list)

    async def locate(self) -> None:
        """Look through manifests, state, and names that no row knows.

        Raises:
            SyncerError: a manifest can't be read.
        """
        record = self.record
        for sink in self.job.sinks:
            async for _, row in self._told(sink):
                self.targets.note(row.key, _group(row))
        self.found.update(key.canonical() for key in record.item_keys)
        for sink in self.job.sinks:
            await self._in(sink)
        owed = {item.key for item in await self.store.all_owed(self.job.name) if self.targets.match(item.key, None)}
        record.rows += len(owed)
        self.found.update(key.canonical() for key in owed)
        record.keys, record.beside = sorted(self.found), len(self.beside)
        for sink in self.job.sinks:
            if sink.immediate:
                await self._strays(sink)

    async def _told(self, sink: Sink) -> AsyncIterator[tuple[SegmentRef | None, ManifestRow]]:
        """Yield every row that anybody can read of a sink: of snapshots, of HEAD, then of the state."""
        manifest = sink.manifest(self.job.name)
        heads = [await manifest.at(each.name) for each in await manifest.snapshots.listed()]
        met: set[str] = set()
        for head in (*heads, await manifest.head()):
            if head is None:
                continue
            new = replace(head, segments=tuple(each for each in head.segments if each.name not in met))
            met.update(each.name for each in head.segments)
            async with aclosing(manifest.rows(new)) as rows:  # type: ignore[type-var]  # adapters return generators
                async for segment, row in rows:
                    yield segment, row
        for row in await self.store.rows(self.job.name, sink.name):
            yield None, row

    async def _in(self, sink: Sink) -> None:
        manifest = sink.manifest(self.job.name)
        head = await manifest.head() or Head(0, (), {})
        places: dict[_At, Place] = {}
        current: dict[ItemKey, _At] = {}
        segments: dict[str, str] = {}
        async for segment, row in self._told(sink):
            if not self._goes(row):
                continue
            _note(row, places, current)
            if segment is None:
                self.record.rows += 1
            else:
                segments[segment.name] = segment.sha256
        for at in current.values():
            places[at] = replace(places[at], current=True)
        self.record.places[sink.name] = [*places.values()]
        self.record.archives[sink.name] = {name: one.sha256 for name, one in head.containers.items()}
        self.record.segments[sink.name] = segments

    def _goes(self, row: ManifestRow) -> bool:
        if self.targets.match(row.key, _group(row)):
            self.found.add(row.key.canonical())
            return True
        if self.targets.beside(row.key, _group(row)):
            self.beside.add(row.key)
        return False

    async def _strays(self, sink: Sink) -> None:
        """Find what a run that died wrote without a row: files that are called after an item that goes."""
        ids = {key.item for key in self.record.item_keys}
        named = mentions(sorted(ids))
        known = {place.path for place in self.record.places[sink.name]}
        async for _, row in self._told(sink):
            if named(row.path):
                known.add(row.path)
        owner = await sink.manifest(self.job.name).owner()
        claims = ("",) if owner is None else owner.paths
        doubtful = 0
        async for found in sink.scan({}):
            if found.path in known or not named(found.path) or not any(map(found.path.startswith, claims)):
                continue
            if _called_after(found.path, ids):
                self.record.places[sink.name].append(Place(found.path, None, -1, "", current=False))
            else:
                doubtful += 1
        if doubtful:
            self.doubts.append(f"{sink.url}: {doubtful:,} files that no row names have an erased id in their names")


def _note(row: ManifestRow, places: dict[_At, Place], current: dict[ItemKey, _At]) -> None:
    at = (row.container, row.path, row.sha256)
    places[at] = Place(row.path, row.container, row.size, row.sha256, current=False)
    current.pop(row.key, None)
    if row.op != "delete":
        current[row.key] = at


def _called_after(path: str, ids: set[str]) -> bool:
    name = basename(path)
    return any(name[: len(each)] == each and name[len(each) : len(each) + 1] in _BEHIND for each in ids)


def _group(row: ManifestRow) -> GroupKey | None:
    return None if row.group is None else GroupKey(row.group)
