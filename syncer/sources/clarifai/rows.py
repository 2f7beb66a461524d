"""One row of a listing, as far as a listing looks at it: identity, times, status, who made it. Pure."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

import msgspec

from syncer.sources.clarifai.codes import ANNOTATION_STATUSES, FINISHED, Status

#: What stays as it is in the part of an item's id; everything else is percent-encoded.
_PLAIN = "-_~"

#: Longest URL that a name is taken from; longer ones are contents.
_LONGEST_URL = 2048


class Named(msgspec.Struct, frozen=True, gc=False):
    """Anything with an id."""

    id: str = ""


class Model(msgspec.Struct, frozen=True, gc=False):
    """A model, as it names itself in the worker of an annotation."""

    id: str = ""
    model_version: Named | None = None


class Worker(msgspec.Struct, frozen=True, gc=False):
    """Who or what made an annotation."""

    user: Named | None = None
    model: Model | None = None
    workflow: Named | None = None


class Head(msgspec.Struct, frozen=True, gc=False):
    """What decides about an annotation; its data is not looked at. Absent is false, empty or 0, as in proto3 JSON."""

    id: str
    input_id: str
    status: Status | None = None
    created_at: str = ""
    modified_at: str = ""
    trusted: bool = False
    input_level: bool = False
    task_id: str = ""
    user_id: str = ""
    model_version_id: str = ""
    worker: Worker | None = None

    @property
    def code(self) -> int:
        """Code of the status; -1 for a name that nobody knows, 0 where there is none."""
        return self.status.number if self.status is not None else 0

    @property
    def author(self) -> str:
        """Id of the user, or of the version of the model, that made it; the older fields where it has no worker."""
        if self.worker is None:
            return self.user_id or self.model_version_id
        if self.worker.user is not None:
            return self.worker.user.id
        return self.model or (self.worker.workflow.id if self.worker.workflow else "")

    @property
    def model(self) -> str:
        """Id of the version of the model that made it; empty where a person did."""
        model = self.worker.model if self.worker is not None else None
        if model is None:
            return self.model_version_id
        return model.model_version.id if model.model_version is not None else model.id

    @property
    def made_by_machine(self) -> bool:
        """Whether a model or a workflow made it."""
        return bool(self.model) or (self.worker is not None and self.worker.workflow is not None)


class InputHead(msgspec.Struct, frozen=True, gc=False):
    """What is looked at of an input."""

    id: str
    created_at: str = ""
    modified_at: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Media(msgspec.Struct, frozen=True, gc=False):
    url: str = ""


class _Data(msgspec.Struct, frozen=True, gc=False):
    image: _Media | None = None
    video: _Media | None = None
    audio: _Media | None = None
    text: _Media | None = None


_DATA = msgspec.json.Decoder(_Data)


class Row(msgspec.Struct, frozen=True):
    """An annotation as a page shows it."""

    input: str
    id: str
    #: The exact bytes that were served.
    raw: bytes
    #: None where the row can't be read; `broken` then says why.
    head: Head | None = None
    broken: str = ""
    #: Why it does not count as finished; empty if it does.
    reason: str = ""

    @property
    def strange(self) -> str:
        """The status, if it is one that this version does not know; empty otherwise."""
        head = self.head
        if head is None or head.code in ANNOTATION_STATUSES:
            return ""
        return str(head.status.code) if head.status is not None else "none"


def item_of(input_id: str, annotation: str) -> str:
    """Return the id of an item: annotation ids are only unique within an input."""
    return f"{_quoted(input_id)}.{_quoted(annotation)}"


def parts_of(item: str) -> tuple[str, str] | None:
    """Return input and annotation id of an item's id; None if it is none."""
    first, dot, second = item.partition(".")
    if not (first and dot and second) or "." in second:
        return None
    return unquote(first), unquote(second)


def moment_of(text: str) -> datetime | None:
    """Read a time with any number of digits; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last day of the calendar have no UTC everywhere
        return None


def version_of(head: Head, raw: bytes) -> str:
    """Return the version of a document: its last change to the last digit, and its creation.

    A status beside the usual one stands in it, since nobody promises that a change of status moves the time.
    """
    if not head.modified_at:
        return hashlib.sha256(raw).hexdigest()
    version = f"{_compact(head.modified_at)}~{_compact(head.created_at)}"
    return version if head.code == FINISHED else f"{version}~{head.code}"


def fields_of(head: Head) -> dict[str, str]:
    """Return what columns and paths can say of an annotation; the same whichever listing shows it."""
    fields = {
        "input_id": head.input_id, "annotation_id": head.id, "created": head.created_at[:10],
        "created_at": head.created_at, "updated_at": head.modified_at,
        "status": ANNOTATION_STATUSES.get(head.code, str(head.status.code) if head.status else ""),
    }  # fmt: skip
    more = {"task_id": head.task_id, "author": head.author}
    return fields | {name: value for name, value in more.items() if value}


def input_fields_of(head: InputHead) -> dict[str, str]:
    """Return what columns and paths can say of an input."""
    fields: Mapping[str, str] = {
        "input_id": head.id, "created": head.created_at[:10], "created_at": head.created_at,
        "updated_at": head.modified_at, "filename": _filename(head.data),
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value}


def _filename(data: msgspec.Raw) -> str:
    """Return the name of the media's file, without folders and query."""
    try:
        media = _DATA.decode(data)
        found = next((each.url for each in (media.image, media.video, media.audio, media.text) if each), "")
        name = unquote(urlsplit(found[:_LONGEST_URL]).path).rpartition("/")[2]
    except (ValueError, RecursionError):
        return ""
    return name if name.isprintable() else ""


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return quote(text, safe=_PLAIN).replace(".", "%2E")


def _compact(stamp: str) -> str:
    if not stamp.endswith("Z") and (moment := moment_of(stamp)) is not None:
        # Another spelling or zone of the same moment is not another version.
        stamp = moment.isoformat().replace("+00:00", "Z")
    return stamp.replace("-", "").replace(":", "")
