"""Between the values of the model and the columns of the tables."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from syncer.model.entries import Leg, StoredRow
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.model.rows import ManifestRow
from syncer.state.names import short
from syncer.state.sqlite.session import Session

#: Columns that `items` and `pending` share, in the order of `values` and `stored`.
NAMES = (
    "position", "key", "version", "fingerprint", "path", "place", "container", "size", "sha256", "fields", "grp",
    "withdrawn",
)  # fmt: skip
COLUMNS = ", ".join(NAMES)

#: What a conflicting insert writes over the row that is there.
_OVERWRITE = ", ".join(f"{name} = excluded.{name}" for name in NAMES[2:])

UPSERT_ITEM = (
    f"INSERT INTO items ({COLUMNS}) VALUES ({', '.join('?' * len(NAMES))})"  # noqa: S608  # names of this module
    f" ON CONFLICT (position, key) DO UPDATE SET {_OVERWRITE}"
)

#: A row that is only noted as kept leaves what its unpublished row has to tell the manifest.
UPSERT_PENDING = (
    f"INSERT INTO pending ({COLUMNS}, op, reason) VALUES ({', '.join('?' * (len(NAMES) + 2))})"  # noqa: S608  # names of this module
    f" ON CONFLICT (position, key) DO UPDATE SET {_OVERWRITE},"
    " op = CASE WHEN excluded.op = 'keep' AND op <> 'delete' THEN op ELSE excluded.op END,"
    " reason = CASE WHEN excluded.op = 'keep' AND op <> 'delete' THEN reason ELSE excluded.reason END"
)

PUBLISH_ITEMS = (
    f"INSERT INTO items ({COLUMNS}) SELECT {COLUMNS} FROM pending"  # noqa: S608  # names of this module
    " WHERE op <> 'delete' AND position IN (SELECT value FROM json_each(?)) ORDER BY position, key"
    f" ON CONFLICT (position, key) DO UPDATE SET {_OVERWRITE}"
)

#: Keys by partition, under their short forms.
Groups = dict[PartitionKey, dict[str, ItemKey]]

#: One row of `COLUMNS`, as SQLite returns it.
Record = Sequence[Any]


def values(
    connection: sqlite3.Connection, session: Session, leg: Leg, position: int, text: str, row: StoredRow,
    withdrawn: str | None,
) -> Record:  # fmt: skip
    """Return the columns of a row of one leg, at a position, under its short key."""
    path, place = session.path_and_place(leg, row.key, row.path)
    return (
        position,
        text,
        row.version,
        session.fingerprints.id_of(connection, row.fingerprint),
        path,
        place,
        row.container,
        row.size,
        _digest(row.sha256),
        dumped(row.fields),
        row.group,
        withdrawn,
    )


def stored(fingerprints: Mapping[int, str], key: ItemKey, record: Record) -> StoredRow:
    """Read what `values` wrote, with the names of fingerprints by id."""
    _, _, version, fingerprint, path, _, container, size, sha256, fields, group, withdrawn, *_ = record
    return StoredRow(
        key,
        version,
        path,
        container,
        size,
        sha256 if isinstance(sha256, str) else sha256.hex(),
        loaded(fields),
        None if group is None else GroupKey(group),
        fingerprints[fingerprint],
        withdrawn,
    )


def manifest_row(op: str, row: StoredRow, reason: str, run: str, at: str, left: str = "") -> ManifestRow:
    """Return the line that tells the manifest about a row."""
    return ManifestRow(
        op, row.key, row.version, row.path, row.container, row.size, row.sha256, row.fields, run, at, reason,
        row.fingerprint, row.group, left,
    )  # fmt: skip


def tokens(keys: Iterable[ItemKey]) -> list[tuple[PartitionKey, str]]:
    """Return the partition and the short form of each key. Neighbours mostly share a partition."""
    found: list[tuple[PartitionKey, str]] = []
    last = PartitionKey("")
    for key in keys:
        if key.project != last.project or key.batch != last.batch or key.annotation_type != last.annotation_type:
            last = key.partition
        found.append((last, short(key)))
    return found


def grouped(keys: Sequence[ItemKey]) -> Groups:
    """Group keys by their partition, under their short forms."""
    groups: Groups = {}
    for key, (partition, text) in zip(keys, tokens(keys), strict=True):
        group = groups.get(partition)
        if group is None:
            group = groups[partition] = {}
        group[text] = key
    return groups


def array(texts: Iterable[str]) -> str:
    """Return strings as a JSON array for `json_each`, sorted so that neighbours in an index are met together."""
    return orjson.dumps(sorted(texts)).decode()


def marks(count: int) -> str:
    """Return that many placeholders."""
    return ", ".join("?" * count)


def dumped(fields: Mapping[str, str]) -> str | None:
    """Return fields as JSON text, None if there are none."""
    return orjson.dumps(dict(fields)).decode() if fields else None


def loaded(text: str | None) -> Mapping[str, str]:
    """Read what `dumped` wrote."""
    if text is None:
        return {}
    fields: Mapping[str, str] = orjson.loads(text)
    return fields


def stamp(moment: datetime | None) -> str | None:
    """Return a moment as text that sorts by time."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment(text: str | None) -> datetime | None:
    """Read what `stamp` wrote."""
    return None if text is None else datetime.fromisoformat(text)


def shown(at: datetime) -> str:
    """Return a moment as the manifest shows it: `2026-11-22T04:33:41.250Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _digest(text: str) -> bytes | str:
    """Return 32 bytes for a hex digest; any other text stays as it is."""
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        return text
    return digest if digest.hex() == text else text
