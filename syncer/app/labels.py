"""Reading a destination while others write to it: one generation as a whole, then the next one, nothing in between.

A reader starts from HEAD and trusts no byte: each document is compared with the sha256 of its row. What does not fit
was replaced by a publish that HEAD tells of already, or is about to; so HEAD is read again, until it says what lies
there or patience ends.
"""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import anyio

from syncer.model.entries import Annotation
from syncer.model.errors import DestinationChanged, GenerationGone, NotNow, Overtaken
from syncer.model.refs import ItemKey
from syncer.model.rows import ManifestRow
from syncer.ports import Head, OpenDocuments
from syncer.sinks.reading.changes import changes
from syncer.sinks.reading.documents import DiffersError, Where, chooser, verified
from syncer.sinks.reading.grouped import grouped
from syncer.sinks.reading.index import CurrentRows, all_rows
from syncer.sinks.reading.roots import Root
from syncer.sinks.reading.view import View

#: Seconds between two looks at HEAD.
_PAUSE = 0.2


class Labels:
    """An open destination. For one event loop; made by `async with syncer.read(url) as labels`."""

    def __init__(self, root: Root, at: int | str | None, *, largest: int, patience: float) -> None:
        """Take a place; `open` comes first."""
        self._root, self._at, self._largest, self._patience = root, at, largest, patience
        self._view: View
        self._tag: str | None = None
        self._moving = anyio.Lock()

    @property
    def url(self) -> str:
        """Where the labels lie, without credentials."""
        return self._root.blobs.url

    @property
    def job(self) -> str:
        """Whose labels these are."""
        return self._root.job

    @property
    def generation(self) -> int:
        """The generation that is read now; `refresh` moves on to the newest."""
        return self._view.head.generation

    async def open(self) -> None:
        """Read the manifest of the generation that was asked for, else the present one."""
        self._view = await self._loaded(await self._look())

    async def close(self) -> None:
        """Give everything back."""
        self._view.left = True
        await self._view.done()

    async def refresh(self) -> bool:
        """Move on to the newest generation, if there is a newer one; tell whether there was.

        A pass that is under way stays in its own. A generation or snapshot that was asked for by name stays.
        """
        if self._at is not None:
            return False
        async with self._moving:
            found = await self._root.blobs.stat(self._root.head_name)
            if found is not None and found.tag == self._tag:
                return False
            head = await self._look()
            if head.generation == self._view.head.generation:
                return False
            view = self._view
            if (head.segments, head.containers) == (view.head.segments, view.head.containers):
                view.head = head  # it says the same of everything
                return True
            self._view = await self._loaded(head)
            view.left = True
            await view.done()
        return True

    async def count(self) -> int:
        """Return how many labels there are, and files that they are about; context documents are found by name only."""
        return await self._view.rows.count()

    async def rows(self, where: Where | None = None) -> AsyncGenerator[ManifestRow]:
        """Yield what the manifest says of each label, in the order in which they are read; no document is read."""
        chosen, view = chooser(where), self._used()
        try:
            async with aclosing(all_rows(view.rows)) as batches:
                async for batch in batches:
                    for row in batch:
                        if chosen(row):
                            yield row
        finally:
            await self._unused(view)

    async def get(self, label: ItemKey | str) -> Annotation:
        """Return one label, by its key or by its path; the newest one, where no generation was asked for.

        Raises:
            KeyError: there is none.
            NotNow: what lies there is newer than HEAD, and HEAD does not move.
            DestinationChanged: it is damaged, or what this generation names was replaced.
        """
        found = await self._latest(label)
        if found is None:
            raise KeyError(label)
        return found

    async def __aiter__(self) -> AsyncGenerator[Annotation]:
        """Yield all labels of one generation, see `items`."""
        async with aclosing(self.items()) as items:
            async for item in items:
                yield item

    async def items(
        self, where: Where | None = None, *, share: tuple[int, int] = (0, 1), whole: bool = True
    ) -> AsyncGenerator[Annotation]:
        """Yield labels, each one once, in about the order in which they were stored; a few are read ahead.

        `share` (i, n) is the i-th of n parts (from 0), for readers side by side that read the same generation. `whole`:
        all of them are of one generation. Without it, where a newer one replaced what is left to be read, that is
        taken as it is now, and left out if it is there no more.

        Raises:
            Overtaken: with `whole`, a newer generation replaced what is left to be read. Begin the pass anew.
            NotNow: what lies there is newer than HEAD, and HEAD does not move.
            DestinationChanged: something is damaged.
        """
        async with aclosing(self.steps(where, share=share, whole=whole)) as steps:
            async for step in steps:
                for item in step:
                    yield item

    async def batches(
        self, size: int, where: Where | None = None, *, share: tuple[int, int] = (0, 1), whole: bool = True
    ) -> AsyncGenerator[list[Annotation]]:
        """Yield the same in lists of `size`; the last one may be shorter."""
        async with aclosing(grouped(self.items(where, share=share, whole=whole), size)) as batches:
            async for batch in batches:
                yield batch

    async def changes(self, since: int | str) -> AsyncGenerator[ManifestRow]:
        """Yield what leads from a former generation (or snapshot) to this one: rows that put, delete and withdraw.

        Raises:
            GenerationGone: it is not known any more, or never was.
        """
        view = self._used()
        try:
            old = await self._root.manifest.at(since)
            found = changes(self._root.manifest, old, view.head, self._root.wanted)
            async with aclosing(found) as batches:
                async for batch in batches:
                    for row in batch:
                        yield row
        finally:
            await self._unused(view)

    async def steps(
        self, where: Where | None = None, *, share: tuple[int, int] = (0, 1), whole: bool = True
    ) -> AsyncGenerator[list[Annotation]]:
        """Yield the same in lists as they were read together, of any length."""
        chosen, deadline, begun = chooser(where), time.monotonic() + self._patience, False
        while True:
            view = self._used()
            try:
                found = view.read(self._whole if whole else self._any, chosen, share, whole=whole)
                async with aclosing(found) as steps:
                    async for step in steps:
                        begun = begun or bool(step)
                        yield step
            except DiffersError as error:
                await self._settled(view, error, deadline)
                if begun:
                    was, now = view.head.generation, self.generation
                    message = f"generation {was} of {self.job} was overtaken by {now}: {error}"
                    hint = "begin the pass anew, read with `whole=False`, or read a snapshot"
                    raise Overtaken(message, hint=hint) from error
            else:
                return
            finally:
                await self._unused(view)

    async def _moved(self, generation: int) -> bool:
        """Tell whether HEAD is a later one by now."""
        if self._at is not None:
            return False
        head = await self._root.manifest.head()
        return head is not None and head.generation != generation

    async def _whole(self, documents: OpenDocuments | None, rows: Sequence[ManifestRow]) -> list[Annotation]:
        return [] if documents is None else await verified(documents, rows, self._largest)

    async def _any(self, documents: OpenDocuments | None, rows: Sequence[ManifestRow]) -> list[Annotation]:
        """Read rows of one generation, or what became of their items since."""
        try:
            if documents is not None:
                return await verified(documents, rows, self._largest)
        except DiffersError:
            pass
        found = [await self._latest(row.key) for row in rows]
        return [one for one in found if one is not None]

    async def _latest(self, label: ItemKey | str) -> Annotation | None:
        deadline = time.monotonic() + self._patience
        while True:
            view = self._used()
            try:
                rows = view.rows
                row = await (rows.at_path(label) if isinstance(label, str) else rows.get(label))
                if row is None or row.op != "put":
                    return None
                return (await verified(await view.looked_up(row.container), [row], self._largest))[0]
            except DiffersError as error:
                await self._settled(view, error, deadline)
            finally:
                await self._unused(view)

    async def _settled(self, view: View, error: DiffersError, deadline: float) -> None:
        """Wait until HEAD is a later one than that of a view in which something is not as it says.

        Raises:
            DestinationChanged: no publish can explain it.
            NotNow: HEAD does not move.
        """
        generation = view.head.generation
        if self._at is not None:
            message = f"generation {generation} of {self.job} can't be read any more: {error}"
            hint = "where names are replaced in place only the present generation can; see `syncer snapshot`"
            if generation < view.head.floor:
                hint = (
                    f"retention, compaction or a deletion took it; generations from {view.head.floor} on are complete"
                )
            raise DestinationChanged(message, hint=hint) from error
        while self.generation == generation and not await self.refresh():
            if view.head.lasting and error.container is None:
                message = f"{self.url}: {error}, and nothing but damage explains it"
                raise DestinationChanged(message, hint="run: syncer verify --deep, then syncer repair") from error
            if time.monotonic() >= deadline:
                message = f"{self.url}: {error}, and HEAD still says generation {generation}"
                hint = "a sync is under way, or died before it published: run it again; else `syncer verify --deep`"
                raise NotNow(message, hint=hint) from error
            await anyio.sleep(_PAUSE)

    async def _look(self) -> Head:
        manifest = self._root.manifest
        if self._at is not None:
            return await manifest.at(self._at)
        found = await self._root.blobs.stat(self._root.head_name)
        self._tag = None if found is None else found.tag
        head = await manifest.head()
        if head is None:
            raise GenerationGone(f"there is no manifest of job {self.job} at {self.url}")
        return head

    async def _loaded(self, head: Head) -> View:
        wanted = self._root.wanted
        rows = await CurrentRows.built(self._root.manifest, head, lambda row: wanted(row.container))
        return View(self._root.blobs, head, rows, self._moved)

    def _used(self) -> View:
        self._view.users += 1
        return self._view

    async def _unused(self, view: View) -> None:
        view.users -= 1
        with anyio.CancelScope(shield=True):
            await view.done()
