"""One commit: rows, owed items, doomed items, cursors and counters of a unit, all of it or nothing."""

from collections.abc import Sequence

import msgspec

from syncer.model.checkpoint import Change, CommitGroup
from syncer.model.entries import Leg, StoredRow
from syncer.model.rows import encode_row
from syncer.state.tables import debts, outbox, passes, places
from syncer.state.tables.rows import manifest_row, shown, tokens, values
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import Record, Transaction

#: What stands in a withdrawn row that nobody gave a reason for.
NO_REASON = "no longer finished"


class _Final(msgspec.Struct, frozen=True):
    """The last word of a group about one key of one leg."""

    op: str
    reason: str
    row: StoredRow
    withdrawn: str | None


def commit(transaction: Transaction, session: Session, group: CommitGroup) -> None:
    """Move everything in the group.

    What is listed as finished and found gone in the same group counts as finished: a deletion can wait for
    the next pass, an item can't.

    Raises:
        Fenced: the unit is not ours any more; nothing was written.
    """
    session.fence(transaction)
    for leg, changes in group.changes.items():
        _change(transaction, session, leg, changes, group)
    for leg, resume in group.resume.items():
        published = ", published_resume = ?2" if session.specs[leg].immediate else ""
        transaction.execute(
            f"UPDATE leg_units SET resume = ?2{published} WHERE id = ?1",  # noqa: S608  # constants
            (session.leg_units[leg], resume),
        )
    debts.owe(transaction, session, group.owed, group.at)
    for leg, keys in group.cleared.items():
        debts.clear(transaction, session, leg, keys)
    back = set(group.revived)
    debts.doom(transaction, session, group.live, [each for each in group.doomed if each[0] not in back])
    debts.revive(transaction, session, group.live, group.revived)
    passes.move(transaction, session, group)


def _change(
    transaction: Transaction, session: Session, leg: Leg, changes: Sequence[Change], group: CommitGroup
) -> None:
    keys = tokens(change.row.key for change in changes)
    where = [(session.position(transaction, leg, partition), text) for partition, text in keys]
    final = _final(changes, where)
    # In the order of the index: neighbours are written together.
    records = [
        (values(transaction, session, leg, *at, each.row, each.withdrawn), each) for at, each in sorted(final.items())
    ]
    if session.specs[leg].immediate:
        left = places.left(transaction, changes, where)
        _store(transaction, records)
        at = shown(group.at)
        lines = [
            encode_row(manifest_row(change.op, change.row, change.reason, group.run, at, place))
            for change, place in zip(changes, left, strict=True)
            if change.op != "keep"
        ]
        outbox.append(transaction, session.leg_units[leg], session.epoch, lines)
    else:
        transaction.put("pending", [(*record, each.op, each.reason) for record, each in records])
    stored: dict[int, list[str]] = {}
    for position, text in final:
        stored.setdefault(position, []).append(text)
    debts.settle(transaction, session, leg, stored)
    if session.settled:
        session.free((leg, change.row.key) for change in changes)


def _store(transaction: Transaction, records: Sequence[tuple[Record, _Final]]) -> None:
    transaction.put("items", [record for record, each in records if each.op != "delete"])
    transaction.executemany(
        "DELETE FROM items WHERE position = ? AND key = ?",
        [record[:2] for record, each in records if each.op == "delete"],
    )


def _final(changes: Sequence[Change], where: Sequence[places.At]) -> dict[places.At, _Final]:
    """Return what is left of each key after all its changes, by position and short key."""
    final: dict[places.At, _Final] = {}
    for change, at in zip(changes, where, strict=True):
        op, reason, row = change.op, change.reason, change.row
        withdrawn = (reason or row.withdrawn or NO_REASON) if op in {"withdraw", "keep"} else None
        before = final.get(at)
        if op == "keep" and before is not None and before.op != "delete":
            # Keeping is not told to the manifest: what was to be told before still is.
            op, reason = before.op, before.reason
        final[at] = _Final(op, reason, row, withdrawn)
    return final
