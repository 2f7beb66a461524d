"""Cursors, and passes: what a full listing saw, and what its end proves to be gone.

Absence proves deletion for a leg only if the pass was recorded from its beginning, and the leg took part from its
beginning. Every position therefore remembers the pass in which its *cursor* stands: a leg that fell behind, went back
to its published cursor, or whose run died before its first new cursor, is never judged by what another listing saw.
"""

from collections.abc import Collection

from syncer.model.checkpoint import CommitGroup, PartitionState
from syncer.model.entries import Leg
from syncer.model.refs import Cursor, ItemKey, PartitionKey
from syncer.state.names import short
from syncer.state.tables.held import EACH, VISIBLE
from syncer.state.tables.rows import array
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import Transaction

#: Where a cursor stands that was committed outside of any pass that we saw begin.
UNKNOWN = -1

#: Reason of items that a complete listing did not contain.
UNLISTED = "no longer listed"

_MOVE = "UPDATE positions SET cursor = ?2, moved = ?3, pass = ?4 WHERE id = ?1"
_PUBLISH = (
    "UPDATE positions SET published_cursor = cursor, published_moved = moved, published_pass = pass WHERE id = ?1"
)


def move(transaction: Transaction, session: Session, group: CommitGroup) -> None:
    """Move the cursors of a commit, and the passes with them."""
    touched = {*group.cursors, *group.began, *group.seen, *group.ended, *group.subtract}
    for key in sorted(touched, key=PartitionKey.canonical):
        _move(transaction, session, group, key)


def _move(transaction: Transaction, session: Session, group: CommitGroup, key: PartitionKey) -> None:
    partition = session.partition(transaction, key)
    number, tracking, moves = transaction.execute(
        "SELECT pass, tracking, moves FROM partitions WHERE id = ?", (partition,)
    ).fetchone()
    legs = {leg: session.position(transaction, leg, key) for leg in sorted(group.live)}
    if key in group.began:
        number, tracking = number + 1, int(group.began[key])
        transaction.execute("DELETE FROM seen WHERE partition = ?", (partition,))
        session.joined.update(dict.fromkeys(legs.values(), number))
    if tracking and group.seen.get(key):
        transaction.execute("INSERT INTO seen (partition, keys) VALUES (?, ?)", (partition, _texts(group.seen[key])))
    takes_part = {leg: _joined(transaction, session, position) == number > 0 for leg, position in legs.items()}
    if tracking and key in group.subtract:
        subtract(transaction, partition, [legs[leg] for leg in legs if takes_part[leg]], group.spared)
    ended = key in group.ended or key in group.subtract
    if ended:
        tracking = None
        transaction.execute("DELETE FROM seen WHERE partition = ?", (partition,))
    transaction.execute(
        "UPDATE partitions SET pass = ?, tracking = ?, moves = ?, released = FALSE WHERE id = ?",
        (number, tracking, moves + 1, partition),
    )
    for leg, position in legs.items():
        if key in group.cursors:
            stands = 0 if ended else (number if takes_part[leg] else UNKNOWN)
            transaction.execute(_MOVE, (position, group.cursors[key], moves + 1, stands))
            if session.specs[leg].immediate:
                transaction.execute(_PUBLISH, (position,))


def _joined(transaction: Transaction, session: Session, position: int) -> int:
    """Return the pass in which a position takes part: that of its cursor, unless one began in this session."""
    if position in session.joined:
        return session.joined[position]
    (stands,) = transaction.execute("SELECT pass FROM positions WHERE id = ?", (position,)).fetchone()
    return int(stands)


def subtract(transaction: Transaction, partition: int, positions: Collection[int], spared: Collection[str]) -> None:
    """Doom the live items that the pass never saw. Owed ones wait for their replay to say what became of them.

    Items of the kinds `spared` are left alone: the pass did not look for them.
    """
    looked_for = "".join(f" AND substr(i.key, 1, {len(kind) + 1}) <> '{kind}/'" for kind in sorted(spared))
    # Sorted once into a table of its own, on disk if it is large: a page of the listing costs no more than an append.
    transaction.scratch("listed", "key")
    transaction.execute(
        "INSERT INTO listed SELECT DISTINCT k.value FROM seen AS s, json_each(s.keys) AS k WHERE s.partition = ?"
        " ORDER BY k.value",
        (partition,),
    )
    for position in positions:
        for table, condition in (("items", VISIBLE), ("pending", "i.op <> 'delete'")):
            transaction.execute(
                "INSERT INTO doomed (position, key, cause, reason)"  # noqa: S608  # constants
                f" SELECT i.position, i.key, 'gone', ?2 FROM {table} AS i"
                f" WHERE i.position = ?1 AND i.withdrawn IS NULL AND {condition}"
                f" AND NOT EXISTS (SELECT 1 FROM listed AS l WHERE l.key = i.key {EACH})"
                " AND NOT EXISTS (SELECT 1 FROM owed AS o"
                f" WHERE o.position = i.position AND o.key = i.key AND NOT o.settled {EACH}){looked_for}"
                # What the platform itself said of the item's end says more than that it was not listed.
                " ON CONFLICT (position, key) DO UPDATE SET settled = FALSE, cause = 'gone', reason ="
                " CASE WHEN doomed.settled OR doomed.cause <> 'gone' THEN excluded.reason ELSE doomed.reason END",
                (position, UNLISTED),
            )
    transaction.execute("DELETE FROM listed")


def partition_state(
    transaction: Transaction, session: Session, key: PartitionKey, live: Collection[Leg] | None
) -> PartitionState:
    """Return where a partition stands, as far as the given legs (None: all) are concerned."""
    legs = sorted(session.specs if live is None else live)
    cursors: dict[Leg, Cursor | None] = dict.fromkeys(legs)
    items: dict[Leg, int] = dict.fromkeys(legs, 0)
    known: dict[Leg, int] = dict.fromkeys(legs, 0)
    moved: dict[Leg, int] = {}
    stands: set[int] = set()
    for leg in legs:
        position = session.positions[leg].get(key)
        if position is None:
            continue
        cursor, when, stand, count, owed = transaction.execute(
            "SELECT cursor, moved, pass, live + pending_live - context - pending_context, owed"
            " FROM positions WHERE id = ?",
            (position,),
        ).fetchone()
        cursors[leg], items[leg] = cursor, count
        known[leg] = count + (_unheld(transaction, position) if owed else 0)
        if cursor is not None:
            moved[leg] = when
        stands.add(stand)
    first = min(moved, key=lambda leg: moved[leg]) if legs and len(moved) == len(legs) else None
    return PartitionState(
        cursors=cursors,
        live=items,
        owed=min(known.values(), default=0) - min(items.values(), default=0),
        weakest=None if first is None else cursors[first],
        tracking=_tracking(transaction, session.partitions.get(key), stands),
    )


def _tracking(transaction: Transaction, partition: int | None, stands: set[int]) -> bool | None:
    if partition is None or not any(stands):
        return None
    number, tracking = transaction.execute(
        "SELECT pass, tracking FROM partitions WHERE id = ?", (partition,)
    ).fetchone()
    return bool(tracking) and stands == {number}


def _unheld(transaction: Transaction, position: int) -> int:
    """Count the owed items of which no finished version is stored; there are few, and context is not counted."""
    (count,) = transaction.execute(
        "SELECT count(*) FROM owed AS o WHERE o.position = ?1 AND NOT o.settled AND substr(o.key, 1, 8) <> 'context/'"  # noqa: S608  # constants
        " AND NOT EXISTS (SELECT 1 FROM items AS i WHERE i.position = ?1 AND i.key = o.key"
        f" AND i.withdrawn IS NULL AND {VISIBLE})"
        " AND NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.position = ?1 AND p.key = o.key"
        " AND p.op <> 'delete' AND p.withdrawn IS NULL)",
        (position,),
    ).fetchone()
    return int(count)


def _texts(keys: Collection[ItemKey]) -> str:
    return array({short(key) for key in keys})
