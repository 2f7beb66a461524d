"""Comparing a page with what each leg holds, and settling the paths of what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from syncer.model.checkpoint import Action, Candidate, LegSpec, Verdict
from syncer.model.entries import Leg, StoredRow
from syncer.model.paths import suffixed
from syncer.model.refs import ItemKey
from syncer.state.names import keeps, place_of
from syncer.state.tables.held import Debt, held_and_owed
from syncer.state.tables.rows import grouped, tokens
from syncer.state.tables.session import Fingerprints, Session
from syncer.state.tables.transaction import Transaction

#: Why a withdrawn item that is listed again counts as changed.
BACK = "finished again"

#: Stands for the position of a leg in a partition that it never saw.
NOWHERE = 0


class _Open(msgspec.Struct, frozen=True):
    """A candidate that a leg has to store, before its path is settled."""

    #: Where the verdict goes.
    answer: dict[Leg, Verdict]
    leg: Leg
    key: ItemKey
    #: Position and short key.
    at: tuple[int, str]
    wish: str
    place: int
    action: Action
    reason: str
    row: StoredRow | None
    debt: Debt | None


def classify(
    transaction: Transaction, session: Session, candidates: Sequence[Candidate], now: datetime
) -> list[Mapping[Leg, Verdict]]:
    """Answer each candidate for each leg that it has a wish for, in the order of the page."""
    legs = {leg for candidate in candidates for leg in candidate.paths}
    keys = [candidate.ref.key for candidate in candidates]
    groups = grouped(keys)
    rows, debts = held_and_owed(transaction, session, legs, groups)
    scopes = {leg: session.scope(leg) for leg in legs}
    verdicts: list[dict[Leg, Verdict]] = []
    wanting: list[_Open] = []
    for candidate, (partition, text) in zip(candidates, tokens(keys), strict=True):
        answer: dict[Leg, Verdict] = {}
        verdicts.append(answer)
        for leg, wish in candidate.paths.items():
            at = (session.positions[leg].get(partition, NOWHERE), text)
            row, debt = rows.get(at), debts.get(at)
            action, reason = compared(row, debt, candidate.ref.version, session.specs[leg], session.fingerprints, now)
            if action is Action.SAME and row is not None:
                answer[leg] = Verdict(action, row.path, row)
            elif action is Action.IGNORED:
                path = (row and row.path) or (debt and debt.path) or wish
                answer[leg] = Verdict(action, path, row)
            else:
                place = place_of(scopes[leg], wish)
                wanting.append(_Open(answer, leg, candidate.ref.key, at, wish, place, action, reason, row, debt))
    settler = _Settler(transaction, session)
    settler.look_up(each.place for each in wanting)
    for each in wanting:
        each.answer[each.leg] = Verdict(each.action, settler.settle(each), each.row, each.reason)
    return list(verdicts)


def compared(
    row: StoredRow | None, debt: Debt | None, version: str, spec: LegSpec, fingerprints: Fingerprints, now: datetime
) -> tuple[Action, str]:
    """Return what a leg has to do about a listed version, and why it counts as changed."""
    reason = ""
    if row is not None:
        if row.withdrawn is not None:
            reason = BACK
        elif row.version != version:
            reason = "version"
        elif row.fingerprint != spec.fingerprint:
            reason = fingerprints.changed(row.fingerprint, spec)
        else:
            return Action.SAME, ""
    if debt is not None and debt.ignored_until is not None and debt.ignored_until > now:
        return Action.IGNORED, ""
    return (Action.NEW if row is None else Action.CHANGED), reason


class _Settler(msgspec.Struct):
    """Settles wishes against rows, owed items, and paths settled before in this process, in emission order."""

    transaction: Transaction
    session: Session
    holders: dict[int, list[tuple[int, str]]] = msgspec.field(default_factory=dict)

    def look_up(self, places: Iterable[int]) -> None:
        """Find the rows that hold these places; one query."""
        wanted = sorted(set(places) - self.holders.keys())
        self.holders.update((place, []) for place in wanted)
        for place, position, key in self.transaction.holders(wanted):
            self.holders[place].append((position, key))

    def settle(self, item: _Open) -> str:
        """Return the path that the item gets, and hold it until it is stored."""
        before = self.session.settled.get((item.leg, item.key), (None, 0))[0] if self.session.settled else None
        stored = None if item.row is None else item.row.path
        owed = None if item.debt is None else item.debt.path
        for kept in (stored, owed, before):
            if kept is not None and keeps(kept, item.wish, item.key.canonical()):
                return kept
        path, place = item.wish, item.place
        while self._taken(item, place):
            path = suffixed(path, item.key.canonical())
            place = place_of(self.session.scope(item.leg), path)
            self.look_up([place])
        self.session.reserve(item.leg, item.key, path, place)
        return path

    def _taken(self, item: _Open, place: int) -> bool:
        if self.session.reserved.get(place, item.key) != item.key:
            return True
        # Another unit is about to delete what lies there. (This one writes after it deleted.)
        if self.session.vacating.get(place, self.session.unit.name) != self.session.unit.name:
            return True
        holders = self.holders[place]
        return bool(holders) and any(holder != item.at for holder in holders)
