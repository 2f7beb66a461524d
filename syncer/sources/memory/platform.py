"""The platform: items that come, change, are withdrawn and vanish, and everything that can go wrong with them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from syncer.model.errors import SyncerError
from syncer.model.refs import CONTEXT, AnnotationRef, GroupKey, ItemKey, Partition, PartitionKey

#: Time of the first edit; each later one is a second later, whatever our clock says.
START = datetime(2026, 1, 1, tzinfo=UTC)
#: Where items go unless told otherwise.
PROJECT = PartitionKey("7")


class Item(msgspec.Struct, frozen=True):
    """One item as it is now. Deleted ones stay as a mark, so that a listing can report them."""

    key: ItemKey
    body: bytes
    #: Number of the edit that made it what it is; also its version and its time.
    edit: int
    group: GroupKey | None = None
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)
    withdrawn: str | None = None
    deleted: bool = False

    @property
    def live(self) -> bool:
        """Whether it is finished and there."""
        return not self.deleted and self.withdrawn is None

    @property
    def updated_at(self) -> datetime:
        """The time of its last edit, by the platform's clock."""
        return START + timedelta(seconds=self.edit)

    def ref(self, *, inline: bool) -> AnnotationRef:
        """Return it as a listing names it."""
        return AnnotationRef(
            self.key,
            str(self.edit),
            self.updated_at,
            size=len(self.body),
            fields=self.fields,
            inline=self.body if inline else None,
            group=self.group,
        )


class Fault(msgspec.Struct):
    """Something that goes wrong `times` times; None: until it is mended."""

    reason: str
    times: int | None = None
    gone: bool = False

    def strikes(self) -> bool:
        """Tell whether it happens now, and count."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


class MemoryPlatform:
    """Programmable content of one platform. Every edit gets the next number of the platform's clock."""

    def __init__(self, items: int = 0, *, partition: PartitionKey = PROJECT, size: int = 100) -> None:
        """Begin with so many items `1` to `n` of about `size` bytes in one partition; it exists also when empty."""
        self.edits = 0
        self.items: dict[ItemKey, Item] = {}
        self.titles: dict[str, str] = {}
        self.contexts: dict[str, AnnotationRef] = {}
        self.partitions: set[PartitionKey] = {partition}
        #: Partitions that answer 404 though they are known by name.
        self.lost: set[PartitionKey] = set()
        #: Called before each page of a listing with its number in the pass, from 1: edit in the middle of one here.
        self.on_page: Callable[[int], None] = lambda _: None
        #: Seconds that opening an item takes.
        self.delays: dict[ItemKey, float] = {}
        self.open_faults: dict[ItemKey, Fault] = {}
        self.row_faults: dict[ItemKey, Fault] = {}
        #: Raised instead of a page: (number of the page in its pass, error, how often it is left).
        self.page_faults: list[tuple[int, SyncerError, int]] = []
        for number in range(1, items + 1):
            self.put(str(number), b'{"id":%d,"text":"%s"}' % (number, b"x" * max(0, size - 20)), partition=partition)

    def key(self, item: str, partition: PartitionKey = PROJECT, kind: str = "annotation") -> ItemKey:
        """Return the key of an item of a partition."""
        return ItemKey(kind, partition.project, partition.batch, partition.annotation_type, item)

    # ------------------------------------------------------------------------------------------- edits

    def put(
        self,
        item: str,
        body: bytes | None = None,
        *,
        partition: PartitionKey = PROJECT,
        kind: str = "annotation",
        group: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> ItemKey:
        """Finish an item, or change it: it gets a new version. Return its key."""
        self.edits += 1
        self.partitions.add(partition)
        key = self.key(item, partition, kind)
        before = self.items.get(key)
        if body is None:
            body = b'{"id":"%s","edit":%d}' % (item.encode(), self.edits)
        if fields is None:
            fields = before.fields if before else {"filename": f"{item}.jpg"}
        if group is None and before is not None:
            group = before.group
        self.items[key] = Item(key, body, self.edits, GroupKey(group) if group else None, fields)
        return key

    def delete(self, item: str, partition: PartitionKey = PROJECT, kind: str = "annotation") -> ItemKey:
        """Delete an item."""
        return self._change(self.key(item, partition, kind), deleted=True)

    def withdraw(
        self, item: str, reason: str = "reopened", partition: PartitionKey = PROJECT, kind: str = "annotation"
    ) -> ItemKey:
        """Reopen an item: it is there, and not finished any more. `put` finishes it again."""
        return self._change(self.key(item, partition, kind), withdrawn=reason)

    def context(self, project: str, body: bytes, item: str = "config") -> None:
        """Set a context document of a project."""
        self.edits += 1
        key = ItemKey(CONTEXT, project, None, None, item)
        self.contexts[f"{project}/{item}"] = AnnotationRef(key, str(self.edits), size=len(body), inline=body)

    def _change(self, key: ItemKey, *, deleted: bool = False, withdrawn: str | None = None) -> ItemKey:
        self.edits += 1
        self.items[key] = replace(self.items[key], edit=self.edits, deleted=deleted, withdrawn=withdrawn)
        return key

    # ------------------------------------------------------------------------------------------ faults

    def fail(
        self,
        item: str,
        reason: str = "500",
        *,
        times: int | None = None,
        gone: bool = False,
        partition: PartitionKey = PROJECT,
    ) -> None:
        """Let opening an item fail."""
        self.open_faults[self.key(item, partition)] = Fault(reason, times, gone)

    def spoil(
        self,
        item: str,
        reason: str = "the row can't be read",
        *,
        times: int | None = None,
        partition: PartitionKey = PROJECT,
    ) -> None:
        """Let the row of an item be unreadable in listings."""
        self.row_faults[self.key(item, partition)] = Fault(reason, times)

    def fail_listing(self, page: int, error: SyncerError, *, times: int = 1) -> None:
        """Raise instead of the given page (from 1) of the next `times` passes."""
        self.page_faults.append((page, error, times))

    def slow(self, item: str, seconds: float, partition: PartitionKey = PROJECT) -> None:
        """Let opening an item take its time."""
        self.delays[self.key(item, partition)] = seconds

    def lose(self, partition: PartitionKey = PROJECT) -> None:
        """Let a partition answer 404."""
        self.lost.add(partition)

    def mend(self) -> None:
        """End all faults."""
        self.open_faults.clear()
        self.row_faults.clear()
        self.page_faults.clear()
        self.delays.clear()
        self.lost.clear()

    # ------------------------------------------------------------------------------------------ looking

    def page_error(self, number: int) -> SyncerError | None:
        """Return what is raised instead of a page now, and count."""
        for place, (page, error, times) in enumerate(self.page_faults):
            if page == number and times > 0:
                self.page_faults[place] = (page, error, times - 1)
                return error
        return None

    def live(self, partition: PartitionKey = PROJECT) -> list[Item]:
        """Return the finished items of a partition, by key."""
        return [item for item in self.all_of(partition) if item.live]

    def all_of(self, partition: PartitionKey) -> list[Item]:
        """Return the items of a partition in the order of listings: by group, then by number or name."""
        mine = [item for item in self.items.values() if item.key.partition == partition]
        return sorted(mine, key=place_of)

    def described(self, key: PartitionKey) -> Partition:
        """Return a partition with its title."""
        return Partition(key, {"project_title": self.titles.get(key.project, f"Project {key.project}")})


def place_of(item: Item) -> tuple[str, str]:
    """Return where an item stands in a listing: members of a group are neighbours, numbers count as numbers."""
    name = item.group or item.key.item
    return name.zfill(20), item.key.item.zfill(20)


_named: dict[str, MemoryPlatform] = {}


def platform_named(name: str, items: int = 0) -> MemoryPlatform:
    """Return the platform of this process with a name; made, with so many items, when first asked for."""
    if name not in _named:
        _named[name] = MemoryPlatform(items)
    return _named[name]
