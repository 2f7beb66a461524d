"""The nouns of the emulated platform. Documents are JSON text, so that odd numbers and keys are served as given."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

#: Server time as it is compared and stored: always six digits of fraction, so that text order is time order.
Stamp = str

#: Letters kept of the lossy copies of results in a listing.
_CUT = 500

#: The one user of the emulated server.
USER: dict[str, Any] = {
    "id": 1,
    "first_name": "",
    "last_name": "",
    "username": "",
    "email": "admin@example.com",
    "last_activity": "2026-01-05T08:00:00.000001Z",
    "custom_hotkeys": {},
    "avatar": None,
    "initials": "ad",
    "phone": "",
    "active_organization": 1,
    "active_organization_meta": {"title": "Label Studio", "email": "admin@example.com"},
    "allow_newsletters": None,
    "date_joined": "2026-01-05T08:00:00.000001Z",
}


def stamp_of(moment: datetime) -> Stamp:
    """Return the stored form of a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_of(stamp: Stamp) -> datetime:
    """Read what `stamp_of` wrote."""
    return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def document(value: Any) -> bytes:
    """Return JSON text; bytes are taken as text that is already JSON.

    Half of a surrogate pair is kept as it is: the server stores it, and then can't serve it (`wire`).
    """
    if isinstance(value, bytes):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


class Annotation(msgspec.Struct):
    """One annotation of one task."""

    id: int
    task: int
    project: int
    created_at: Stamp
    updated_at: Stamp
    #: JSON text of the list of regions.
    result: bytes = b"[]"
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time: float | None = None
    completed_by: int = 1
    updated_by: int | None = None
    import_id: int | None = None
    last_action: str | None = None

    @property
    def unique_id(self) -> str:
        """A UUID that survives the reuse of the number."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.id} {self.created_at}"))


class Draft(msgspec.Struct):
    """Unsubmitted work; never moves `Task.updated_at`."""

    id: int
    task: int
    created_at: Stamp
    updated_at: Stamp
    result: bytes = b"[]"
    lead_time: float | None = None


class Prediction(msgspec.Struct, frozen=True):
    """What a model said."""

    id: int
    model_version: str
    score: float | None
    #: The object that the API shows, as JSON text.
    text: bytes


class Task(msgspec.Struct):
    """One task, with its annotations in order of their ids."""

    id: int
    project: int
    inner_id: int
    created_at: Stamp
    updated_at: Stamp
    #: JSON text.
    data: bytes = b"{}"
    meta: bytes = b"{}"
    annotations: list[Annotation] = msgspec.field(default_factory=list)
    drafts: list[Draft] = msgspec.field(default_factory=list)
    predictions: list[Prediction] = msgspec.field(default_factory=list)
    is_labeled: bool = False
    overlap: int = 1
    updated_by: int | None = None

    @property
    def total_annotations(self) -> int:
        """How many annotations were not skipped."""
        return sum(not annotation.was_cancelled for annotation in self.annotations)

    @property
    def cancelled_annotations(self) -> int:
        """How many were skipped."""
        return sum(annotation.was_cancelled for annotation in self.annotations)

    @property
    def total_predictions(self) -> int:
        """How many predictions there are."""
        return len(self.predictions)

    @property
    def draft_exists(self) -> bool:
        """Whether somebody has unsubmitted work."""
        return bool(self.drafts)

    @property
    def completed_at(self) -> Stamp | None:
        """Creation of the newest annotation, skipped or not, while the task counts as labelled."""
        return self.annotations[-1].created_at if self.is_labeled and self.annotations else None

    @property
    def annotators(self) -> list[int]:
        """Who annotated, each once."""
        return sorted({annotation.completed_by for annotation in self.annotations})

    @property
    def avg_lead_time(self) -> float | None:
        """Mean of the lead times that are known."""
        times = [annotation.lead_time for annotation in self.annotations if annotation.lead_time is not None]
        return sum(times) / len(times) if times else None

    @property
    def predictions_score(self) -> float | None:
        """Mean of the scores that are known."""
        scores = [prediction.score for prediction in self.predictions if prediction.score is not None]
        return sum(scores) / len(scores) if scores else None

    @property
    def results_text(self) -> str:
        """The lossy copy of all results that stands in a listing."""
        text = " ".join(annotation.result.decode(errors="replace") for annotation in self.annotations)
        return text.replace('"', "").replace(":", ": ").replace(",", ", ")[:_CUT]

    def relabel(self) -> None:
        """Recompute `is_labeled` as the server does after an edit: skipped annotations do not count."""
        self.is_labeled = self.total_annotations >= self.overlap


class Snapshot(msgspec.Struct, frozen=True):
    """A finished export of a project, as the server keeps it."""

    id: int
    project: int
    #: The object that the API shows.
    described: dict[str, Any]
    body: bytes
