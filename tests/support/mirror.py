"""What an engine does with a source, in forty lines: applies pages to a table of items, and remembers the cursor."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed
from syncer.model.refs import AnnotationRef, Cursor, GroupKey, ItemKey, Page, Partition
from syncer.ports import Selection, Source


@dataclass(frozen=True)
class Stored:
    """An item as the mirror holds it."""

    version: str
    data: bytes
    group: GroupKey | None = None


@dataclass
class Known:
    """`ports.Known` on a mirror."""

    mirror: "Mirror"
    live: int
    full: bool = False
    refetch: bool = False

    async def has(self, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Return those of the keys that are held or owed."""
        return frozenset(key for key in keys if key in self.mirror.items or key in self.mirror.owed)

    async def members(self, groups: Sequence[GroupKey]) -> Mapping[GroupKey, frozenset[ItemKey]]:
        """Return the held members of each group."""
        items = self.mirror.items.items()
        return {group: frozenset(key for key, item in items if item.group == group) for group in groups}


@dataclass
class Mirror:
    """A copy of one partition."""

    source: Source
    partition: Partition
    items: dict[ItemKey, Stored] = field(default_factory=dict)
    withdrawn: dict[ItemKey, str] = field(default_factory=dict)
    gone: set[ItemKey] = field(default_factory=set)
    owed: dict[ItemKey, str] = field(default_factory=dict)
    cursor: Cursor | None = None
    #: Keys seen by the running pass.
    seen: set[ItemKey] = field(default_factory=set)
    #: Of the last pass.
    pages: list[Page] = field(default_factory=list)
    opened: list[ItemKey] = field(default_factory=list)

    async def sync(
        self,
        *,
        relist: bool = False,
        refetch: bool = False,
        select: Selection | None = None,
        stop_after: int | None = None,
    ) -> str | None:
        """Run one pass, or its first pages only; return how it ended."""
        await self._replay()
        self.pages, self.opened = [], []
        known = Known(self, len(self.items) + len(self.owed), relist, refetch)
        since = None if relist or refetch else self.cursor
        if since is None:
            self.seen = set()
        async with aclosing(self.source.discover(self.partition, since, known, select)) as pages:
            async for page in pages:
                self.pages.append(page)
                await self._take(page, everything=refetch)
                if page.end is not None:
                    if page.end == "full":
                        self._drop(set(self.items) - self.seen)
                    self.seen = set()
                    return page.end
                if stop_after is not None and len(self.pages) >= stop_after:
                    return None
        raise AssertionError("the listing stopped without saying that it was complete")

    async def _take(self, page: Page, *, everything: bool) -> None:
        wanted = [ref for ref in page.refs if everything or self._lacks(ref)]
        for ref in wanted:
            if ref.inline is not None:
                self._store(ref, ref.version, ref.inline)
        await self._open([ref for ref in wanted if ref.inline is None])
        for row in page.withdrawn:
            self.withdrawn[row.key] = row.reason
            self.items.pop(row.key, None)
            self.owed.pop(row.key, None)
        self.owed.update({row.key: row.reason for row in page.broken})
        present = {ref.key for ref in page.refs} | {row.key for row in page.withdrawn}
        present |= {row.key for row in page.broken}
        self.seen |= present | {key for key, item in self.items.items() if item.group in page.keeps}
        self._drop({key for key, item in self.items.items() if item.group in page.closes} - present)
        self._drop(set(page.gone))
        if page.cursor is not None:
            self.cursor = page.cursor

    def _lacks(self, ref: AnnotationRef) -> bool:
        held = self.items.get(ref.key)
        return held is None or held.version != ref.version

    async def _replay(self) -> None:
        await self._open([AnnotationRef(key, "") for key in self.owed])

    async def _open(self, refs: list[AnnotationRef]) -> None:
        batch = self.source.features.batch
        for first in range(0, len(refs), batch):
            asked = {ref.key for ref in refs[first : first + batch]}
            async with aclosing(self.source.open(refs[first : first + batch])) as bodies:
                async for body in bodies:
                    key = body.key if isinstance(body, ItemFailed) else body.ref.key
                    asked.remove(key)
                    self.opened.append(key)
                    self._settle(body)
            assert not asked, f"neither body nor failure for {asked}"

    def _settle(self, body: Body | ItemFailed) -> None:
        if isinstance(body, ItemFailed):
            self.owed.pop(body.key, None)
            if not body.gone:
                self.owed[body.key] = body.reason
            return
        assert isinstance(body.data, bytes)
        self._store(body.ref, body.version or body.ref.version, body.data)

    def _store(self, ref: AnnotationRef, version: str, data: bytes) -> None:
        self.items[ref.key] = Stored(version, data, ref.group)
        self.owed.pop(ref.key, None)
        self.withdrawn.pop(ref.key, None)

    def _drop(self, keys: set[ItemKey]) -> None:
        for key in keys & self.items.keys():
            del self.items[key]
            self.gone.add(key)
