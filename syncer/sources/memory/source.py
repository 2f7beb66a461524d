"""The source that reads a platform in memory, in any of the ways that real ones have."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed, PartitionGone, SettingsError, UnknownName
from syncer.model.refs import (
    AnnotationRef,
    BrokenRow,
    Cursor,
    ItemKey,
    Page,
    Partition,
    PartitionKey,
    Withdrawal,
)
from syncer.ports import Clock, Features, Http, Known, Selection, SourcePlugin, Tools
from syncer.sources.memory.options import Deletions, MemoryOptions
from syncer.sources.memory.platform import Item, MemoryPlatform, place_of, platform_named


class _At(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="v", tag=1, rename={"stage": "pass"}):
    stage: Literal["full", "delta", "sweep", "rest"]
    #: Number of the last edit when the pass began: the next watermark.
    start: int = 0
    watermark: int = 0
    #: Place of the last covered unit.
    progress: str = ""
    #: The running full pass carries documents.
    inline: bool = False


class MemorySource:
    """See `ports.Source`. Counters: `pages` listed, `opened` items, `calls` of `open`, `passes` begun."""

    variables: ClassVar[Mapping[str, str]] = {
        "batch": "id of the batch, where batches are selected",
        "annotation_type": "annotation type, where types are selected",
        "project_title": "title of the project",
        "filename": "name of the file that was annotated",
    }

    def __init__(
        self,
        platform: MemoryPlatform,
        *,
        clock: Clock | None = None,
        page_size: int = 10,
        inline: bool = False,
        deletions: Deletions = "silent",
        incremental: bool = True,
        features: Features | None = None,
        shape: Mapping[str, str] | None = None,
        name: str = "memory",
    ) -> None:
        """Choose the habits: units of a page, documents in first passes, how deletions show, no deltas at all."""
        self.platform = platform
        self.features = features or Features(incremental=incremental, inline=inline, deletions=True, batch=4)
        self.shape: Mapping[str, str] = dict(shape or {})
        self.origin = f"memory://{name}"
        self.account = ""
        self.pages = 0
        self.calls = 0
        self.opened: Counter[ItemKey] = Counter()
        self.passes: list[str] = []
        self._clock = clock
        self._page_size = page_size
        self._inline = inline
        self._deletions = deletions
        self._incremental = incremental

    # -------------------------------------------------------------------------------------- partitions

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield partitions by key; empty `batches` and `annotation_types` mean those that are not divided."""
        platform, unknown = self.platform, []
        for key in sorted(platform.partitions, key=PartitionKey.canonical):
            title = platform.titles.get(key.project, "")
            if (
                (not select.projects or _matches(select.projects, key.project, title))
                and _chosen(select.batches, key.batch)
                and _chosen(select.annotation_types, key.annotation_type)
            ):
                yield platform.described(key)
        for name in select.projects:
            known = any(name in {key.project, platform.titles.get(key.project)} for key in platform.partitions)
            if not known and not _is_glob(name):
                unknown.append(name)
        if unknown:
            message = f"no project has the id or title {', '.join(map(repr, unknown))}"
            raise UnknownName(message, names=tuple(unknown))

    # ----------------------------------------------------------------------------------------- listing

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List a partition; a delta that misses a silent deletion is followed by a sweep in the same pass."""
        select = select or Selection()
        narrowed = bool(select.items or select.since or select.until)
        wants = _filter_of(select)
        at = self._begin(since, known)
        self.passes.append(at.stage)
        self._check(partition.key)
        number = 0
        while True:
            everything = at.stage != "delta"
            for place, members in self._units(partition.key, at):
                number += 1
                self.platform.on_page(number)
                if error := self.platform.page_error(number):
                    raise error
                self._check(partition.key)
                at = replace(at, progress=place)
                now = [self.platform.items[key] for key in members]
                self.pages += 1
                yield await self._page([item for item in now if wants(item)], at, known, proves=not narrowed)
            if everything or narrowed or not self._must_sweep(partition.key, at, known):
                break
            at = replace(at, stage="sweep", progress="")
        self.pages += 1
        rest = _At(stage="rest", start=at.start, watermark=at.start)
        yield Page(cursor=_cursor(rest), end="full" if at.stage != "delta" and not narrowed else "delta")

    def _begin(self, since: Cursor | None, known: Known) -> _At:
        inline = self._inline and (known.live == 0 or known.refetch)
        fresh = _At(stage="full", start=self.platform.edits, inline=inline)
        if since is None:
            return fresh
        at = msgspec.json.decode(since, type=_At)
        if at.stage != "rest":
            return at
        if not self._incremental or known.full or known.refetch:
            return fresh
        return _At(stage="delta", start=self.platform.edits, watermark=at.watermark)

    def _units(self, partition: PartitionKey, at: _At) -> list[tuple[str, list[ItemKey]]]:
        """Return the keys of each page, groups in one piece, with the place of its last unit."""
        everything = at.stage != "delta"
        units: list[tuple[str, list[Item]]] = []
        for place, members in groupby(self.platform.all_of(partition), key=lambda item: place_of(item)[0]):
            items = list(members)
            moved = any(item.edit > at.watermark for item in items)
            if place > at.progress and (everything or moved):
                units.append((place, items))
        size = self._page_size
        return [
            (chunk[-1][0], [item.key for _, items in chunk for item in items])
            for chunk in (units[first : first + size] for first in range(0, len(units), size))
        ]

    async def _page(self, items: Sequence[Item], at: _At, known: Known, *, proves: bool) -> Page:
        there = [item for item in items if not item.deleted]
        stored = await known.has([item.key for item in items if not item.live])
        broken = {item.key: fault for item in there if item.live and (fault := self._row_fault(item.key))}
        withdrawn = [
            Withdrawal(item.key, item.withdrawn) for item in there if item.withdrawn is not None and item.key in stored
        ]
        reported = proves and self._deletions == "reported"
        return Page(
            refs=tuple(item.ref(inline=at.inline) for item in there if item.live and item.key not in broken),
            closes=tuple(sorted({item.group for item in items if item.group is not None})) if proves else (),
            withdrawn=tuple(withdrawn),
            gone=tuple(item.key for item in items if reported and item.deleted and item.key in stored),
            broken=tuple(BrokenRow(key, str(self.platform.items[key].edit), reason) for key, reason in broken.items()),
            cursor=_cursor(at),
            filtered=sum(item.withdrawn is not None for item in there) - len(withdrawn),
            total=len(self.platform.live(items[0].key.partition)) if items else None,
        )

    def _row_fault(self, key: ItemKey) -> str | None:
        fault = self.platform.row_faults.get(key)
        return fault.reason if fault is not None and fault.strikes() else None

    def _must_sweep(self, partition: PartitionKey, at: _At, known: Known) -> bool:
        """Tell whether something was deleted since the watermark without a trace."""
        silent = self._deletions == "silent" and known.live > 0
        gone = (i for i in self.platform.all_of(partition) if i.deleted and i.group is None and i.edit > at.watermark)
        return silent and any(gone)

    def _check(self, partition: PartitionKey) -> None:
        if partition in self.platform.lost or partition not in self.platform.partitions:
            message = f"partition {partition} does not exist any more"
            raise PartitionGone(message)

    # ----------------------------------------------------------------------------------------- opening

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield bodies and failures in the order of the references."""
        self.calls += 1
        for ref in refs:
            self.opened[ref.key] += 1
            if self._clock is not None and (delay := self.platform.delays.get(ref.key)):
                await self._clock.sleep(delay)
            yield self._open(ref)

    def _open(self, ref: AnnotationRef) -> Body | ItemFailed:
        fault = self.platform.open_faults.get(ref.key)
        if fault is not None and fault.strikes():
            return ItemFailed(ref.key, fault.reason, origin=self.origin, gone=fault.gone)
        context = next((each for each in self.platform.contexts.values() if each.key == ref.key), None)
        if context is not None:
            return Body(context, context.inline or b"")
        item = self.platform.items.get(ref.key)
        if item is None or not item.live:
            return ItemFailed(ref.key, "deleted or withdrawn upstream", origin=self.origin, gone=True)
        return Body(item.ref(inline=False), item.body, version=str(item.edit))

    async def context(self, partition: Partition) -> AsyncGenerator[AnnotationRef]:
        """Yield the context documents of the partition's project."""
        for ref in self.platform.contexts.values():
            if ref.key.project == partition.key.project:
                yield ref

    # ------------------------------------------------------------------------------------------ tables

    async def get(self, parts: Sequence[str]) -> Body:
        """Return an item by project and id."""
        wanted = [item for item in self.platform.items.values() if [item.key.project, item.key.item] == list(parts)]
        if not wanted:
            message = "the memory platform needs two parts, PROJECT and ITEM, of an item that exists"
            raise SettingsError(message)
        return Body(wanted[0].ref(inline=False), wanted[0].body)

    async def whoami(self) -> Mapping[str, str]:
        """Return a name."""
        return {"user": "memory", "version": "1"}

    async def projects(self) -> Sequence[Mapping[str, str]]:
        """Return id, title and live items of each project."""
        names = sorted({key.project for key in self.platform.partitions})
        live = Counter(item.key.project for item in self.platform.items.values() if item.live)
        return [{"id": n, "title": self.platform.titles.get(n, ""), "annotations": str(live[n])} for n in names]

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return the batches of a project."""
        found = {key.batch for key in self.platform.partitions if key.project == project and key.batch is not None}
        return [{"id": name} for name in sorted(found)]


def _create(options: MemoryOptions, http: Http, tools: Tools) -> MemorySource:
    del http
    return MemorySource(
        platform_named(options.platform, options.items),
        clock=tools.clock,
        page_size=options.page_size,
        inline=options.inline,
        deletions=options.deletions,
        name=options.platform,
    )


def _filter_of(select: Selection) -> Callable[[Item], bool]:
    names, since, until = frozenset(select.items), select.since, select.until
    return lambda item: (
        (not names or item.key.item in names)
        and (since is None or item.updated_at >= since)
        and (until is None or item.updated_at < until)
    )


def _chosen(wanted: Sequence[str], value: str | None) -> bool:
    return value is None if not wanted else value is not None and _matches(wanted, value)


def _matches(wanted: Sequence[str], *values: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in wanted for value in values)


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _cursor(at: _At) -> Cursor:
    return Cursor(msgspec.json.encode(at).decode())


PLUGIN = SourcePlugin(
    type="memory",
    title="A platform in the memory of this process, for tests",
    options=MemoryOptions,
    create=_create,
    parts=("PROJECT", "ITEM"),
    redactions={"people": ("name", "/reviews/*/by")},
)
