"""One row of a task list, as far as a listing looks at it: identity, times, counts, and heads of annotations."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec import Raw

from syncer.model.refs import AnnotationRef, BrokenRow, Cursor, GroupKey, ItemKey, Page, Withdrawal

#: Longest text that can be a path; longer ones are contents.
LONGEST_PATH = 2048
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}$")
#: Names that a file or a link in task data may follow in a query: `/data/local-files/?d=dir/name.png`.
_LOCAL_FILES = "/data/local-files/"

_STRING = msgspec.json.Decoder(str)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
#: Data that was not asked for.
NO_DATA = Raw(b"{}")


class User(msgspec.Struct, frozen=True, gc=False):
    """A user where the server shows one as an object."""

    id: int


class Head(msgspec.Struct, frozen=True, gc=False):
    """What decides about an annotation; its result is not looked at."""

    id: int
    created_at: str
    updated_at: str
    was_cancelled: bool = False
    ground_truth: bool | None = None
    completed_by: int | User | None = None
    last_action: str | None = None
    task: int | None = None
    project: int | None = None

    @property
    def author(self) -> int | None:
        """Id of the user who completed it."""
        return self.completed_by.id if isinstance(self.completed_by, User) else self.completed_by


class Task(msgspec.Struct, frozen=True):
    """What decides about a task."""

    id: int
    created_at: str
    updated_at: str
    total_annotations: int = 0
    cancelled_annotations: int = 0
    inner_id: int | None = None
    data: Raw = NO_DATA
    #: None: not asked for.
    annotations: list[Head] | None = None


class Row(msgspec.Struct, frozen=True):
    """A task as the listing hands it on: the items that count, and those that do not (any more)."""

    id: int
    #: As served.
    updated_at: str
    #: Finished items of the task.
    refs: tuple[AnnotationRef, ...] = ()
    #: Items that are not finished or not chosen: withdrawn if they are known, else left out.
    others: tuple[Withdrawal, ...] = ()
    #: Set where items are annotations: the task closes its group.
    group: GroupKey | None = None
    #: Why the documents of the task can't be read, if they can't.
    broken: str | None = None
    #: As served; empty where the task itself was not.
    created_at: str = ""
    #: Files that the task's data names, and those of a task without finished items.
    files: tuple[AnnotationRef, ...] = ()
    lost: tuple[Withdrawal, ...] = ()

    @property
    def keys(self) -> tuple[ItemKey, ...]:
        """Keys of all its items, finished or not; without files."""
        return (*(ref.key for ref in self.refs), *(item.key for item in self.others))


def page_of(
    rows: Sequence[Row],
    known: Collection[ItemKey],
    cursor: Cursor | None = None,
    total: int | None = None,
    *,
    closes: bool = True,
) -> Page:
    """Return rows as a page: an item that is not finished is withdrawn if it is known, else left out.

    `closes`: stored annotations that are not on it, of tasks that are, are gone.
    """
    others = [item for row in rows for item in (*row.others, *row.lost)]
    withdrawn = tuple(item for item in others if item.key in known)
    return Page(
        refs=tuple(ref for row in rows if row.broken is None for ref in (*row.refs, *row.files)),
        closes=tuple(row.group for row in rows if closes and row.group is not None),
        withdrawn=withdrawn,
        broken=tuple(BrokenRow(ref.key, ref.version, row.broken) for row in rows if row.broken for ref in row.refs),
        cursor=cursor,
        filtered=len(others) - len(withdrawn),
        total=total,
    )


def version_of(updated_at: str, created_at: str) -> str:
    """Return the version of a document: its last change, and its creation since ids are given twice.

    SQLite servers reuse the highest id after a deletion. Safe as part of a file name.
    """
    return f"{_compact(updated_at)}~{_compact(created_at)}"


def moment_of(text: str) -> datetime:
    """Read a time as served; one without an offset counts as UTC.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:  # the first and the last day of the calendar have no UTC everywhere
        message = f"no time of this calendar: {text[:40]!r}"
        raise ValueError(message) from error


def filename_of(data: Raw) -> str | None:
    """Return the name of the first file or link in task data, without folders and query; None if there is none."""
    try:
        values = _OBJECT.decode(data).values()
    except (msgspec.DecodeError, RecursionError):
        return None
    for value in values:
        # Only texts of a plausible length are decoded: task data may hold whole documents.
        if len(memoryview(value)) > LONGEST_PATH:
            continue
        text = bytes(value)
        if text.startswith(b'"') and (name := basename(_STRING.decode(text))):
            return name
    return None


def fields_of(task: Task) -> dict[str, str]:
    """Return what every kind of listing can say of a task: variables of paths have to be the same in all of them."""
    fields = {"created": task.created_at[:10]}
    if task.inner_id is not None:
        fields["inner_id"] = str(task.inner_id)
    if name := filename_of(task.data):
        fields["filename"] = name
    return fields


def details_of(heads: list[Head], fields: Mapping[str, str]) -> dict[str, str]:
    """Return fields with what annotations add to them: authors and the last action; for manifest columns."""
    details = dict(fields)
    if authors := sorted({head.author for head in heads if head.author is not None}):
        details["completed_by"] = ",".join(map(str, authors))
    newest = max(heads, key=lambda head: (head.updated_at, head.id), default=None)
    if newest is not None and newest.last_action:
        details["last_action"] = newest.last_action
    return details


def _compact(stamp: str) -> str:
    if not stamp.endswith("Z"):
        # Another spelling or zone of the same moment is not another version.
        stamp = moment_of(stamp).isoformat().replace("+00:00", "Z")
    return stamp.replace("-", "").replace(":", "")


def basename(text: str) -> str | None:
    """Return the name of a file in a path or link, without folders and query; None if it is none."""
    if " " in text or not text.isprintable():
        return None
    path = _decoded_path(text) if "?" in text or "#" in text or "%" in text else text
    path = path.replace("\\", "/")
    name = path.rpartition("/")[2]
    return name if name and ("/" in path or _EXTENSION.search(name)) else None


def _decoded_path(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    local = dict(parse_qsl(parts.query)).get("d") if parts.path.endswith(_LOCAL_FILES) else None
    return local or unquote(parts.path)
