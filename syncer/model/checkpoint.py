"""What a ledger keeps of a unit, and what one commit moves. Plain values; the rules live in flow."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from syncer.model.entries import Container, Leg, StoredRow
from syncer.model.refs import AnnotationRef, Cursor, GroupKey, ItemKey, PartitionKey
from syncer.model.report import Counts


class Action(StrEnum):
    """What one leg has to do about one listed reference."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    #: Owed before, and the user said to leave it alone for now.
    IGNORED = "ignored"


class LegSpec(msgspec.Struct, frozen=True):
    """What a ledger has to know of a leg."""

    name: Leg
    #: Short stable name of all options that shape an item's bytes or path.
    fingerprint: str
    #: The options behind the fingerprint, so that `plan` can name the one that changed.
    options: Mapping[str, str] = msgspec.field(default_factory=dict)
    #: True where sealed and published coincide (one object an item): rows are published by the commit.
    immediate: bool = True
    #: Canonical URL of the root below which paths are unique.
    root: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """A listed reference with the path that each leg would like to give it (see `layout`)."""

    ref: AnnotationRef
    paths: Mapping[Leg, str]


class Verdict(msgspec.Struct, frozen=True):
    """A leg's answer to one candidate."""

    action: Action
    #: The settled path: as wished, or with a suffix where another item holds it already.
    path: str
    #: What the leg holds now, published or committed; None if nothing.
    stored: StoredRow | None = None
    #: Why it counts as changed: "version", or the name of the option that changed.
    reason: str = ""


class OwedItem(msgspec.Struct, frozen=True):
    """A finished item that could not be stored yet. Replayed first in the next run."""

    leg: Leg
    key: ItemKey
    version: str
    reason: str
    attempts: int = 1
    first: datetime | None = None
    next: datetime | None = None
    hint: str | None = None
    ignored_until: datetime | None = None
    #: As listed: columns and path variables, for the replay.
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)


class Doomed(msgspec.Struct, frozen=True):
    """A stored item that is gone or withdrawn upstream, waiting for the end of the run to be applied."""

    row: StoredRow
    #: "gone" or "withdrawn".
    cause: str
    reason: str


class Change(msgspec.Struct, frozen=True):
    """One row that a commit writes for one leg; becomes one manifest row.

    `op` is "put", "delete", "withdraw" or "keep". A "withdraw" row keeps the item and notes the reason; a "delete"
    forgets it; a "keep" (deleted upstream, kept here) notes the reason in the ledger only, without a manifest row.
    """

    op: str
    row: StoredRow
    reason: str = ""
    #: See `Receipt.moves`.
    moves: bool = False


class CommitGroup(msgspec.Struct, frozen=True):
    """All that one transaction moves for one unit. Legs that failed are simply not in the mappings."""

    run: str
    at: datetime
    #: Sealed rows by leg, in the order of writing.
    changes: Mapping[Leg, Sequence[Change]] = msgspec.field(default_factory=dict)
    #: Resume token of each leg's session.
    resume: Mapping[Leg, bytes | None] = msgspec.field(default_factory=dict)
    owed: Sequence[OwedItem] = ()
    #: Owed items that the platform no longer has, or that a newer decision settled.
    cleared: Mapping[Leg, Sequence[ItemKey]] = msgspec.field(default_factory=dict)
    #: New cursor of a partition, for the legs in `live`.
    cursors: Mapping[PartitionKey, Cursor] = msgspec.field(default_factory=dict)
    #: Keys seen by the running full pass of a partition, for a later `subtract`.
    seen: Mapping[PartitionKey, Sequence[ItemKey]] = msgspec.field(default_factory=dict)
    #: Partitions where a pass begins with this commit: what was seen before is forgotten. True: it is listed from its
    #: beginning, so that absence can prove deletion at its end. False: it is not, and never subtracts.
    began: Mapping[PartitionKey, bool] = msgspec.field(default_factory=dict)
    #: Partitions whose pass ends here: `PartitionState.tracking` returns to None, and seen keys are forgotten.
    ended: frozenset[PartitionKey] = frozenset()
    #: Of the ended: live items that the pass never saw become doomed (cause "gone"), in the same transaction.
    subtract: frozenset[PartitionKey] = frozenset()
    #: Kinds of items that the pass did not look for: their absence proves nothing.
    spared: frozenset[str] = frozenset()
    #: (key, cause, reason) of items found gone or withdrawn; applied at the end of the run.
    doomed: Sequence[tuple[ItemKey, str, str]] = ()
    #: Keys listed as finished again: no longer doomed.
    revived: Sequence[ItemKey] = ()
    #: Legs that take part.
    live: frozenset[Leg] = frozenset()
    #: What became of labels with this group, for whoever keeps account beside the ledger (`Store.sharing`).
    counts: Counts = msgspec.field(default_factory=Counts)


class LegState(msgspec.Struct, frozen=True):
    """What a ledger remembers of one leg of one unit."""

    #: Token of the committed, perhaps unpublished, position.
    resume: bytes | None = None
    #: Swap list that was staged and perhaps not yet carried out.
    staged: bytes | None = None
    #: Rows committed and not yet published.
    pending: int = 0
    #: Items live (published or pending) and their bytes.
    live: int = 0
    bytes: int = 0
    containers: tuple[Container, ...] = ()


class PartitionState(msgspec.Struct, frozen=True):
    """What a ledger remembers of one partition: committed cursors and live items by leg."""

    cursors: Mapping[Leg, Cursor | None]
    #: Live items by leg, without withdrawn ones.
    live: Mapping[Leg, int]
    #: Owed items of which no finished version is stored: what they add to the live ones of the weakest leg.
    owed: int = 0
    #: The cursor from which no leg misses anything: None if a leg has none, else the one committed first.
    weakest: Cursor | None = None
    #: A pass is under way: True if its seen keys are recorded from its beginning, False if not. None: no pass.
    tracking: bool | None = None


class OutboxRow(msgspec.Struct, frozen=True):
    """A manifest row that waits to be written into a segment."""

    seq: int
    #: Epoch under which the row was committed; a segment never mixes two.
    epoch: int
    #: One line of JSON, without the newline.
    line: bytes


class Group(msgspec.Struct, frozen=True):
    """Stored members of a group, for `Page.closes`."""

    group: GroupKey
    keys: tuple[ItemKey, ...]
