"""What a writer has gathered since its last commit, and what of it goes into the next one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from syncer.flow.account import counted
from syncer.flow.fetch import Failed
from syncer.flow.frontier import Ticket, Wanted
from syncer.model.checkpoint import Change, OwedItem
from syncer.model.entries import Leg, Receipt, StoredRow
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.model.report import Counts

#: First and longest wait before an owed item is tried again by a daemon.
BACKOFF = timedelta(minutes=1)
LONGEST = timedelta(hours=24)


class Settled(msgspec.Struct, frozen=True):
    """A written item, without its body, on its way to the commit."""

    wanted: Wanted
    size: int
    updated: bool


class Gathered(msgspec.Struct):
    """Items that settle together."""

    settled: list[Settled] = msgspec.field(default_factory=list)
    failed: list[Failed] = msgspec.field(default_factory=list)
    #: What rows need beyond the receipts, by leg, in the order of writing.
    written: dict[Leg, list[tuple[Mapping[str, str], GroupKey | None]]] = msgspec.field(default_factory=dict)
    #: Bytes.
    size: int = 0
    #: Keys on pages that have nothing more to send.
    keys: int = 0
    #: When the first of them came.
    since: float | None = None

    @property
    def items(self) -> int:
        """How many they are."""
        return len(self.settled) + len(self.failed)

    def changes(self, leg: Leg, receipts: Sequence[Receipt], fingerprint: str) -> list[Change]:
        """Return the rows of sealed entries."""
        return [
            Change("put", stored(receipt, fields, group, fingerprint), moves=receipt.moves)
            for receipt, (fields, group) in zip(receipts, self.written[leg], strict=True)
        ]

    def owed(self, live: frozenset[Leg], at: datetime) -> list[OwedItem]:
        """Return what could not be had, for each leg that lacks it."""
        return [item for failed in self.failed for item in _owed(failed, live, at)]

    def labels(self) -> int:
        """Return how many listed labels these are."""
        wanted = [*(done.wanted for done in self.settled), *(failed.wanted for failed in self.failed)]
        return sum(counted(each.ref.key) and not each.replayed for each in wanted)

    def counted(self) -> Counts:
        """Return what became of the labels among them."""
        counts = Counts()
        for done in self.settled:
            if not counted(done.wanted.ref.key):
                continue
            counts.bytes += done.size
            if done.wanted.replayed:
                counts.replayed += 1
            else:
                counts.stored += 1
                counts.updated += done.updated
        listed = [each for each in self.failed if not each.wanted.replayed and counted(each.wanted.ref.key)]
        counts.filtered = sum(each.gone for each in listed)
        counts.owed = len(listed) - counts.filtered
        return counts


def stored(receipt: Receipt, fields: Mapping[str, str], group: GroupKey | None, fingerprint: str) -> StoredRow:
    """Return the row that a ledger keeps of a sealed entry."""
    return StoredRow(
        receipt.key, receipt.version, receipt.path, receipt.container, receipt.size, receipt.sha256,
        fields, group, fingerprint,
    )  # fmt: skip


def seen(passed: Sequence[Ticket]) -> dict[PartitionKey, list[ItemKey]]:
    """Return the keys on pages that a cursor passes, by partition."""
    found: dict[PartitionKey, list[ItemKey]] = {}
    for ticket in passed:
        if ticket.seen:
            found.setdefault(ticket.partition.key, []).extend(ticket.seen)
    return found


def _owed(failed: Failed, live: frozenset[Leg], at: datetime) -> list[OwedItem]:
    if failed.gone:
        return []
    ref, attempts = failed.wanted.ref, failed.wanted.attempts + 1
    wait = min(BACKOFF * 2 ** min(attempts - 1, 20), LONGEST)
    return [
        OwedItem(leg, ref.key, ref.version, failed.reason, attempts, at, at + wait, ref.hint, None, ref.fields)
        for leg in failed.wanted.verdicts
        if leg in live
    ]
