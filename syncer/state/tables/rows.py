"""Between the values of the model and the columns of the tables."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import orjson

from syncer.model.entries import Leg, StoredRow
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.model.rows import ManifestRow
from syncer.state.names import short
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import COLUMNS, OVERWRITE, Record, Transaction

PUBLISH_ITEMS = (
    f"INSERT INTO items ({COLUMNS}) SELECT {COLUMNS} FROM pending"  # noqa: S608  # names of this module
    " WHERE op <> 'delete' AND position IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) ORDER BY position, key"
    f" ON CONFLICT (position, key) DO UPDATE SET {OVERWRITE}"
)

#: Keys by partition, under their short forms.
Groups = dict[PartitionKey, dict[str, ItemKey]]


def values(
    transaction: Transaction, session: Session, leg: Leg, position: int, text: str, row: StoredRow,
    withdrawn: str | None,
) -> Record:  # fmt: skip
    """Return the columns of a row of one leg, at a position, under its short key."""
    path, place = session.path_and_place(leg, row.key, row.path)
    return (
        position,
        text,
        row.version,
        session.fingerprints.id_of(transaction, row.fingerprint),
        path,
        place,
        row.container,
        row.size,
        transaction.digest(row.sha256),
        dumped(row.fields),
        row.group,
        withdrawn,
    )


def stored(transaction: Transaction, fingerprints: Mapping[int, str], key: ItemKey, record: Record) -> StoredRow:
    """Read what `values` wrote, with the names of fingerprints by id."""
    _, _, version, fingerprint, path, _, container, size, sha256, fields, group, withdrawn, *_ = record
    return StoredRow(
        key,
        version,
        path,
        container,
        size,
        transaction.digest_text(sha256),
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
    """Return fields as JSON text, None if there are none; spelled as in a manifest row."""
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


def digest(text: str) -> bytes | None:
    """Return the 32 bytes of a hex digest; None for any other text."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if found.hex() == text else None
