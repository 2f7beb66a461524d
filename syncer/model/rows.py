"""One line of a manifest: what it says, and its one spelling as JSON. Pure."""

import json
from collections.abc import Mapping
from typing import cast

import msgspec

from syncer.model.paths import MANIFEST_FOLDER, fold, is_safe
from syncer.model.refs import ItemKey

#: What a row can say about its item.
OPS = frozenset({"put", "delete", "withdraw"})
#: Sizes and epochs end here: far above any that is meant, and what every database can hold and add to.
MOST = 2**62


class ManifestRow(msgspec.Struct, frozen=True):
    """One line of a segment. Last row of a key wins, by (epoch, seq)."""

    op: str
    key: ItemKey
    version: str
    path: str
    container: str | None
    size: int
    sha256: str
    fields: Mapping[str, str]
    run: str
    at: str
    reason: str = ""
    fingerprint: str = ""
    group: str | None = None
    #: Where the item lay before this row; nothing of it is there any more.
    left: str = ""


class _Key(msgspec.Struct):
    kind: str
    project: str
    batch: str | None
    annotation_type: str | None
    item: str


class _Line(msgspec.Struct, omit_defaults=True):
    """A line as it is spelled: these names in this order, the last four only where they say something."""

    op: str
    key: _Key
    version: str
    path: str
    container: str | None
    size: int
    sha256: str
    fields: Mapping[str, str] | msgspec.Raw
    run: str
    at: str
    reason: str = ""
    fingerprint: str = ""
    group: str | None = None
    left: str = ""


_encode = msgspec.json.Encoder().encode


def encode_row(row: ManifestRow) -> bytes:
    """Return the row as one line of compact JSON, without the newline; equal rows give equal bytes."""
    return spelled(
        row.op, row.key, row.version, row.path, row.container, row.size, row.sha256, row.fields, row.run, row.at,
        row.reason, row.fingerprint, row.group, row.left,
    )  # fmt: skip


def spelled(
    op: str, key: ItemKey, version: str, path: str, container: str | None, size: int, sha256: str,
    fields: Mapping[str, str] | str, run: str, at: str, reason: str, fingerprint: str, group: str | None,
    left: str = "",
) -> bytes:  # fmt: skip
    """Do the same with the columns of a row, `fields` also as compact JSON: for the many that are told at once."""
    line = _Line(op, _Key(*key), version, path, container, size, sha256, {}, run, at, reason, fingerprint, group, left)
    try:
        line.fields = msgspec.Raw(fields) if isinstance(fields, str) else dict(fields)
        return _encode(line)
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8: escape it, so that the line stays valid
        line.fields = json.loads(fields) if isinstance(fields, str) else dict(fields)
        return json.dumps(msgspec.to_builtins(line), separators=(",", ":")).encode("ascii")


def decode_row(line: bytes) -> ManifestRow:
    """Read what `encode_row` wrote; the line may come from anywhere, so everything is checked. Unknown keys are fine.

    Raises:
        ValueError: it is not a row, or its names leave the destination; the message says why, without the line.
    """
    try:
        value = json.loads(line)
    except RecursionError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("key"), dict):
        message = "not a manifest row"
        raise ValueError(message)  # noqa: TRY004  # one error for every malformed line
    data = cast("dict[str, object]", value)
    key = cast("dict[str, object]", value["key"])
    fields = data.get("fields", {})
    if not isinstance(fields, dict) or not all(isinstance(text, str) for text in fields.values()):
        message = "`fields` is not an object of strings"
        raise ValueError(message)
    row = ManifestRow(
        op=_text(data, "op"),
        key=ItemKey(
            _text(key, "kind"),
            _text(key, "project"),
            _maybe(key, "batch"),
            _maybe(key, "annotation_type"),
            _text(key, "item"),
        ),
        version=_text(data, "version"),
        path=_text(data, "path"),
        container=_maybe(data, "container"),
        size=_count(data, "size"),
        sha256=_text(data, "sha256"),
        fields=cast("dict[str, str]", fields),
        run=_text(data, "run"),
        at=_text(data, "at"),
        reason=_maybe(data, "reason") or "",
        fingerprint=_maybe(data, "fingerprint") or "",
        group=_maybe(data, "group"),
        left=_maybe(data, "left") or "",
    )
    if row.op not in OPS:
        message = f"unknown operation {row.op[:40]!r}"
        raise ValueError(message)
    for name in (row.path, row.container, row.left or None):
        if name is not None and not is_item_path(name):
            message = f"{name[:200]!r} is no name inside the destination"
            raise ValueError(message)
    return row


def is_item_path(path: str) -> bool:
    """Tell whether a relative path may hold data: below the root on any platform, and not in the manifest's folder."""
    return is_safe(path) and fold(path.partition("/")[0]) != MANIFEST_FOLDER


def _text(data: Mapping[str, object], name: str) -> str:
    text = data.get(name)
    if not isinstance(text, str):
        message = f"`{name}` is not a string"
        raise ValueError(message)  # noqa: TRY004  # one error for every malformed line
    return text


def _maybe(data: Mapping[str, object], name: str) -> str | None:
    return None if data.get(name) is None else _text(data, name)


def _count(data: Mapping[str, object], name: str) -> int:
    number = data.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < MOST:
        message = f"`{name}` is not a number of bytes"
        raise ValueError(message)
    return number
