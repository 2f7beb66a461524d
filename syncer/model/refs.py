"""What a platform lists: keys, references, pages and cursors."""

import json
from collections.abc import Mapping
from datetime import datetime
from json.encoder import encode_basestring as _quoted
from typing import Literal, NamedTuple, NewType

import msgspec

#: A source's own position in a listing: opaque, versioned JSON text. Only the source reads it.
Cursor = NewType("Cursor", str)

#: Name of a set of items whose whole membership can stand on one page (a task, an input).
GroupKey = NewType("GroupKey", str)

#: How a pass over a partition ended, see `Page.end`.
PassEnd = Literal["delta", "full"]

#: The kind of items that are context, not labels: label configurations, tags, concepts.
CONTEXT = "context"

#: The kind of items that are files which labels are about: images, videos. Transforms and envelopes leave them alone.
MEDIA = "media"
#: The kind of items that are archives of a platform's own export job; left alone in the same way.
EXPORT = "export"
#: Kinds of items that are files, not documents.
FILES = frozenset({MEDIA, EXPORT})

NO_FIELDS: Mapping[str, str] = {}


class PartitionKey(NamedTuple):
    """The smallest thing with a cursor of its own: project x batch x annotation type (platform ids)."""

    project: str
    batch: str | None = None
    annotation_type: str | None = None

    def canonical(self) -> str:
        """Return the one text form: a compact JSON array."""
        return _compact([self.project, self.batch, self.annotation_type])

    @classmethod
    def parse(cls, text: str) -> "PartitionKey":
        """Read what `canonical` wrote.

        Raises:
            ValueError: the text is not such an array.
        """
        project, batch, annotation_type = _strings(text, 3)
        return cls(project or "", batch, annotation_type)

    def __str__(self) -> str:
        """Return the parts for people: `project / batch / type`."""
        return " / ".join(part for part in (self.project, self.batch, self.annotation_type) if part)


class ItemKey(NamedTuple):
    """Identity of one stored item: platform ids, never titles or names from a configuration.

    A named tuple, because every stage looks items up by it: its hash costs a tenth of a dataclass's.
    """

    kind: str
    project: str
    batch: str | None
    annotation_type: str | None
    item: str

    def canonical(self) -> str:
        """Return the one text form: a compact JSON array, `["annotation","7",null,null,"123"]`."""
        return _compact([self.kind, self.project, self.batch, self.annotation_type, self.item])

    @classmethod
    def parse(cls, text: str) -> "ItemKey":
        """Read what `canonical` wrote.

        Raises:
            ValueError: the text is not such an array.
        """
        kind, project, batch, annotation_type, item = _strings(text, 5)
        return cls(kind or "", project or "", batch, annotation_type, item or "")

    @property
    def partition(self) -> PartitionKey:
        """The partition that the item belongs to."""
        return PartitionKey(self.project, self.batch, self.annotation_type)


class Partition(msgspec.Struct, frozen=True):
    """A partition as its platform describes it today."""

    key: PartitionKey
    #: Words about the partition for people and path templates: `project_title` and the like.
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)


class AnnotationRef(msgspec.Struct, frozen=True):
    """One finished item as a listing names it; enough to fetch it, compare it and name its file."""

    key: ItemKey
    #: The platform's own version of the document, or a digest of it. Equal means: nothing to fetch.
    version: str
    updated_at: datetime | None = None
    #: Bytes of the document, where the listing says so.
    size: int | None = None
    #: Manifest columns and path variables: external id, author, file name ...
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)
    #: The document itself, where the listing carries it: the exact bytes that are to be stored.
    inline: bytes | None = None
    #: Where to fetch it (a signed link, a page): a hint that may go stale, never needed.
    hint: str | None = None
    #: The group that the item belongs to, where the source closes groups (`Page.closes`).
    group: GroupKey | None = None
    media_type: str = "application/json"


class Withdrawal(msgspec.Struct, frozen=True):
    """An item that still exists upstream but is no longer finished: reopened, rejected, skipped."""

    key: ItemKey
    reason: str


class BrokenRow(msgspec.Struct, frozen=True):
    """A row of a page that could not be read. The item becomes owed; the rest of the page goes on."""

    key: ItemKey
    version: str
    reason: str


class Piece(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """What a task is busy with inside of a run: a page that it lists, or items of one that it fetches."""

    partition: PartitionKey
    #: The item; None: a page, or several items at once.
    item: ItemKey | None = None
    #: The page that the items were listed on; None: the piece is a page itself, or they are owed.
    page: "Piece | None" = None


class Page(msgspec.Struct, frozen=True):
    """One step of a listing, in emission order.

    `cursor` covers exactly the pages up to and including this one; it is stored once every
    reference on them has settled. None means: nothing new to remember yet.
    """

    refs: tuple[AnnotationRef, ...] = ()
    #: Groups whose whole membership is on this page: stored members that are not on it are gone.
    closes: tuple[GroupKey, ...] = ()
    #: Groups whose stored members are all as they were: they count as listed and unchanged, without being named.
    keeps: tuple[GroupKey, ...] = ()
    withdrawn: tuple[Withdrawal, ...] = ()
    #: Keys that the platform itself reports as deleted.
    gone: tuple[ItemKey, ...] = ()
    broken: tuple[BrokenRow, ...] = ()
    cursor: Cursor | None = None
    #: Set on the last page of a pass. Only after "full" is an item that was not listed gone.
    end: PassEnd | None = None
    #: Rows that were listed and left out by an option of the source (not finished, not selected).
    filtered: int = 0
    #: How many items the whole pass will list, where the server says so; for progress only.
    total: int | None = None
    #: Why keys in `gone` are gone, where the platform says it.
    reasons: Mapping[ItemKey, str] = msgspec.field(default_factory=dict)
    #: What the report should say of this pass: what it did not look at.
    note: str | None = None
    #: The piece of work that its listing was, so that work on its items can be told to belong to it.
    piece: Piece | None = None


def _compact(parts: list[str | None]) -> str:
    # What `json.dumps(parts, ensure_ascii=False, separators=(",", ":"))` gives, at a tenth of the time.
    return "[" + ",".join(["null" if part is None else _quoted(part) for part in parts]) + "]"


def _strings(text: str, count: int) -> list[str | None]:
    parts = json.loads(text)
    if not isinstance(parts, list) or len(parts) != count or not all(p is None or isinstance(p, str) for p in parts):
        message = f"not a key of {count} strings: {text[:200]!r}"
        raise ValueError(message)
    return parts
