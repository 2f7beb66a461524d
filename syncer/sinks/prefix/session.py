"""One unit of objects open for writing: the door `SinkSession`. Each call is one batch."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

from anyio import to_thread

from syncer.model.entries import Entry, Published, Receipt, Removals, Seal, StoredRow
from syncer.model.errors import Conflict, Exit, LegFailed, SettingsError
from syncer.model.events import Emit, Warned
from syncer.model.paths import MANIFEST_FOLDER
from syncer.model.rows import is_item_path
from syncer.ports import About, Blobs
from syncer.sinks.failures import destination
from syncer.sinks.prefix.mark import Mark
from syncer.sinks.prefix.present import Present, look, replaced, shown


class PrefixSession:
    """One unit open for writing. Each call is one batch: one hop, each object complete or absent."""

    def __init__(
        self, leg: str, blobs: Blobs, scratch: str, mark: Mark, *, moves: bool, keeps: bool, emit: Emit
    ) -> None:
        """Take the store, a private corner for temporary files, and what tells our objects from a successor's.

        `moves`: an item has one path at a time. `keeps`: an object is never replaced, but to repair it.
        """
        self._leg = leg
        self._blobs = blobs
        self._scratch, self._mark = scratch, mark
        self._moves = moves
        self._keeps = keeps
        self._emit = emit
        # Objects in a bucket say what wrote them; files don't.
        self._marked = blobs.folder is None
        self._receipts: list[Receipt] = []

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write each entry's object, readable at once and durable with the next `seal`. The same path again replaces.

        Raises:
            SettingsError: a path leaves the destination; nothing of the batch was written.
            LegFailed: the destination does not take it, or another tool replaced what was to be replaced.
        """
        for entry in entries:
            guarded(entry.path)
        with destination(self._leg, self._blobs.url):
            # Digests are computed where they are asked for first: not on the event loop.
            await to_thread.run_sync(lambda: [entry.sha256 for entry in entries])
            if self._keeps:
                await self._put([entry for entry in entries if _in_place(entry)])
                await self._create([entry for entry in entries if not _in_place(entry)])
            elif self._marked:
                new = [entry for entry in entries if _is_new(entry)]
                await self._put([entry for entry in entries if not _is_new(entry)])
                await self._create(new)
            else:
                await self._put(entries)
        for entry in entries:
            receipt = Receipt(entry.key, entry.version, entry.path, None, entry.size, entry.sha256, self._moves)
            self._receipts.append(receipt)

    async def _put(self, entries: Sequence[Entry]) -> None:
        """Replace what lies there, in a bucket only if it is still ours, or is to be mended."""
        if not self._marked:
            await self._send(entries)
            return
        present = await look(self._blobs, [_row(entry) for entry in entries], self._mark)
        known = {entry.path for entry in entries if _in_place(entry) and not entry.mends}
        if gone := [name for name in present.absent if name in known]:
            where = f"sink {self._leg}: {self._blobs.url}: {shown(gone)}"
            self._emit(Warned(f"{where} removed by another tool; the new version is written all the same"))
        await self._replace(entries, present)

    async def _create(self, entries: Sequence[Entry]) -> None:
        """Write to places that should be free; what a run left there that died is replaced, anything else stays."""
        try:
            await self._send(entries, create=True)
        except Conflict as error:
            present = await look(self._blobs, [_row(entry) for entry in entries], self._mark)
            if self._keeps:
                message, hint = f"{error}, and versions are never replaced here", "move it away, then run again"
                raise self._taken(message, hint) from error
            await self._replace(entries, present)

    async def _replace(self, entries: Sequence[Entry], present: Present) -> None:
        """Write over what was seen there, and over nothing else."""
        mended = {entry.path for entry in entries if entry.mends}
        if foreign := [name for name in present.foreign if name not in mended]:
            raise replaced(self._leg, self._blobs.url, foreign)
        there = [entry for entry in entries if entry.path in present.tags]
        try:
            await self._send(there, match=[present.tags[entry.path] for entry in there])
            await self._send([entry for entry in entries if entry.path not in present.tags], create=True)
        except Conflict as error:
            await look(self._blobs, [_row(entry) for entry in entries], self._mark)
            raise self._taken(str(error), "another tool writes there: run again when it is done") from error

    async def _send(self, entries: Sequence[Entry], *, match: Sequence[str | None] = (), create: bool = False) -> None:
        if entries:
            files = [(entry.path, entry.body) for entry in entries]
            about = [About(entry.media_type, self._mark.metadata(entry)) for entry in entries]
            await self._blobs.put_many(files, self._scratch, about=about, match=match, create=create)

    def _taken(self, message: str, hint: str) -> LegFailed:
        return LegFailed(f"{self._blobs.url}: {message}", leg=self._leg, exit_code=Exit.DAMAGE, hint=hint)

    async def remove(self, rows: Removals) -> None:
        """Delete stored objects; absent ones are fine.

        Raises:
            LegFailed: the destination does not let them go, or another tool replaced some, which stay.
            Fenced: a successor replaced one.
        """
        names = [guarded(row.path) for row in rows]
        with destination(self._leg, self._blobs.url):
            if not self._marked:
                await self._blobs.delete_many(names, self._scratch)
                return
            present = await look(self._blobs, rows, self._mark)
            ours = [name for name in dict.fromkeys(names) if name in present.tags and name not in present.foreign]
            try:
                await self._blobs.delete_many(ours, self._scratch, match=[present.tags[name] for name in ours])
            except Conflict:
                present = await look(self._blobs, rows, self._mark)
                raise replaced(self._leg, self._blobs.url, present.foreign or ours) from None
        if present.foreign:
            raise replaced(self._leg, self._blobs.url, present.foreign)

    async def erase(self, rows: Removals, former: Removals) -> None:
        """Delete stored objects, superseded ones included; see `remove`."""
        await self.remove([*rows, *former])

    async def seal(self) -> Seal:
        """Make durable what was written and removed so far; return the receipts since the last seal.

        Raises:
            LegFailed: the disk did not take it; what is not sealed is written again by the next run.
        """
        with destination(self._leg, self._blobs.url):
            await self._blobs.sync()
        receipts, self._receipts = tuple(self._receipts), []
        return Seal(receipts)

    async def stage(self) -> bytes | None:
        """Return None: objects are published as they are written."""
        return None

    async def publish(self, swaps: bytes) -> Published:
        """Do nothing: there is nothing to swap."""
        del swaps
        return Published()

    async def compact(
        self,
        rows: AsyncIterator[Sequence[StoredRow]],
        commit: Callable[[Seal], Awaitable[None]],
        *,
        only: Collection[str] | None = None,
        spare: Collection[str] = (),
    ) -> int:
        """Do nothing: one object is one item."""
        del rows, commit, only, spare
        return 0

    async def settle(self) -> None:
        """Do nothing: no old position is kept."""


def _row(entry: Entry) -> StoredRow:
    """Return what should lie where an entry goes: what it replaces there, else perhaps the same from a dead run."""
    if entry.replaces is not None and _in_place(entry):
        return entry.replaces
    return StoredRow(entry.key, entry.version, entry.path, None, entry.size, entry.sha256)


def _is_new(entry: Entry) -> bool:
    """Tell whether nothing should lie where an entry goes."""
    return not _in_place(entry) and not entry.mends


def _in_place(entry: Entry) -> bool:
    """Tell whether an entry is written to where its item lies already."""
    return entry.replaces is not None and entry.replaces.path == entry.path


def guarded(path: str) -> str:
    """Return a path that an item may have.

    Raises:
        SettingsError: it leaves the destination, or lies among the manifests.
    """
    if not is_item_path(path):
        message = f"{path[:200]!r} is no name for an item: it leaves the destination, or lies in {MANIFEST_FOLDER}/"
        raise SettingsError(message)
    return path
