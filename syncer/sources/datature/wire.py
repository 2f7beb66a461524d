"""What an answer looks like, as far as anybody looks: pages, assets, annotations. Unknown fields pass by untouched.

A page is cut into exact slices. One that a strict parser refuses (NaN, half a surrogate pair) is cut by a lenient
one, so that only the rows that are really broken are lost, and are named.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody

#: Times above this are milliseconds, below seconds.
_MILLISECONDS = 1e11


class Unreadable(BadBody):
    """An answer that is not JSON, or not of the expected form."""


@dataclass(slots=True)
class RawPage:
    """Rows as they were served, and the token of the page behind them."""

    rows: Sequence[bytes]
    next: str | None
    #: The server's clock.
    date: datetime | None = None


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


class _Page(msgspec.Struct, rename="camel"):
    items: list[Raw] | None = None
    next_page: str | None = None


_PAGE = msgspec.json.Decoder(_Page)
_LENIENT = json.JSONDecoder(strict=False)


def read_page(body: bytes) -> RawPage:
    """Cut an answer into rows.

    Raises:
        Unreadable: it is no page.
    """
    try:
        if not body.isascii():
            # Slices are skipped over: nothing later would notice.
            body.decode()
        page = _PAGE.decode(body)
    except (ValueError, RecursionError) as error:
        return _leniently(body, error)
    return RawPage([bytes(row) for row in page.items or ()], page.next_page)


def _leniently(body: bytes, cause: Exception) -> RawPage:
    try:
        text = body.decode()
        rows: list[bytes] = []
        token: object = None
        place = _skip(text, text.index("{") + 1)
        while text[place] != "}":
            key, place = _LENIENT.raw_decode(text, _skip(text, place, ","))
            place = _skip(text, place, ":")
            if key == "items" and text[place] == "[":
                place = _skip(text, place + 1)
                while text[place] != "]":
                    start = _skip(text, place, ",")
                    _, end = _LENIENT.raw_decode(text, start)
                    rows.append(text[start:end].encode())
                    place = _skip(text, end)
                place += 1
            else:
                value, place = _LENIENT.raw_decode(text, place)
                token = value if key == "nextPage" else token
            place = _skip(text, place)
    except (ValueError, IndexError, RecursionError) as error:
        words = "it nests too deeply" if isinstance(error, RecursionError) else str(cause)[:200]
        raise Unreadable(f"the answer can't be read: {words}") from error
    return RawPage(rows, token if isinstance(token, str) else None)


def _skip(text: str, place: int, sign: str = "") -> int:
    """Return the place behind white space and one sign."""
    while text[place] in " \t\r\n" or (sign and text[place] == sign):
        sign = "" if text[place] == sign else sign
        place += 1
    return place


def name_of(row: bytes, field: str) -> str:
    """Return an id out of a row that a strict parser refuses; empty if there is none."""
    try:
        value = _LENIENT.decode(row.decode())
    except (ValueError, RecursionError):
        return ""
    name = value.get(field) if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def moment_of(stamp: float) -> datetime | None:
    """Return a time as served, in milliseconds or seconds; None for none."""
    if not stamp:
        return None
    try:
        return datetime.fromtimestamp(stamp / 1000 if stamp > _MILLISECONDS else stamp, UTC)
    except (OverflowError, OSError, ValueError):
        return None
