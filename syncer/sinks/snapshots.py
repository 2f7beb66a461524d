"""Snapshots: generations that stay readable, and the order of writes that keeps them so.

A snapshot counts from the move of HEAD that lists it. Whoever removes or rewrites what an older generation names says
so in HEAD first: by its floor, below which no snapshot can be made any more, or by the archives that are about to be
rewritten. Both go by compare-and-swap on the same document, so of a snapshot and a removal that meet, the first one
wins: the removal spares what the snapshot names, or the snapshot is refused.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Collection
from contextlib import aclosing
from functools import partial

import msgspec
from anyio import to_thread

from syncer.model.errors import GenerationGone, NotNow, SettingsError, SyncerError
from syncer.model.paths import MANIFEST_FOLDER
from syncer.ports import Blobs, Clock, Held, Place, Snapshot
from syncer.sinks import owners
from syncer.sinks.documents import HeadDocument, SnapshotDocument, SnapshotEntry, encode, snapshot_name
from syncer.sinks.failures import destination
from syncer.sinks.heads import HeadFile
from syncer.sinks.segments import read_rows

_NAME = re.compile(r"(?=.*[A-Za-z_-])[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_RULE = "up to 100 letters, digits, dots, dashes and underscores, not all of them digits"


def check_name(name: str) -> None:
    """Refuse what is no name of a snapshot: numbers are generations, and each name is also that of a file.

    Raises:
        SettingsError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name[:100]!r} is no name of a snapshot", hint=_RULE)


class _MovedOnError(SyncerError):
    """HEAD is not the one any more that a snapshot was derived from."""


class JobSnapshots(msgspec.Struct, frozen=True):
    """The snapshots of one job beside one sink's data: the door `Snapshots`."""

    blobs: Blobs
    folder: str
    job: str
    leg: str
    heads: HeadFile
    clock: Clock

    async def create(self, name: str, generation: int | None = None) -> Snapshot:
        """Keep a generation, the present one if none is named. The same again is fine.

        Raises:
            SettingsError: the name is taken or none, or what that generation names does not stay as it is.
            GenerationGone: it is not known, or not complete any more.
            NotNow: archives that it names are being rewritten.
        """
        check_name(name)
        for _ in range(owners.ATTEMPTS):
            head, _ = await self.heads.read()
            if head is None:
                raise SettingsError(f"there is no manifest of job {self.job} at {self.blobs.url}")
            if (there := head.snapshots.get(name)) is not None:
                if generation in {None, there.generation}:
                    return _snapshot(name, there)
                message = f"snapshot {name} is there already, of generation {there.generation}"
                raise SettingsError(message, hint="names are never given twice: choose another, or drop it first")
            document = await self._document(head, name, generation)
            body = await to_thread.run_sync(encode, document)
            entry = SnapshotEntry(document.generation, document.at, hashlib.sha256(body).hexdigest())
            where = f"{self.folder}/{snapshot_name(name, entry.sha256)}"
            await self.blobs.put(where, body, create=True)
            try:
                await self.heads.move(partial(_with_snapshot, head.generation, name, entry))
            except _MovedOnError:
                await self.blobs.delete_many([where])
                continue
            await self._still_ours(name)
            return _snapshot(name, entry)
        raise NotNow(f"{self.blobs.url}: HEAD of {self.job} is moved all the time by others", hint="run it again")

    async def listed(self) -> list[Snapshot]:
        """Return all snapshots, oldest generation first."""
        head, _ = await self.heads.read()
        found = {} if head is None else head.snapshots
        return sorted((_snapshot(name, entry) for name, entry in found.items()), key=lambda one: one.generation)

    async def drop(self, name: str) -> None:
        """Keep a snapshot no longer; what only it named goes with the next removals. Its name is free again.

        Raises:
            GenerationGone: there is none of that name.
        """
        head, _ = await self.heads.read()
        entry = None if head is None else head.snapshots.get(name)
        if entry is None:
            raise GenerationGone(f"{self.job} has no snapshot {name[:100]!r}")

        def without(was: HeadDocument) -> HeadDocument:
            return msgspec.structs.replace(was, snapshots={n: e for n, e in was.snapshots.items() if n != name})

        await self.heads.move(without)
        await self.blobs.delete_many([f"{self.folder}/{snapshot_name(name, entry.sha256)}"])

    async def held(self, places: Collection[Place] = ()) -> Held:
        """Return what snapshots name, of all jobs below the root: archives, and which of some places.

        Raises:
            DestinationChanged: a snapshot can't be read, so nobody knows what it names.
        """
        containers: set[str] = set()
        found: set[Place] = set()
        with destination(self.leg, self.blobs.url):
            for folder in await self.blobs.folders(MANIFEST_FOLDER):
                heads = self.heads if folder == self.folder else HeadFile(self.blobs, folder, folder, self.clock)
                head, _ = await heads.read()
                for document in (
                    [] if head is None else [await heads.log.snapshot(head, name) for name in head.snapshots]
                ):
                    containers |= document.containers.keys()
                    if places:
                        found |= await self._places(folder, document, places)
        return Held(frozenset(containers), frozenset(found))

    async def announce(self, mine: Callable[[str], bool]) -> Held:
        """Say in HEAD that archives are about to be rewritten, but those that snapshots hold; return what is held."""
        before = await self.held()

        def announced(was: HeadDocument) -> HeadDocument:
            names = {name for name in was.containers if mine(name) and name not in before.containers}
            return msgspec.structs.replace(was, rewriting=tuple(sorted({*was.rewriting, *names})))

        with destination(self.leg, self.blobs.url):
            await self.heads.move(announced)
        # A snapshot that was listed before this move came first.
        return await self.held()

    async def release(self, mine: Callable[[str], bool]) -> None:
        """Say that archives are as HEAD says again; older generations that named them are complete no longer."""
        with destination(self.leg, self.blobs.url):
            head, _ = await self.heads.read()
            if head is None or not any(map(mine, head.rewriting)):
                return

            def released(was: HeadDocument) -> HeadDocument:
                left = tuple(name for name in was.rewriting if not mine(name))
                return msgspec.structs.replace(was, rewriting=left, floor=was.generation + 1)

            await self.heads.move(released)

    async def raise_floor(self) -> None:
        """Say in HEAD that bytes which only older generations name are about to go."""
        with destination(self.leg, self.blobs.url):
            await self.heads.move(lambda was: msgspec.structs.replace(was, floor=was.generation + 1))

    async def _document(self, head: HeadDocument, name: str, generation: int | None) -> SnapshotDocument:
        if not head.lasting:
            message = (
                f"{self.blobs.url}: what job {self.job} stores is replaced in place, so no generation of it can stay"
            )
            hint = "use `versions: keep` (prefix), or `mode: append` or `delta` (zip)"
            raise SettingsError(message, hint=hint)
        wanted = head.generation if generation is None else generation
        if wanted < head.floor and wanted != head.generation:
            message = f"generation {wanted} of {self.job} is complete no longer: some of its bytes were removed since"
            raise GenerationGone(message, hint=f"the oldest one that is complete is {head.floor}")
        then = await self.heads.log.at(head, wanted)
        if busy := sorted(set(then.containers) & set(head.rewriting)):
            message = f"{busy[0]} of generation {wanted} is being rewritten"
            raise NotNow(message, hint="run it again when the compaction is over; the next sync ends one that died")
        now = self.clock.now().isoformat()
        return SnapshotDocument(self.job, name, wanted, now, then.segments, then.containers, secrets.token_hex(8))

    async def _still_ours(self, name: str) -> None:
        """Withdraw a snapshot of a job whose data was handed over meanwhile: its new owner looked before it removes."""
        owner = await owners.owner_of(self.blobs, self.folder)
        if owner is not None and not owner.paths:
            await self.drop(name)
            raise SettingsError(f"{self.blobs.url}: the data of job {self.job} belongs to another job by now",
                                hint="make the snapshot of that job")  # fmt: skip

    async def _places(self, folder: str, document: SnapshotDocument, wanted: Collection[Place]) -> set[Place]:
        found: set[Place] = set()
        for segment in document.segments:
            async with aclosing(read_rows(self.blobs, folder, segment.ref())) as batches:
                async for rows in batches:
                    # Also those that a later row of the same generation replaced: sparing too much does no harm.
                    found.update(place for row in rows if (place := (row.container, row.path)) in wanted)
        return found


def _with_snapshot(generation: int, name: str, entry: SnapshotEntry, head: HeadDocument) -> HeadDocument:
    if head.generation != generation:
        raise _MovedOnError(name)
    return msgspec.structs.replace(head, snapshots={**head.snapshots, name: entry})


def _snapshot(name: str, entry: SnapshotEntry) -> Snapshot:
    return Snapshot(name, entry.generation, entry.at)
