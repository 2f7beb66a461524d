"""Documents out of answers: exact slices of what the platform served, never decoded and encoded again.

One annotation is its resource to the letter, whatever kind its contents are of. An asset's document is its resource
and those of all its annotations, where parts of one whole stand together.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from syncer.model.refs import AnnotationRef, BrokenRow, GroupKey, ItemKey, PartitionKey
from syncer.net.slices import name_of
from syncer.sources.datature.wire import Annotation, Asset, Spec, moment_of

_ANNOTATION = msgspec.json.Decoder(Annotation)
_SPEC = msgspec.json.Decoder(Spec)

#: Between asset and annotation in an item's name: a sign that no id has, and that is safe in a file name.
JOINT = "."


class Part(msgspec.Struct, frozen=True):
    """One annotation as served."""

    id: str
    version: str
    updated_at: datetime | None
    whole: str
    role: str
    data: bytes


class Parts(msgspec.Struct, frozen=True):
    """The annotations of one asset."""

    good: Sequence[Part] = ()
    #: Ids of rows that can't be read.
    bad: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """An asset as a listing hands it on."""

    asset: str
    refs: tuple[AnnotationRef, ...] = ()
    broken: tuple[BrokenRow, ...] = ()
    #: All members of the asset's group are here: stored ones that are not are gone.
    closes: bool = True
    size: int = field(init=False)

    def __post_init__(self) -> None:
        """Sum up what it weighs."""
        object.__setattr__(self, "size", sum(len(ref.inline or b"") for ref in self.refs))


def with_refs(row: Row, refs: tuple[AnnotationRef, ...]) -> Row:
    """Return a row with these items instead."""
    return Row(row.asset, refs, row.broken, closes=row.closes)


class Reader(msgspec.Struct, frozen=True):
    """Makes the items of one partition. Pure."""

    partition: PartitionKey
    #: "annotation" or "asset".
    granularity: str

    def key(self, asset: str, annotation: str | None = None) -> ItemKey:
        """Return the key of an asset, or of one of its annotations."""
        kind, item = ("asset", asset) if annotation is None else ("annotation", f"{asset}{JOINT}{annotation}")
        return ItemKey(kind, self.partition.project, self.partition.batch, None, item)

    def row(self, asset: Asset, raw: bytes, parts: Parts) -> Row:
        """Return the items of an asset, with their documents."""
        if self.granularity == "annotation":
            refs = tuple(self.single(part, asset) for part in parts.good)
            broken = [BrokenRow(self.key(asset.asset_id, name), "", _BROKEN) for name in parts.bad if name]
            # A row without a name can't be owed by itself: the asset is, and is looked at again.
            broken += [BrokenRow(self.key(asset.asset_id), "", _NAMELESS)] if "" in parts.bad else []
            return Row(asset.asset_id, refs, tuple(broken), closes="" not in parts.bad)
        if parts.bad:
            return Row(asset.asset_id, broken=(BrokenRow(self.key(asset.asset_id), "", _BROKEN),))
        return Row(asset.asset_id, (self.whole(asset, raw, parts.good),) if parts.good else ())

    def single(self, part: Part, asset: Asset) -> AnnotationRef:
        """Return one annotation as an item."""
        fields = {**fields_of(asset), "whole": part.whole, "role": part.role}
        return AnnotationRef(
            self.key(asset.asset_id, part.id),
            part.version,
            part.updated_at,
            size=len(part.data),
            fields={name: value for name, value in fields.items() if value},
            inline=part.data,
            group=GroupKey(asset.asset_id),
        )

    def whole(self, asset: Asset, raw: bytes, parts: Sequence[Part]) -> AnnotationRef:
        """Return an asset with its annotations as one item."""
        first = {part.whole or part.id: place for place, part in reversed(list(enumerate(parts)))}
        ordered = sorted(parts, key=lambda part: first[part.whole or part.id])
        document = b'{"asset":%b,"annotations":[%b]}' % (raw, b",".join(part.data for part in ordered))
        state = [asset.etag, asset.metadata.last_updated] if asset.etag else [hashlib.sha256(raw).hexdigest()]
        moments = [moment for moment in (asset.changed_at, *(part.updated_at for part in parts)) if moment]
        return AnnotationRef(
            self.key(asset.asset_id),
            _digest([*state, *(f"{part.id} {part.version}" for part in ordered)]),
            max(moments, default=None),
            size=len(document),
            fields=fields_of(asset),
            inline=document,
            group=GroupKey(asset.asset_id),
        )


_BROKEN = "its row in the listing can't be read"
_NAMELESS = "a row of its annotations can't be read, and has no name"


def read_parts(rows: Sequence[bytes]) -> Parts:
    """Read the rows of a list of annotations; each row is good, or bad by itself."""
    good: list[Part] = []
    bad: list[str] = []
    for row in rows:
        try:
            good.append(read_part(row))
        except (ValueError, RecursionError):
            bad.append(name_of(row, "annotationId"))
    return Parts(good, bad)


def read_part(row: bytes) -> Part:
    """Read one annotation.

    Raises:
        ValueError: it can't be read.
    """
    if not row.isascii():
        row.decode()
    head = _ANNOTATION.decode(row)
    spec = Spec()
    with suppress(ValueError):
        spec = _SPEC.decode(head.spec)
    meta = head.metadata
    state = [head.etag, meta.generation, meta.last_updated]
    named = head.etag is not None or meta.generation is not None
    return Part(
        head.annotation_id,
        _digest(state) if named else hashlib.sha256(row).hexdigest()[:16],
        moment_of(meta.last_updated),
        spec.aggregation.whole.id,
        spec.aggregation.this_part.role,
        row,
    )


def fields_of(asset: Asset) -> Mapping[str, str]:
    """Return what every item of an asset says about it: variables of paths and manifest columns."""
    created = moment_of(asset.metadata.time_created) or datetime.fromtimestamp(0, UTC)
    return {
        "asset": asset.asset_id,
        "filename": asset.filename,
        "status": asset.metadata.status,
        "created": created.date().isoformat(),
    }


def _digest(state: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]
