"""Every kind of state, and short ways to say what a test commits to it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from syncer.model.checkpoint import Candidate, Change, CommitGroup, LegSpec, OwedItem, Verdict
from syncer.model.entries import Container, Leg, Published, StoredRow
from syncer.model.refs import AnnotationRef, Cursor, GroupKey, ItemKey, PartitionKey
from syncer.model.rows import ManifestRow, decode_row
from syncer.ports import Ledger, StateStore, Unit
from syncer.state import open_state
from tests.support.stored import START, key, partition, sha256, unit

#: The partition that most tests speak of.
SEVEN = partition().key

LAKE = LegSpec("lake", "f1", {"path": "{item}.json"}, immediate=True, root="s3://bucket/lake")
ZIP = LegSpec("nightly", "z1", {"path": "{item}.json"}, immediate=False, root="file:exports")

#: URL of a state by its kind, None for one on a server; what is not kept anywhere begins empty each time.
STATES: dict[str, str | None] = {"sqlite": "sqlite:state.db", "memory": "memory:", "postgresql": None}


@dataclass
class Time:
    """The time of a state: stands still until it is moved."""

    at: datetime = START

    def __call__(self) -> datetime:
        """Return it."""
        return self.at


@dataclass
class State:
    """One kind of state in a folder of its own."""

    url: str
    folder: Path
    time: Time = field(default_factory=Time)

    def open(self) -> AbstractAsyncContextManager[StateStore]:
        """Open the store."""
        return open_state(self.url, self.folder, now=self.time)

    @asynccontextmanager
    async def ledger(self, *legs: LegSpec, job: str = "job", of: Unit | None = None) -> AsyncIterator[Ledger]:
        """Open the store, and one unit of it."""
        async with self.open() as store, store.unit(job, of or unit(), legs or (LAKE,)) as ledger:
            yield ledger


def row(
    item: str | ItemKey, version: str = "1", path: str = "", *, leg: LegSpec = LAKE, size: int = 10,
    container: str | None = None, group: str | None = None, fields: dict[str, str] | None = None,
) -> StoredRow:  # fmt: skip
    """Return a stored row, at `<item>.json` unless told otherwise."""
    of = key(item) if isinstance(item, str) else item
    digest = sha256(f"{of.item} {version}".encode())
    member = None if group is None else GroupKey(group)
    where = path or f"{of.item}.json"
    return StoredRow(of, version, where, container, size, digest, fields or {}, member, leg.fingerprint)


def put(*items: str | StoredRow, leg: LegSpec = LAKE) -> list[Change]:
    """Return changes that store items."""
    return [Change("put", row(item, leg=leg) if isinstance(item, str) else item) for item in items]


def group(*legs: LegSpec, run: str = "run-1", at: datetime = START, **more: object) -> CommitGroup:
    """Return a commit group in which the given legs (by default the lake) take part."""
    live = frozenset(leg.name for leg in legs or (LAKE,))
    return CommitGroup(run, at, live=live, **more)  # type: ignore[arg-type]  # as the fields are named


def candidate(item: str | ItemKey, version: str = "1", path: str = "", *legs: LegSpec) -> Candidate:
    """Return a listed item with the same wish for every leg."""
    of = key(item) if isinstance(item, str) else item
    return Candidate(AnnotationRef(of, version), {leg.name: path or f"{of.item}.json" for leg in legs or (LAKE,)})


def owed(
    item: str | ItemKey, version: str = "1", *, leg: LegSpec = LAKE, reason: str = "503", **more: object
) -> OwedItem:
    """Return an owed item."""
    of = key(item) if isinstance(item, str) else item
    return OwedItem(leg.name, of, version, reason, **more)  # type: ignore[arg-type]  # as the fields are named


def container(name: str, tag: str = "t1", live: int = 1) -> Container:
    """Return a published archive."""
    return Container(name, tag, 100, sha256(f"{name} {tag}".encode()), live, 0)


def published(*names: str, dropped: Sequence[str] = (), resume: bytes | None = b"published") -> Published:
    """Return what a session says after a publish."""
    return Published(tuple(container(name) for name in names), tuple(dropped), resume)


async def one(ledger: Ledger, listed: Candidate, leg: LegSpec = LAKE) -> Verdict:
    """Return the verdict of one leg on one candidate."""
    return (await ledger.classify([listed]))[0][leg.name]


async def told(ledger: Ledger, leg: LegSpec = LAKE) -> list[tuple[str, str, str]]:
    """Return the waiting manifest rows as (op, item, version)."""
    lines = await outbox(ledger, leg.name)
    return [(line.op, line.key.item, line.version) for line in lines]


async def outbox(ledger: Ledger, leg: Leg, limit: int = 10_000) -> list[ManifestRow]:
    """Return the waiting manifest rows."""
    return [decode_row(waiting.line) for waiting in await ledger.outbox(leg, limit)]


async def doomed(ledger: Ledger, leg: LegSpec = LAKE) -> list[tuple[str, str]]:
    """Return what waits to be removed, as (item, cause)."""
    return [(each.row.key.item, each.cause) for each in await ledger.doomed(leg.name, 1000)]


async def debts(ledger: Ledger, leg: LegSpec = LAKE) -> list[tuple[str, str, int]]:
    """Return what is owed, as (item, version, attempts)."""
    return [(each.key.item, each.version, each.attempts) for each in await ledger.owed(leg.name, 1000)]


async def cursor(ledger: Ledger, leg: LegSpec = LAKE, of: PartitionKey = SEVEN) -> str | None:
    """Return the committed cursor of a leg."""
    return (await ledger.partition(of)).cursors[leg.name]


def at(cursor: str, of: PartitionKey = SEVEN) -> dict[PartitionKey, Cursor]:
    """Return the cursors of a group."""
    return {of: Cursor(cursor)}


def later(minutes: float) -> datetime:
    """Return a moment after the start."""
    return START + timedelta(minutes=minutes)
