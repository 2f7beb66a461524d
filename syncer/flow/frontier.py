"""The frontier: a cursor passes a page only when every reference on it has settled.

Tickets stand for pages, in emission order, one queue a partition. A ticket counts the items of its page
that are still on their way. What a page says beyond its items (keys seen, keys gone, the end of a pass)
travels on its ticket, so that it reaches the checkpoint in the transaction that moves the cursor past it.
"""

from collections import deque
from collections.abc import Sequence
from typing import Literal

import msgspec

from syncer.flow.account import counted
from syncer.model.checkpoint import Verdict
from syncer.model.entries import Leg
from syncer.model.refs import AnnotationRef, Cursor, ItemKey, Partition, PassEnd, Piece


class Ticket(msgspec.Struct):
    """A page on its way through the run."""

    partition: Partition
    cursor: Cursor | None = None
    end: PassEnd | None = None
    #: Items of the page that have not settled.
    open: int = 0
    #: Keys on the page, for passes whose end can prove deletions.
    seen: Sequence[ItemKey] = ()
    #: Keys listed as finished, where some item waits to be deleted: it may be back.
    listed: Sequence[ItemKey] = ()
    #: (key, cause, reason) of stored items that the page shows to be gone or withdrawn.
    doomed: Sequence[tuple[ItemKey, str, str]] = ()
    #: True or False on the first ticket of a pass: see `CommitGroup.began`.
    began: bool | None = None
    #: The piece of work that listing the page was.
    piece: Piece | None = None


class Wanted(msgspec.Struct):
    """A reference that at least one leg lacks."""

    ref: AnnotationRef
    verdicts: dict[Leg, Verdict]
    #: Pages that wait for it; more than one if a listing repeats itself.
    tickets: list[Ticket]
    #: A newer version of the same key was listed before this one was written: drop it.
    superseded: bool = False
    #: It went to the writer: from here on a newer version simply follows it.
    sent: bool = False
    #: It was owed by an earlier run.
    replayed: bool = False
    attempts: int = 0
    #: It was owed, or an older version of it that it superseded. Set by `Frontier.want`.
    owed: bool = False


class Frontier(msgspec.Struct):
    """Tickets of one run of a unit, a queue for each partition."""

    _queues: dict[str, deque[Ticket]] = msgspec.field(default_factory=dict)
    #: Wanted and not yet settled, by key.
    inflight: dict[ItemKey, Wanted] = msgspec.field(default_factory=dict)

    def admit(self, ticket: Ticket) -> None:
        """Add a page behind those already admitted of its partition."""
        self._queues.setdefault(ticket.partition.key.canonical(), deque()).append(ticket)

    def want(self, wanted: Wanted) -> Literal["new", "joined", "superseding"]:
        """Register a wanted item.

        "joined": the same version is already on its way, and the page just waits for it. "superseding": an older
        version of the same key is not fetched yet, and never will be written.
        """
        ticket = wanted.tickets[0]
        earlier = self.inflight.get(wanted.ref.key)
        ticket.open += 1
        wanted.owed = wanted.replayed or (earlier is not None and earlier.owed)
        if earlier is not None and earlier.ref.version == wanted.ref.version and not earlier.superseded:
            earlier.tickets.append(ticket)
            return "joined"
        self.inflight[wanted.ref.key] = wanted
        if earlier is None or earlier.sent:
            return "new"
        earlier.superseded = True
        wanted.tickets.extend(earlier.tickets)
        earlier.tickets = []
        return "superseding"

    def settle(self, wanted: Wanted) -> None:
        """An item is durable, or recorded as owed, in every leg that takes part."""
        for ticket in wanted.tickets:
            ticket.open -= 1
        wanted.tickets = []
        if self.inflight.get(wanted.ref.key) is wanted:
            del self.inflight[wanted.ref.key]

    def passed(self) -> list[Ticket]:
        """Take off, in order, every page at the front that has nothing open."""
        done: list[Ticket] = []
        for queue in self._queues.values():
            while queue and queue[0].open == 0:
                done.append(queue.popleft())
        return done

    def unsettled(self) -> int:
        """Return how many listed labels have not settled."""
        return sum(counted(key) and not item.replayed for key, item in self.inflight.items())

    @property
    def waiting(self) -> int:
        """Pages that have not passed."""
        return sum(len(queue) for queue in self._queues.values())
