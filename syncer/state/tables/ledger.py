"""`ports.Ledger` on tables: each method is one transaction in the database's thread."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from syncer.model.checkpoint import (
    Candidate,
    CommitGroup,
    Doomed,
    LegState,
    OutboxRow,
    OwedItem,
    PartitionState,
    Verdict,
)
from syncer.model.entries import Leg, Published, StoredRow
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.ports import Beside
from syncer.state.tables import debts, held, outbox, passes, places, publish, summary
from syncer.state.tables.classify import classify
from syncer.state.tables.commit import commit
from syncer.state.tables.database import Database, T
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import Transaction

#: Hears of each commit inside of its transaction, and may add to that.
Account = Callable[[Transaction, CommitGroup], None]


class TableLedger:
    """The checkpoint of one open unit."""

    def __init__(
        self, database: Database, session: Session, now: Callable[[], datetime], account: Account | None = None
    ) -> None:
        """Take an open session; `now` decides which postponed items are left alone, `account` hears of each commit."""
        self._database = database
        self._session = session
        self._now = now
        self._account = account
        self._stale = False
        #: The fencing epoch under which this ledger writes; for a look, the last one that did.
        self.epoch = session.epoch

    async def legs(self) -> Mapping[Leg, LegState]:
        """Return the committed position of each leg."""
        return await self._read(summary.legs)

    async def partition(self, key: PartitionKey, live: frozenset[Leg] | None = None) -> PartitionState:
        """Return the committed cursors and live counts of a partition, as far as the legs of `live` (None: all) go."""
        return await self._read(lambda c, s: passes.partition_state(c, s, key, live))

    async def classify(self, candidates: Sequence[Candidate]) -> Sequence[Mapping[Leg, Verdict]]:
        """Compare a page with what each leg holds, and settle its paths."""
        now = self._now()
        return await self._read(lambda c, s: classify(c, s, candidates, now))

    async def has(self, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Return those of the keys that are live and not withdrawn, or owed, in every leg."""
        return await self._read(lambda c, s: held.has(c, s, keys))

    async def members(
        self, partition: PartitionKey, groups: Sequence[GroupKey]
    ) -> Mapping[GroupKey, frozenset[ItemKey]]:
        """Return the live members that any leg stores of each group."""
        return await self._read(lambda c, s: held.members(c, s, partition, groups))

    async def count(self, partition: PartitionKey, kinds: Collection[str]) -> Mapping[Leg, int]:
        """Return how many live items of some kinds each leg holds."""
        return await self._read(lambda c, s: held.count(c, s, partition, kinds))

    async def rows(self, leg: Leg, limit: int, after: int = 0) -> tuple[int, Sequence[StoredRow]]:
        """Return published rows of a leg beyond a mark, and the next mark."""
        return await self._read(lambda c, s: held.live_rows(c, s, leg, limit, after))

    async def commit(self, group: CommitGroup) -> None:
        """Move everything in the group, in one transaction, and the counters with it."""

        def move(transaction: Transaction, session: Session) -> None:
            commit(transaction, session, group)
            if self._account is not None:
                self._account(transaction, group)

        await self._write(move)

    async def doomed(self, leg: Leg, limit: int, cause: str | None = None) -> Sequence[Doomed]:
        """Return items found gone or withdrawn that this leg did not apply yet, in key order."""
        return await self._read(lambda c, s: debts.doomed(c, s, leg, limit, cause))

    async def doomed_count(self, leg: Leg) -> tuple[int, int]:
        """Return how many items are doomed as (gone, withdrawn)."""
        return await self._read(lambda c, s: debts.doomed_count(c, s, leg))

    async def owed(self, leg: Leg, limit: int, after: ItemKey | None = None) -> Sequence[OwedItem]:
        """Return owed items in key order."""
        return await self._read(lambda c, s: debts.owed(c, s, leg, limit, after))

    async def stage(self, leg: Leg, swaps: bytes) -> None:
        """Record a swap list, durably, before the first swap."""
        await self._write(lambda c, s: publish.stage(c, s, leg, swaps))

    async def publish(self, leg: Leg, published: Published, run: str, at: datetime) -> int:
        """Pending rows become published rows and manifest rows; the published position follows; return how many."""
        return await self._write(lambda c, s: publish.publish(c, s, leg, published, run, at))

    async def rollback(self, leg: Leg) -> int:
        """Drop unpublished rows and go back to the published cursors; return how many were dropped."""
        return await self._write(lambda c, s: publish.rollback(c, s, leg))

    @asynccontextmanager
    async def vacating(self, leg: Leg, paths: Collection[str]) -> AsyncIterator[Collection[str]]:
        """Yield those of the paths that no item holds; until the block ends, no other unit is given one of them."""
        free = await self._read(lambda c, s: places.vacate(c, s, leg, paths))
        try:
            yield free
        finally:
            await self._database.finish(lambda: places.vacated(self._session, leg, free))

    async def outbox(self, leg: Leg, limit: int, after: int = 0) -> Sequence[OutboxRow]:
        """Return manifest rows that no segment holds yet, oldest first."""
        return await self._read(lambda c, s: outbox.waiting(c, s.leg_units.get(leg), limit, after))

    async def sent(self, leg: Leg, last: int, beside: Beside | None = None) -> None:
        """Forget manifest rows up to a sequence number; let somebody else's note be part of it."""

        def forget(transaction: Transaction, session: Session) -> None:
            session.fence(transaction)
            outbox.forget(transaction, session.leg_units[leg], last)
            if beside is not None:
                beside(transaction)

        await self._write(forget)

    async def checkpoint(self, leg: Leg) -> Mapping[str, object]:
        """Return the published cursors, owed items and counters of the unit as JSON values."""
        return await self._read(lambda c, s: summary.checkpoint(c, s, leg))

    async def _read(self, work: Callable[[Transaction, Session], T]) -> T:
        return await self._database.read(lambda transaction: work(transaction, self._fresh(transaction)))

    async def _write(self, work: Callable[[Transaction, Session], T]) -> T:
        def attempt(transaction: Transaction) -> T:
            session = self._fresh(transaction)
            # Rows that a failed transaction made are gone again, and so are their ids.
            self._stale = True
            result = work(transaction, session)
            self._stale = False
            return result

        if not self._session.writable:
            message = f"unit {self._session.unit.name} was opened for reading only"
            raise RuntimeError(message)
        return await self._database.write(attempt)

    def _fresh(self, transaction: Transaction) -> Session:
        if self._stale:
            self._session.load(transaction)
            # What was ours is what counts: a later epoch in the database is somebody else's.
            self._session.epoch = self.epoch
            self._stale = False
        return self._session
