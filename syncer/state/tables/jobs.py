"""What is asked of a job as a whole: its layouts, claims, partitions, owed items and counters; and forgetting it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from syncer.model.checkpoint import OwedItem
from syncer.model.entries import Leg
from syncer.model.errors import SettingsError
from syncer.model.refs import ItemKey, PartitionKey
from syncer.ports import JobStatus
from syncer.state.claims import absolute, around, below
from syncer.state.names import short
from syncer.state.tables.debts import OWED, owed_item
from syncer.state.tables.opening import job_id
from syncer.state.tables.rows import stamp
from syncer.state.tables.transaction import Transaction

_POSITIONS = (
    " FROM positions AS s JOIN legs AS l ON l.id = s.leg JOIN partitions AS p ON p.id = s.partition"
    " JOIN jobs AS j ON j.id = l.job WHERE j.name = ?1"
)


#: Counters of a job, in the order of `JobStatus`.
_COUNTED = ("s.live + s.pending_live", "s.bytes + s.pending_bytes", "s.owed", "s.gone + s.withdrawn", "s.pending")


def layout(transaction: Transaction, job: str, leg: Leg) -> Mapping[str, str] | None:
    """Return the layout of a leg."""
    found = transaction.execute(
        "SELECT l.layout FROM legs AS l JOIN jobs AS j ON j.id = l.job WHERE j.name = ? AND l.name = ?", (job, leg)
    ).fetchone()
    return None if found is None or found[0] is None else json.loads(found[0])


def set_layout(transaction: Transaction, job: str, leg: Leg, layout: Mapping[str, str], url: str) -> None:
    """Remember the layout of a leg."""
    transaction.execute(
        "INSERT INTO legs (job, name, url, layout) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (job, name) DO UPDATE SET url = excluded.url, layout = excluded.layout",
        (_known(transaction, job), leg, url, json.dumps(dict(layout), sort_keys=True)),
    )


def claim(transaction: Transaction, job: str, root: str, paths: Sequence[str]) -> None:
    """Claim places for a job.

    Raises:
        SettingsError: another job has one of them, or lies inside or around it.
    """
    places = [absolute(root, path) for path in paths]
    for place in places:
        taken = transaction.execute(
            "SELECT j.name, c.place FROM claims AS c JOIN jobs AS j ON j.id = c.job WHERE j.name <> ?1"
            " AND (c.place IN (SELECT value FROM json_each(?2)) OR (c.place >= ?3 AND c.place < ?4)) ORDER BY c.place",
            (job, json.dumps(around(place)), *below(place)),
        ).fetchone()
        if taken is not None:
            other, theirs = taken
            where = place if place == theirs else f"{place} (which meets {theirs})"
            message = f"job {job} can't write to {where}: it belongs to job {other}"
            hint = f"give one of the jobs another sink path, or forget the other: `syncer state reset {other}`"
            raise SettingsError(message, hint=hint)
    number = _known(transaction, job)
    transaction.executemany(
        "INSERT INTO claims (place, job) VALUES (?, ?) ON CONFLICT DO NOTHING", [(place, number) for place in places]
    )


def partitions(transaction: Transaction, job: str) -> dict[PartitionKey, int]:
    """Return the partitions that hold something or were listed, with the live items of the leg that has most."""
    rows = transaction.execute(
        "SELECT p.key, max(s.live + s.pending_live - s.context - s.pending_context)"
        f"{_POSITIONS} GROUP BY p.id, p.key, p.released HAVING max(s.live + s.pending_live) > 0 OR (NOT p.released AND"
        " count(s.cursor) > 0) ORDER BY p.key",
        (job,),
    )
    return {PartitionKey.parse(key): live for key, live in rows}


def release(transaction: Transaction, job: str, keys: Sequence[PartitionKey]) -> None:
    """Forget partitions: what lies in them is doomed."""
    for key in keys:
        found = transaction.execute(
            "SELECT p.id FROM partitions AS p JOIN jobs AS j ON j.id = p.job WHERE j.name = ? AND p.key = ?",
            (job, key.canonical()),
        ).fetchone()
        if found is None:
            continue
        transaction.execute("UPDATE partitions SET released = TRUE, tracking = NULL WHERE id = ?", found)
        transaction.execute("DELETE FROM seen WHERE partition = ?", found)
        for (position,) in transaction.execute("SELECT id FROM positions WHERE partition = ?", found).fetchall():
            transaction.execute("DELETE FROM owed WHERE position = ?", (position,))
            transaction.execute(
                "UPDATE positions SET cursor = NULL, moved = 0, pass = 0, published_cursor = NULL,"
                " published_moved = 0, published_pass = 0 WHERE id = ?",
                (position,),
            )
            transaction.execute(
                "INSERT INTO doomed (position, key, cause, reason)"
                " SELECT position, key, 'gone', ?2 FROM items WHERE position = ?1"
                " UNION SELECT position, key, 'gone', ?2 FROM pending WHERE position = ?1 AND op <> 'delete'"
                " ON CONFLICT (position, key) DO UPDATE SET cause = 'gone', reason = excluded.reason, settled = FALSE",
                (position, "its partition was given up"),
            )


def rewind(transaction: Transaction, job: str) -> None:
    """Forget the cursors of a job; passes under way end with them."""
    of_job = "(SELECT p.id FROM partitions AS p JOIN jobs AS j ON j.id = p.job WHERE j.name = ?)"
    transaction.execute(f"DELETE FROM seen WHERE partition IN {of_job}", (job,))  # noqa: S608  # constants
    transaction.execute(f"UPDATE partitions SET tracking = NULL WHERE id IN {of_job}", (job,))  # noqa: S608  # constants
    transaction.execute(
        "UPDATE positions SET cursor = NULL, moved = 0, pass = 0, published_cursor = NULL,"  # noqa: S608  # constants
        f" published_moved = 0, published_pass = 0 WHERE partition IN {of_job}",
        (job,),
    )


def all_owed(transaction: Transaction, job: str) -> list[OwedItem]:
    """Return every owed item of a job, by leg and partition."""
    columns = ", ".join(f"o.{name}" for name in OWED.split(", "))
    rows = transaction.execute(
        f"SELECT l.name, p.key, {columns} FROM owed AS o JOIN positions AS s ON s.id = o.position"  # noqa: S608  # constants
        " JOIN legs AS l ON l.id = s.leg JOIN partitions AS p ON p.id = s.partition JOIN jobs AS j ON j.id = l.job"
        " WHERE j.name = ? AND NOT o.settled ORDER BY l.name, p.key, o.key",
        (job,),
    )
    return [owed_item(leg, PartitionKey.parse(partition), record) for leg, partition, *record in rows]


def postpone(transaction: Transaction, job: str, keys: Sequence[ItemKey], until: datetime | None) -> int:
    """Set or lift the postponement of owed items in all legs; return how many items there were."""
    count = 0
    for key in dict.fromkeys(keys):
        changed = transaction.execute(
            "UPDATE owed SET ignored_until = ?1, next = CASE WHEN CAST(?1 AS TEXT) IS NULL THEN NULL ELSE next END"
            " WHERE key = ?2 AND NOT settled AND position IN (SELECT s.id FROM positions AS s"
            " JOIN partitions AS p ON p.id = s.partition JOIN jobs AS j ON j.id = p.job"
            " WHERE j.name = ?3 AND p.key = ?4)",
            (stamp(until), short(key), job, key.partition.canonical()),
        ).rowcount
        count += changed > 0
    return count


def status(transaction: Transaction, job: str, leases: Mapping[str, str]) -> JobStatus:
    """Return the counters of a job."""
    rows = transaction.execute(
        f"SELECT l.name, {', '.join(f'CAST(sum({each}) AS BIGINT)' for each in _COUNTED)}"
        f"{_POSITIONS} GROUP BY l.name ORDER BY l.name",
        (job,),
    ).fetchall()
    items, size, owed, doomed, pending = ({row[0]: row[i] for row in rows} for i in range(1, 6))
    return JobStatus(job, items, size, owed, doomed, pending, len(partitions(transaction, job)), leases)


def names(transaction: Transaction) -> list[str]:
    """Return the names of all jobs that were not forgotten."""
    return [name for (name,) in transaction.execute("SELECT name FROM jobs WHERE NOT forgotten ORDER BY name")]


def reset(transaction: Transaction, job: str) -> None:
    """Forget a job. Its units go on counting epochs, and its history stays."""
    found = transaction.execute("SELECT id FROM jobs WHERE name = ?", (job,)).fetchone()
    if found is None:
        return
    of_legs = "(SELECT id FROM legs WHERE job = ?1)"
    positions = f"(SELECT id FROM positions WHERE leg IN {of_legs})"  # noqa: S608  # constants
    for table in ("items", "pending", "owed", "doomed"):
        transaction.execute(f"DELETE FROM {table} WHERE position IN {positions}", found)  # noqa: S608  # constants
    berths = f"(SELECT id FROM leg_units WHERE leg IN {of_legs})"  # noqa: S608  # constants
    for table in ("outbox", "containers"):
        transaction.execute(f"DELETE FROM {table} WHERE leg_unit IN {berths}", found)  # noqa: S608  # constants
    transaction.execute("DELETE FROM seen WHERE partition IN (SELECT id FROM partitions WHERE job = ?)", found)
    for table in ("positions", "leg_units"):
        transaction.execute(f"DELETE FROM {table} WHERE leg IN {of_legs}", found)  # noqa: S608  # constants
    for table in ("partitions", "claims", "legs", "memories"):
        transaction.execute(f"DELETE FROM {table} WHERE job = ?", found)  # noqa: S608  # constants
    # Whoever still holds a ledger of it is fenced off.
    transaction.execute("UPDATE units SET epoch = epoch + 1 WHERE job = ?", found)
    transaction.execute("UPDATE jobs SET forgotten = TRUE WHERE id = ?", found)


def rename(transaction: Transaction, old: str, new: str) -> None:
    """Give a job another name.

    Raises:
        SettingsError: there is no such job, or the new name is taken.
    """
    if old not in names(transaction):
        message = f"there is no job {old} in this state"
        raise SettingsError(message, hint="`syncer status` lists the jobs that there are")
    if old == new:
        return
    taken = transaction.execute("SELECT id, forgotten FROM jobs WHERE name = ?", (new,)).fetchone()
    if taken is not None and not taken[1]:
        message = f"there is a job {new} in this state already"
        raise SettingsError(message, hint=f"choose another name, or forget that one: `syncer state reset {new}`")
    (number,) = transaction.execute("SELECT id FROM jobs WHERE name = ?", (old,)).fetchone()
    if taken is not None:
        # The forgotten job wrote under this name once: its epochs are not used again.
        transaction.execute(
            "INSERT INTO units (job, name, epoch) SELECT ?1, name, epoch FROM units WHERE job = ?2"
            " ON CONFLICT (job, name) DO UPDATE SET epoch = excluded.epoch WHERE excluded.epoch > units.epoch",
            (number, taken[0]),
        )
        transaction.execute("DELETE FROM units WHERE job = ?", taken[:1])
        transaction.execute("DELETE FROM memories WHERE job = ?", taken[:1])
        transaction.execute("DELETE FROM jobs WHERE id = ?", taken[:1])
    transaction.execute("UPDATE jobs SET name = ? WHERE id = ?", (new, number))
    transaction.execute("DELETE FROM runs WHERE job = ?1 AND run IN (SELECT run FROM runs WHERE job = ?2)", (new, old))
    transaction.execute("UPDATE runs SET job = ? WHERE job = ?", (new, old))


def _known(transaction: Transaction, job: str) -> int:
    number = job_id(transaction, job)
    transaction.execute("UPDATE jobs SET forgotten = FALSE WHERE id = ? AND forgotten", (number,))
    return number
