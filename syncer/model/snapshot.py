"""The checkpoint of a unit as it stands beside the data: written here, read back to rebuild lost state. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from syncer.model.checkpoint import OwedItem
from syncer.model.entries import Leg
from syncer.model.refs import Cursor, ItemKey, PartitionKey


def checkpoint_document(
    cursors: Mapping[PartitionKey, str | None], owed: Sequence[OwedItem], *, live: int, size: int, epoch: int
) -> dict[str, object]:
    """Return the published position of one leg in one unit as JSON values."""
    return {
        "partitions": [{"key": key.canonical(), "cursor": cursor} for key, cursor in cursors.items()],
        "owed": [_owed(item) for item in owed],
        "live": live,
        "bytes": size,
        "epoch": epoch,
    }


def cursors_of(document: Mapping[str, object]) -> dict[PartitionKey, Cursor | None]:
    """Read the cursors back.

    Raises:
        ValueError: the document is not one that `checkpoint_document` wrote.
    """
    found: dict[PartitionKey, Cursor | None] = {}
    for entry in _objects(document.get("partitions")):
        cursor = _text(entry, "cursor")
        found[PartitionKey.parse(_text(entry, "key") or "")] = None if cursor is None else Cursor(cursor)
    return found


def owed_of(document: Mapping[str, object], leg: Leg) -> list[OwedItem]:
    """Read the owed items back: the cursors have passed them, so that nobody else remembers them.

    Raises:
        ValueError: the document is not one that `checkpoint_document` wrote.
    """
    found: list[OwedItem] = []
    for entry in _objects(document.get("owed", [])):
        attempts, fields = entry.get("attempts"), _object(entry.get("fields", {}))
        found.append(
            OwedItem(
                leg,
                ItemKey.parse(_text(entry, "key") or ""),
                _text(entry, "version") or "",
                _text(entry, "reason") or "",
                attempts if isinstance(attempts, int) else 1,
                _moment(_text(entry, "first")),
                _moment(_text(entry, "next")),
                ignored_until=_moment(_text(entry, "ignored_until")),
                fields={name: text for name, text in fields.items() if isinstance(text, str)},
            )
        )
    return found


def _owed(item: OwedItem) -> dict[str, object]:
    """Leave out the hint: it may be a link that is nobody else's business, and is never needed."""
    return {
        "key": item.key.canonical(),
        "version": item.version,
        "reason": item.reason,
        "attempts": item.attempts,
        "first": _shown(item.first),
        "next": _shown(item.next),
        "ignored_until": _shown(item.ignored_until),
        "fields": dict(item.fields),
    }


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _objects(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list):
        message = "not a checkpoint: a list is missing"
        raise ValueError(message)  # noqa: TRY004  # one error for every malformed document
    return [_object(entry) for entry in value]


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        message = "not a checkpoint: an object is missing"
        raise ValueError(message)  # noqa: TRY004  # one error for every malformed document
    return value


def _text(data: Mapping[str, object], name: str) -> str | None:
    text = data.get(name)
    if text is not None and not isinstance(text, str):
        message = f"not a checkpoint: `{name}` is not a string"
        raise ValueError(message)
    return text
