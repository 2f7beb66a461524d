"""What the platform sends, as far as it is needed: other fields are ignored, statuses and types are open strings."""

from datetime import UTC, datetime

import msgspec
from msgspec import Raw


class Project(msgspec.Struct, frozen=True):
    """A project; `project` is its external id, by which everything names it."""

    project: str
    title: str = ""
    status: str = ""


class Batch(msgspec.Struct, frozen=True):
    """A batch; `batch` is its external id."""

    batch: str
    title: str = ""
    status: str = ""
    updated: str = ""


class Delivered(msgspec.Struct, frozen=True, rename="camel"):
    """A row of a listing by annotation type: here `inputUuid` is the *scene's* uuid."""

    input_uuid: str
    created: str
    annotation_type: str | None = None
    uri: str | None = None


class Single(msgspec.Struct, frozen=True, rename="camel"):
    """The one annotation of a scene and type, usually with its content."""

    input_uuid: str
    created: str
    content: Raw = Raw(b"null")
    uri: str | None = None


class Annotated(msgspec.Struct, frozen=True, rename="camel"):
    """A row of all annotations of a scene: here `inputUuid` is the uuid of a scene's input in a request."""

    scene_uuid: str
    created: str
    input_uuid: str = ""
    request_uid: str = ""
    uri: str | None = None


class Signed(msgspec.Struct, frozen=True, rename="camel"):
    """An annotation by its own id."""

    signed_url: str
    created: str = ""
    scene_id: str = ""


class Input(msgspec.Struct, frozen=True, rename="camel"):
    """A scene in a request."""

    uuid: str
    scene_uuid: str
    request_uid: str = ""
    scene_external_id: str = ""


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """A scene in a batch, with its status; the older form of an input."""

    internal_id: str
    external_id: str = ""
    status: str = ""
    error_message: str | None = None


class Counts(msgspec.Struct, frozen=True, rename="camel"):
    """A request's progress."""

    id: str = ""
    input_progress_counts: dict[str, int] | None = None


def moment(text: str) -> datetime | None:
    """Return a time of the platform; one without a zone is UTC, one that can't be read is None."""
    try:
        value = datetime.fromisoformat(text)
        return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the first and the last day of the calendar have no UTC everywhere
        return None


def version_of(created: str) -> str:
    """Return the version of an annotation: when it was delivered, spelt alike whichever route said it."""
    value = moment(created)
    return created if value is None else f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"


def order(text: str) -> float:
    """Return a number that sorts times of the platform; what can't be read comes first."""
    value = moment(text)
    return value.timestamp() if value is not None else float("-inf")
