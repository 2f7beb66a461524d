"""What a ledger says of itself: positions of legs, and the checkpoint that stands beside the data."""

from collections.abc import Mapping

from syncer.model.checkpoint import LegState, OwedItem
from syncer.model.entries import Container, Leg
from syncer.model.refs import PartitionKey
from syncer.model.snapshot import checkpoint_document
from syncer.state.tables.debts import OWED, owed_item
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import Transaction


def legs(transaction: Transaction, session: Session) -> dict[Leg, LegState]:
    """Return the committed position of each leg."""
    return {leg: _leg(transaction, session, leg) for leg in session.specs}


def checkpoint(transaction: Transaction, session: Session, leg: Leg) -> Mapping[str, object]:
    """Return the published position of a leg; an item stored in an unpublished container is still owed there."""
    cursors: dict[PartitionKey, str | None] = {}
    owed: list[OwedItem] = []
    live = size = 0
    for partition, position in sorted(session.positions[leg].items(), key=lambda each: each[0].canonical()):
        cursor, items, bytes_ = transaction.execute(
            "SELECT published_cursor, live, bytes FROM positions WHERE id = ?", (position,)
        ).fetchone()
        cursors[partition] = cursor
        live, size = live + items, size + bytes_
        rows = transaction.execute(f"SELECT {OWED} FROM owed WHERE position = ? ORDER BY key", (position,))  # noqa: S608  # constants
        owed += [owed_item(leg, partition, record) for record in rows]
    return checkpoint_document(cursors, owed, live=live, size=size, epoch=session.epoch)


def _leg(transaction: Transaction, session: Session, leg: Leg) -> LegState:
    pending, live, size = transaction.execute(
        "SELECT CAST(coalesce(sum(pending), 0) AS BIGINT), CAST(coalesce(sum(live + pending_live), 0) AS BIGINT),"
        " CAST(coalesce(sum(bytes + pending_bytes), 0) AS BIGINT) FROM positions"
        " WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
        (session.of_leg(leg),),
    ).fetchone()
    leg_unit = session.leg_units.get(leg)
    resume, staged = transaction.execute(
        "SELECT resume, staged FROM leg_units WHERE id = ?", (leg_unit,)
    ).fetchone() or (None, None)
    containers = transaction.execute(
        "SELECT name, tag, size, sha256, live, dead FROM containers WHERE leg_unit = ? ORDER BY name", (leg_unit,)
    )
    return LegState(resume, staged, pending, live, size, tuple(Container(*row) for row in containers))
