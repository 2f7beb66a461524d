"""The platform's own export, member by member: the archive is fetched when the data moved, and gone afterwards."""

import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from syncer.blobs import kept
from syncer.model.entries import Body, SpooledFile
from syncer.model.errors import HttpError, ItemFailed, PartitionGone
from syncer.model.refs import EXPORT, AnnotationRef, Cursor, ItemKey, Page, PartitionKey
from syncer.ports import Known
from syncer.sources.datature.exports import AS_OF, Exports
from syncer.sources.datature.freshness import read_cursor
from syncer.sources.datature.members import Archive, Member, harm

#: Members and bytes of one page at most.
ITEMS, BYTES = 1000, 4 << 20


@dataclass(frozen=True, slots=True)
class Unpacking:
    """The members of one organization's exports."""

    exports: Exports
    #: Archives are fetched, opened and discarded one at a time.
    _one: anyio.Lock = field(default_factory=anyio.Lock, init=False)

    async def pages(self, partition: PartitionKey, since: Cursor | None, known: Known) -> AsyncGenerator[Page]:
        """Yield the members of an export that is as new as the data; nothing while no asset has moved.

        Raises:
            PartitionGone, HttpError: it can't be had now, or is not unpacked because of what is in it.
        """
        listed, found = await self.exports.listed(partition, since, held=known.live > 0)
        before, cursor = read_cursor(since), found.seen(listed.version, listed.updated_at)
        moved = before is None or before.running or before.version != listed.version
        if not (moved or known.full or known.refetch):
            yield Page(cursor=cursor, end="delta")
            return
        running = found.seen(listed.version, listed.updated_at, running=True)
        data, archive = await self._opened(listed)
        try:
            while members := await anyio.to_thread.run_sync(archive.some, ITEMS, BYTES):
                yield Page(refs=tuple(self._ref(partition, listed, member) for member in members), cursor=running)
        finally:
            archive.close()
        if before is not None and before.running and before.version != listed.version:
            # Members of an older export count as seen in this pass: only the next one can tell what is gone.
            yield Page(cursor=running, end="delta")
            return
        # A process that dies before leaves the archive to the next one.
        await self._discard(data)
        yield Page(cursor=cursor, end="full")

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference: for what is owed, the archives are fetched once more."""
        for project in sorted({ref.key.project for ref in refs}):
            wanted = {ref.key: ref for ref in refs if ref.key.project == project}
            partition = next(iter(wanted)).partition
            try:
                found = await self._members(partition, wanted)
            except (HttpError, PartitionGone) as error:
                for key in wanted:
                    yield ItemFailed(key, str(error), origin=self.exports.origin)
                continue
            for key in wanted:
                failed = ItemFailed(key, "the export has no such member", origin=self.exports.origin, gone=True)
                yield found.get(key) or failed

    async def _members(self, partition: PartitionKey, wanted: Mapping[ItemKey, AnnotationRef]) -> dict[ItemKey, Body]:
        as_of = sorted({ref.fields.get(AS_OF, "") for ref in wanted.values()})
        listed = await self.exports.member_of(partition, as_of)
        data, archive = await self._opened(listed)
        found: dict[ItemKey, Body] = {}
        try:
            while members := await anyio.to_thread.run_sync(archive.some, 1, 0):
                ref = self._ref(partition, listed, members[0])
                if ref.key in wanted:
                    found[ref.key] = Body(ref, members[0].data, ref.media_type, ref.version)
        finally:
            archive.close()
        await self._discard(data)
        return found

    async def _opened(self, listed: AnnotationRef) -> tuple[bytes | SpooledFile, Archive]:
        """Fetch and open an archive; once it is open, nobody can take it away."""
        async with self._one:
            data = await self.exports.archive(listed, harm)
            file = io.BytesIO(data) if isinstance(data, bytes) else data.path
            return data, await anyio.to_thread.run_sync(Archive, file)

    async def _discard(self, data: bytes | SpooledFile) -> None:
        async with self._one:
            if isinstance(data, SpooledFile):
                await anyio.to_thread.run_sync(kept.discard, data.path)

    def _ref(self, partition: PartitionKey, listed: AnnotationRef, member: Member) -> AnnotationRef:
        name = member.path.rpartition("/")[2]
        return AnnotationRef(
            ItemKey(EXPORT, partition.project, partition.batch, None, member.item),
            member.version,
            listed.updated_at,
            size=len(member.data),
            fields={**listed.fields, "filename": name, "member": member.path},
            inline=member.data,
            media_type="application/octet-stream",
        )
