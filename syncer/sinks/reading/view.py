"""One generation under the eyes of its readers: its rows, and the containers that are open for them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial

import msgspec
from anyio import Lock

from syncer.model.entries import Annotation
from syncer.model.errors import DestinationChanged
from syncer.model.rows import ManifestRow
from syncer.net.ahead import in_order
from syncer.ports import Blobs, Head, OpenDocuments
from syncer.sinks.reading.documents import DiffersError, Steps
from syncer.sinks.reading.index import CurrentRows
from syncer.sinks.reading.kinds import reader_of

#: Steps that are read ahead.
_AHEAD = 4
#: Local archives that stay open during a pass, so that nobody can replace them under it.
_OPEN = 256

#: Reads rows of a container; None: the container could not be opened.
Work = Callable[[OpenDocuments | None, Sequence[ManifestRow]], Awaitable[list[Annotation]]]


class View(msgspec.Struct):
    """One generation that is being read."""

    blobs: Blobs
    head: Head
    rows: CurrentRows
    #: Tells whether HEAD is another one than that of a generation by now.
    moved: Callable[[int], Awaitable[bool]]
    #: Passes and lookups that are under way; the last one of a view that was left closes it.
    users: int = 0
    left: bool = False
    _stack: AsyncExitStack = msgspec.field(default_factory=AsyncExitStack)
    _looked_up: dict[str | None, OpenDocuments] = msgspec.field(default_factory=dict)
    _opening: Lock = msgspec.field(default_factory=Lock)

    async def done(self) -> None:
        """Close what nobody uses any more."""
        if self.left and not self.users:
            await self._stack.aclose()
            await self.rows.close()

    async def looked_up(self, container: str | None) -> OpenDocuments:
        """Return a container that is open for single documents.

        Raises:
            DiffersError: it is missing, or another generation's.
        """
        async with self._opening:
            if container not in self._looked_up:
                self._looked_up[container] = await self._opened(self._stack, container, scan=False)
            return self._looked_up[container]

    async def read(
        self, work: Work, chosen: Callable[[ManifestRow], bool], share: tuple[int, int], *, whole: bool
    ) -> AsyncGenerator[list[Annotation]]:
        """Yield what this generation holds, container by container, a few steps ahead.

        Raises:
            DiffersError: something is not what this generation says.
        """
        number, parts = share
        count = await self.rows.count()
        first, last = number * count // parts, (number + 1) * count // parts
        steps = Steps(self.rows, chosen, await self.rows.mark(first), last - first)
        containers = await self.rows.containers()
        async with AsyncExitStack() as stack:
            held: dict[str | None, OpenDocuments] = {}
            if whole and self.blobs.folder is not None and len(containers) <= _OPEN:
                for name in containers:
                    held[name] = await self._opened(stack, name, scan=True)
            for name in containers:
                if steps.left <= 0 or steps.mark[0] > (name or ""):
                    continue
                async with AsyncExitStack() as own:
                    documents = held.get(name)
                    if documents is None:
                        try:
                            documents = await self._opened(own, name, scan=True)
                        except DiffersError:
                            if whole:
                                raise
                    async with aclosing(steps.of(name)) as taken:
                        jobs = (partial(work, documents, rows) async for rows in taken)
                        async with aclosing(in_order(jobs, _AHEAD)) as results:
                            async for result in results:
                                yield result

    async def _opened(self, stack: AsyncExitStack, name: str | None, *, scan: bool) -> OpenDocuments:
        """Open a container, which has to be the one that HEAD names, or a copy of it."""
        container = None if name is None else self.head.containers.get(name)
        if name is not None and container is None:
            message = f"the manifest has items in {name[:200]!r}, which generation {self.head.generation} does not name"
            raise DestinationChanged(message, hint="restore HEAD.json from a copy, or run `syncer repair`")
        try:
            opened = await stack.enter_async_context(reader_of(name).open(self.blobs, container, scan=scan))
        except FileNotFoundError as error:
            raise DiffersError(name, "", "is missing") from error
        # Where HEAD is still the same, another tag is that of a copy: every document is compared anyway.
        if container is not None and opened.tag != container.tag and await self.moved(self.head.generation):
            raise DiffersError(name, "", "was replaced")
        return opened
