"""Compaction: dead entries are squeezed out, small parts are merged. Raw copies, through the ordinary seal and publish.

The live rows of a unit are passed by once, in any order. An entry of a part that gives itself up is copied to the part
that takes it in, and gets a receipt there; what no row asked for is dropped at the end. Until the publish everything
stays readable where it was, and parts that receive are published before those that give.
"""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby

import msgspec

from syncer.model.entries import Container, Receipt, StoredRow
from syncer.model.errors import DestinationChanged
from syncer.sinks.archive.form import Index
from syncer.sinks.archive.names import part_id
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.store import REPAIR, changed
from syncer.sinks.zip64.deflate import DamagedError
from syncer.sinks.zip64.readable import Readable

#: Share of dead entries from which a part is rewritten.
SHARE = 0.3
#: A part smaller than this share of the limit is merged into one before it.
_SMALL = 0.25
#: Parts that are open for reading at once.
_OPEN = 4


class Plan(msgspec.Struct, frozen=True):
    """What a compaction is going to do."""

    #: Parts that are rewritten without their dead entries.
    squeeze: frozenset[str]
    #: Parts that give all their entries away, and which part takes them.
    moves: Mapping[str, str]


def plan(containers: Iterable[Container], limit: int, *, merge: bool = True, share: float = SHARE) -> Plan:
    """Decide which parts to rewrite, and (with `merge`) which small ones to merge into others of the same stem."""
    moves: dict[str, str] = {}
    ordered = sorted(containers, key=lambda container: part_id(container.name))
    for _, group in groupby(ordered if merge else [], key=lambda container: part_id(container.name).stem):
        taker, room = "", 0.0
        for container in group:
            size = container.size * _live_share(container)
            if taker and size <= room and size < limit * _SMALL:
                moves[container.name] = taker
                room -= size
            else:
                taker, room = container.name, limit - size
    shrunk = {one.name for one in ordered if one.dead and 1 - _live_share(one) >= share}
    return Plan(frozenset(shrunk | set(moves) | set(moves.values())), moves)


class Compaction:
    """One compaction under way, on the open archives of a unit. Blocking; for the session's thread."""

    def __init__(self, parts: Parts, chosen: Plan) -> None:
        """Take the open archives, of which nothing may wait to be published."""
        self._parts, self._plan = parts, chosen
        self._wanted: dict[str, array[int]] = {name: array("q") for name in chosen.squeeze}
        self._givers: OrderedDict[str, tuple[ExitStack, Readable, Index]] = OrderedDict()

    def take(self, rows: Sequence[StoredRow]) -> list[Receipt]:
        """Let live rows pass by; return receipts of the entries that were moved.

        Raises:
            DestinationChanged: an entry is not where its row says.
        """
        receipts: list[Receipt] = []
        for row in rows:
            place = row.container or ""
            taker = self._plan.moves.get(place)
            if taker is not None:
                self._move(row, place, taker)
                receipts.append(Receipt(row.key, row.version, row.path, taker, row.size, row.sha256))
            if (taker or place) in self._wanted:
                self._wanted[taker or place].append(hash(row.path.encode()))
        for name in set(self._plan.moves.values()):
            self._parts.places.fresh_of(name).flush()
        return receipts

    def finish(self) -> int:
        """Drop what no row asked for; return how many entries that are."""
        return sum(self._drop(name, array("q", sorted(hashes))) for name, hashes in self._wanted.items())

    def close(self) -> None:
        """Close what was opened for reading."""
        while self._givers:
            self._givers.popitem()[1][0].close()

    def _drop(self, name: str, wanted: "array[int]") -> int:
        fresh, dropped, form = self._parts.places.fresh_of(name), 0, self._parts.rules.form
        try:
            with self._parts.store.open(name) as file:
                for record in form.listing(file, name).records():
                    at = bisect_left(wanted, hash(record.name))
                    # Two names with one hash: a dead entry may stay, a live one never goes.
                    if at == len(wanted) or wanted[at] != hash(record.name):
                        fresh.note("drop", record.name.decode())
                        dropped += 1
        except DamagedError as error:
            raise changed(self._parts.store.where(name), str(error)) from error
        fresh.flush()
        return dropped

    def _move(self, row: StoredRow, place: str, taker: str) -> None:
        try:
            file, index = self._giver(place)
            if not index.copy(file, row.path, self._parts.places.fresh_of(taker)):
                message = f"{self._parts.store.where(place)} does not hold {row.path[:200]!r}"
                raise DestinationChanged(message, hint=REPAIR)
        except DamagedError as error:
            raise changed(self._parts.store.where(place), str(error)) from error

    def _giver(self, place: str) -> tuple[Readable, Index]:
        """Return an open part and its index; rows come about in the order of parts, so few are open at once."""
        if place not in self._givers:
            with ExitStack() as stack:
                file = stack.enter_context(self._parts.store.open(place))
                index = self._parts.rules.form.index(file, place)
                self._givers[place] = stack.pop_all(), file, index
        self._givers.move_to_end(place)
        if len(self._givers) > _OPEN:
            self._givers.popitem(last=False)[1][0].close()
        return self._givers[place][1:]


def _live_share(container: Container) -> float:
    return container.live / max(1, container.live + container.dead)
