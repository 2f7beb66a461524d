"""Comparing a page with what each leg holds, and settling the paths of what is missing."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from syncer.model.checkpoint import Action, Candidate, LegSpec, Verdict
from syncer.model.entries import Leg, StoredRow
from syncer.model.paths import suffixed
from syncer.model.refs import ItemKey
from syncer.state.names import keeps, place_of, short
from syncer.state.sqlite.held import Debt, held, owing
from syncer.state.sqlite.session import Fingerprints, Session

#: Why a withdrawn item that is listed again counts as changed.
BACK = "finished again"

_HOLDERS = " UNION ALL ".join(
    f"SELECT t.place, t.position, t.key FROM json_each(?1) AS w CROSS JOIN {table} AS t ON t.place = w.value"  # noqa: S608  # constants
    for table in ("items", "pending", "owed")
)


@dataclass(frozen=True, slots=True)
class _Open:
    """A candidate that a leg has to store, before its path is settled."""

    number: int
    leg: Leg
    action: Action
    reason: str
    place: int


def classify(
    connection: sqlite3.Connection, session: Session, candidates: Sequence[Candidate], now: datetime
) -> list[Mapping[Leg, Verdict]]:
    """Answer each candidate for each leg that it has a wish for, in the order of the page."""
    legs = {leg for candidate in candidates for leg in candidate.paths}
    keys = [candidate.ref.key for candidate in candidates]
    rows = held(connection, session, legs, keys)
    debts = owing(connection, session, legs, keys)
    scopes = {leg: session.scope(leg) for leg in legs}
    verdicts: list[dict[Leg, Verdict]] = [{} for _ in candidates]
    wanting: list[_Open] = []
    for number, candidate in enumerate(candidates):
        for leg, wish in candidate.paths.items():
            row, debt = rows.get((leg, candidate.ref.key)), debts.get((leg, candidate.ref.key))
            action, reason = compared(row, debt, candidate.ref.version, session.specs[leg], session.fingerprints, now)
            if action is Action.SAME and row is not None:
                verdicts[number][leg] = Verdict(action, row.path, row)
            elif action is Action.IGNORED:
                path = (row and row.path) or (debt and debt.path) or wish
                verdicts[number][leg] = Verdict(action, path, row)
            else:
                wanting.append(_Open(number, leg, action, reason, place_of(scopes[leg], wish)))
    settler = _Settler(connection, session)
    settler.look_up(each.place for each in wanting)
    for each in wanting:
        key, wish = candidates[each.number].ref.key, candidates[each.number].paths[each.leg]
        row, debt = rows.get((each.leg, key)), debts.get((each.leg, key))
        kept = (None if row is None else row.path, None if debt is None else debt.path)
        path = settler.settle(each.leg, key, wish, each.place, kept)
        verdicts[each.number][each.leg] = Verdict(each.action, path, row, each.reason)
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


@dataclass(slots=True)
class _Settler:
    """Settles wishes against rows, owed items, and paths settled before in this process, in emission order."""

    connection: sqlite3.Connection
    session: Session
    holders: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def look_up(self, places: Iterable[int]) -> None:
        """Find the rows that hold these places; one query."""
        wanted = sorted(set(places) - self.holders.keys())
        self.holders.update((place, []) for place in wanted)
        for place, position, key in self.connection.execute(_HOLDERS, (orjson.dumps(wanted).decode(),)):
            self.holders[place].append((position, key))

    def settle(self, leg: Leg, key: ItemKey, wish: str, place: int, kept: Iterable[str | None]) -> str:
        """Return the path that the item gets, and hold it until it is stored."""
        canonical = key.canonical()
        for path in kept:
            if path is not None and keeps(path, wish, canonical):
                return path
        before = self.session.settled.get((leg, key))
        if before is not None and keeps(before[0], wish, canonical):
            return before[0]
        path, scope = wish, self.session.scope(leg)
        while self._taken(leg, key, place):
            path = suffixed(path, canonical)
            place = place_of(scope, path)
            self.look_up([place])
        self.session.reserve(leg, key, path, place)
        return path

    def _taken(self, leg: Leg, key: ItemKey, place: int) -> bool:
        if self.session.reserved.get(place, key) != key:
            return True
        mine = (self.session.positions[leg].get(key.partition), short(key))
        return any(holder != mine for holder in self.holders[place])
