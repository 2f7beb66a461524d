"""Places of a destination: who holds one, what an item leaves when it moves, and which places may be cleared."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import orjson

from syncer.model.checkpoint import Change
from syncer.model.entries import Leg
from syncer.model.paths import fold
from syncer.state.names import place_of
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import Transaction

#: Position of a leg in a partition, and the short key of an item there.
At = tuple[int, str]

_PATHS = "SELECT i.key, i.path FROM items AS i WHERE i.position = ?1 AND i.key IN (SELECT value FROM json_each(?2))"


def left(transaction: Transaction, changes: Sequence[Change], where: Sequence[At]) -> list[str]:
    """Return what each change leaves behind: the place of its row so far, be it of this group or of an earlier one.

    Only the rows know it. An item that is listed again while an older version of it is on its way was compared with
    a row that is outdated when the newer version is stored.
    """
    asked: dict[int, list[str]] = defaultdict(list)
    for change, (position, key) in zip(changes, where, strict=True):
        if change.moves:
            asked[position].append(key)
    now: dict[At, str] = {}
    for position, keys in asked.items():
        found = transaction.execute(_PATHS, (position, orjson.dumps(keys).decode()))
        now.update(((position, key), path) for key, path in found)
    result: list[str] = []
    for change, at in zip(changes, where, strict=True):
        before, path = now.pop(at, ""), change.row.path
        # Two spellings that a file system may take for one name are one place.
        result.append(before if change.moves and fold(before) != fold(path) else "")
        if change.op != "delete":
            now[at] = path
    return result


def vacate(transaction: Transaction, session: Session, leg: Leg, paths: Collection[str]) -> frozenset[str]:
    """Return those of the paths that nobody holds, whichever unit; no other unit gets one of them for now."""
    scope = session.scope(leg)
    places = {place_of(scope, path): path for path in paths}
    for place, _, _ in transaction.holders(sorted(places)):
        places.pop(place, None)
    for place in list(places):
        owner = session.reserved.get(place)
        # What this unit settled for itself it writes later: one writer does both, one after the other.
        if owner is not None and (leg, owner) not in session.settled:
            del places[place]
    session.vacating.update(dict.fromkeys(places, session.unit.name))
    return frozenset(places.values())


def vacated(session: Session, leg: Leg, paths: Collection[str]) -> None:
    """Give places free that `vacate` returned."""
    scope = session.scope(leg)
    for path in paths:
        session.vacating.pop(place_of(scope, path), None)
