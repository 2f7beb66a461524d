"""Documents out of answers: an annotation is the exact slice that the list serves. It has no version of its own."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from syncer.model.refs import AnnotationRef, BrokenRow, GroupKey, ItemKey, PartitionKey
from syncer.net.slices import name_of

#: Times above this are milliseconds, below seconds.
_MILLISECONDS = 1e11


class Statistic(msgspec.Struct, frozen=True, rename="camel"):
    """How many annotations an asset has."""

    total_annotations: int | None = None


class Asset(msgspec.Struct, frozen=True, rename="camel"):
    """What decides about an asset."""

    id: str
    filename: str = ""
    status: str = ""
    create_date: int | float | None = None
    statistic: Statistic | None = None

    @property
    def total(self) -> int | None:
        """How many annotations it has; None where the platform does not say."""
        return self.statistic.total_annotations if self.statistic else None


class Head(msgspec.Struct, frozen=True, rename="camel"):
    """What a listing looks at of an annotation."""

    id: str
    asset_id: str = ""
    tag: str = ""
    create_date: int | float | None = None


_HEAD = msgspec.json.Decoder(Head)
_BROKEN = "its row in the listing can't be read"


class Reader(msgspec.Struct, frozen=True):
    """Makes the items of one partition. Pure."""

    partition: PartitionKey

    def key(self, annotation: str) -> ItemKey:
        """Return the key of an annotation."""
        return ItemKey("annotation", self.partition.project, self.partition.batch, None, annotation)

    def ref(self, row: bytes, assets: Mapping[str, Asset]) -> AnnotationRef | BrokenRow | None:
        """Return a row as an item; None for one of an asset that was not asked for.

        Raises:
            ValueError: it can't be read, and has no name.
        """
        try:
            if not row.isascii():
                row.decode()
            head = _HEAD.decode(row)
        except (ValueError, RecursionError):
            name = name_of(row, "id")
            if not name:
                raise
            return BrokenRow(self.key(name), "", _BROKEN)
        asset = assets.get(head.asset_id)
        if asset is None:
            return None
        made = moment_of(head.create_date) or moment_of(asset.create_date)
        fields = {"asset": asset.id, "filename": asset.filename, "status": asset.status, "tag": head.tag}
        fields["created"] = (made or datetime.fromtimestamp(0, UTC)).date().isoformat()
        return AnnotationRef(
            self.key(head.id), version_of(row), made, size=len(row), fields=fields, inline=row, group=GroupKey(asset.id)
        )


def version_of(row: bytes) -> str:
    """Return the version of a document: there is neither an etag nor a time of change."""
    return hashlib.sha256(row).hexdigest()[:16]


def moment_of(stamp: float | None) -> datetime | None:
    """Return a time as served, in milliseconds or seconds; None for none."""
    if not stamp:
        return None
    try:
        return datetime.fromtimestamp(stamp / 1000 if stamp > _MILLISECONDS else stamp, UTC)
    except (OverflowError, OSError, ValueError):
        return None
