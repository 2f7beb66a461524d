"""Items, entries and rows for tests of sinks and states, and a clock that stands still until it is told otherwise."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from syncer.model.entries import Content, Entry, Receipt, SpooledFile, StoredRow
from syncer.model.events import Event
from syncer.model.refs import ItemKey, Partition, PartitionKey
from syncer.ports import ManifestRow, Tools, Unit

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class StillClock:
    """A clock that only moves when told."""

    at: datetime = START
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the time set."""
        return self.at

    def monotonic(self) -> float:
        """Return the same in seconds."""
        return (self.at - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


def tools(name: str = "lake", events: list[Event] | None = None) -> Tools:
    """Return what a plug-in is given, with a still clock."""
    heard = [] if events is None else events
    return Tools(name, StillClock(), heard.append)


def key(item: str, project: str = "7", batch: str | None = None, annotation_type: str | None = None) -> ItemKey:
    """Return an annotation's key."""
    return ItemKey("annotation", project, batch, annotation_type, item)


def partition(project: str = "7", batch: str | None = None, annotation_type: str | None = None) -> Partition:
    """Return a partition without fields."""
    return Partition(PartitionKey(project, batch, annotation_type))


def unit(name: str = "7", *partitions: Partition) -> Unit:
    """Return a unit of the given partitions, by default of project 7."""
    return Unit(name, partitions or (partition(),))


def sha256(data: bytes) -> str:
    """Return the hex digest."""
    return hashlib.sha256(data).hexdigest()


def entry(
    item: ItemKey, body: bytes | SpooledFile, *, version: str = "1", path: str = "", replaces: StoredRow | None = None
) -> Entry:
    """Return an entry at `<item>.json`, or at a path."""
    return Entry(item, version, path or f"{item.item}.json", Content(body), replaces=replaces)


def stored(receipt: Receipt) -> StoredRow:
    """Return the row that a ledger keeps for a receipt."""
    return StoredRow(receipt.key, receipt.version, receipt.path, receipt.container, receipt.size, receipt.sha256)


def manifest_row(row: StoredRow, op: str = "put") -> ManifestRow:
    """Return the manifest's line about a stored row."""
    return ManifestRow(
        op,
        row.key,
        row.version,
        row.path,
        row.container,
        row.size,
        row.sha256,
        row.fields,
        "run-1",
        "2026-03-01T12:00:00Z",
    )
