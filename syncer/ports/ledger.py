"""The checkpoint of one unit, held under a lease."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

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

#: Something of somebody else's that becomes part of a transaction; it is given the store's own handle.
Beside = Callable[[Any], object]


class Ledger(Protocol):
    """The checkpoint of one unit, held under a lease with a fencing epoch. Rows are per leg.

    Every method is one transaction, off the event loop; `commit`, `stage` and `publish` raise `Fenced`
    if the epoch is not ours any more, with nothing written.
    """

    epoch: int

    async def legs(self) -> Mapping[Leg, LegState]:
        """Return the committed position of each leg."""

    async def partition(self, key: PartitionKey, live: frozenset[Leg] | None = None) -> PartitionState:
        """Return the committed cursors and live counts of a partition, as far as the legs of `live` (None: all) go."""

    async def classify(self, candidates: Sequence[Candidate]) -> Sequence[Mapping[Leg, Verdict]]:
        """Compare a page with what each leg holds, and settle its paths, in one query.

        Pending rows hide published ones. An item is CHANGED if its version differs, if its stored fingerprint is not
        the leg's present one, or if it is withdrawn. A wished path whose casefolded NFC form is held by another key
        (stored, owed, or settled earlier in this session) gets a suffix; a stored item keeps its path
        while the wish has not changed.
        """

    async def has(self, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Return those of the keys that are live and not withdrawn, or owed, in every leg."""

    async def members(
        self, partition: PartitionKey, groups: Sequence[GroupKey]
    ) -> Mapping[GroupKey, frozenset[ItemKey]]:
        """Return the live members that any leg stores of each group."""

    async def count(self, partition: PartitionKey, kinds: Collection[str]) -> Mapping[Leg, int]:
        """Return how many live items of some kinds each leg holds."""

    async def rows(self, leg: Leg, limit: int, after: int = 0) -> tuple[int, Sequence[StoredRow]]:
        """Return published rows of a leg beyond a mark (0: from the start), and the mark for the next call."""

    async def commit(self, group: CommitGroup) -> None:
        """Move everything in the group, in one transaction, and the counters with it."""

    async def doomed(self, leg: Leg, limit: int, cause: str | None = None) -> Sequence[Doomed]:
        """Return items found gone or withdrawn (or of one cause only) that this leg did not apply yet, in key order.

        Committing their removal (or that they are kept) clears them.
        """

    async def doomed_count(self, leg: Leg) -> tuple[int, int]:
        """Return how many items are doomed as (gone, withdrawn)."""

    async def owed(self, leg: Leg, limit: int, after: ItemKey | None = None) -> Sequence[OwedItem]:
        """Return owed items in key order."""

    async def stage(self, leg: Leg, swaps: bytes) -> None:
        """Record a swap list, durably, before the first swap."""

    async def publish(self, leg: Leg, published: Published, run: str, at: datetime) -> int:
        """Pending rows become published rows and manifest rows; the published position follows; return how many."""

    async def rollback(self, leg: Leg) -> int:
        """Drop unpublished rows and go back to the published cursors; return how many were dropped."""

    def vacating(self, leg: Leg, paths: Collection[str]) -> AbstractAsyncContextManager[Collection[str]]:
        """Yield those of the paths that no item holds, of whichever unit: stored, owed, or settled to be written.

        Until the block ends, no other unit is given one of them.
        """

    async def outbox(self, leg: Leg, limit: int, after: int = 0) -> Sequence[OutboxRow]:
        """Return manifest rows that were not `sent`, oldest first, from behind a sequence number on."""

    async def sent(self, leg: Leg, last: int, beside: Beside | None = None) -> None:
        """Forget manifest rows up to a sequence number: their segment is durable and HEAD names it.

        Or will name it: `beside` is called in the same transaction, with the store's own handle of it, and takes note.
        It may be called again if the transaction is made anew.
        """

    async def checkpoint(self, leg: Leg) -> Mapping[str, object]:
        """Return the published cursors, owed items and counters of the unit as JSON values, for `checkpoint.json`."""
