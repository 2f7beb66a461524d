"""What an answer looks like, as far as anybody looks: assets and annotations. Unknown fields pass by untouched."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

#: Times above this are milliseconds, below seconds.
_MILLISECONDS = 1e11


class AnnotationCount(msgspec.Struct, frozen=True, rename="camel"):
    """How many annotations an asset has, and of which tags."""

    total: int = 0
    with_tag: dict[str, int] = {}  # msgspec copies defaults


class AssetMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """What decides about an asset."""

    annotations: AnnotationCount = AnnotationCount()
    status: str = ""
    time_created: int | float = 0
    last_updated: int | float = 0
    contents_last_updated: int | float = 0
    #: Of these the forms are not known: they are looked at only where a batch asks for them.
    cohorts: Raw = Raw(b"null")
    custom_metadata: Raw = Raw(b"null")
    user_defined: Raw = Raw(b"null")

    @property
    def cohort_names(self) -> tuple[str, ...]:
        """Names of the cohorts that it is in."""
        return names_of(self.cohorts)

    def custom(self, key: str) -> str | None:
        """Return what people noted about it under a key, as text; None if nothing."""
        for raw in (self.custom_metadata, self.user_defined):
            with suppress(msgspec.DecodeError):
                value = msgspec.json.decode(raw, type=dict[str, Raw]).get(key)
                if value is not None:
                    text = bytes(value).decode()
                    return msgspec.json.decode(value, type=str) if text.startswith('"') else text
        return None


class Asset(msgspec.Struct, frozen=True, rename="camel"):
    """An asset, as a listing looks at it."""

    asset_id: str
    filename: str = ""
    etag: str | None = None
    metadata: AssetMetadata = AssetMetadata()

    @property
    def total(self) -> int:
        """How many annotations it has."""
        return self.metadata.annotations.total

    @property
    def changed_at(self) -> datetime | None:
        """When anything about it changed last, by the server's clock."""
        return moment_of(max(self.metadata.last_updated, self.metadata.contents_last_updated))

    def state(self) -> str:
        """Return everything that moves when the asset or its annotations do."""
        meta = self.metadata
        times = [meta.last_updated, meta.contents_last_updated]
        return json.dumps([self.etag, *times, meta.annotations.total, meta.status])


class AnnotationMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """Times and the counter of an annotation."""

    time_created: int | float = 0
    last_updated: int | float = 0
    generation: int | float | None = None


class Annotation(msgspec.Struct, frozen=True, rename="camel"):
    """An annotation, as a listing looks at it; its spec is looked at separately, for its forms are not known."""

    annotation_id: str
    asset_id: str = ""
    etag: str | None = None
    metadata: AnnotationMetadata = AnnotationMetadata()
    spec: Raw = Raw(b"null")


class Whole(msgspec.Struct, frozen=True):
    """What a part belongs to."""

    id: str = ""


class ThisPart(msgspec.Struct, frozen=True):
    """What a part is in it."""

    role: str = ""


class Aggregation(msgspec.Struct, frozen=True, rename="camel"):
    """Whole and part."""

    whole: Whole = Whole()
    this_part: ThisPart = ThisPart()


class Spec(msgspec.Struct, frozen=True):
    """The known corner of a spec."""

    aggregation: Aggregation = Aggregation()


def names_of(raw: Raw) -> tuple[str, ...]:
    """Return the names in a list of names, or of things that have one."""
    with suppress(msgspec.DecodeError):
        found = msgspec.json.decode(raw, type=list[str | dict[str, Any]])
        names = [each if isinstance(each, str) else each.get("name") for each in found]
        return tuple(name for name in names if isinstance(name, str))
    return ()


def moment_of(stamp: float) -> datetime | None:
    """Return a time as served, in milliseconds or seconds; None for none."""
    if not stamp:
        return None
    try:
        return datetime.fromtimestamp(stamp / 1000 if stamp > _MILLISECONDS else stamp, UTC)
    except (OverflowError, OSError, ValueError):
        return None
