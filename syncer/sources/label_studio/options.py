"""What a user can set for a Label Studio server, and what of it shapes documents and listings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from syncer.model.units import DURATION_PATTERN, seconds
from syncer.net.options import PlatformOptions, SecretField

#: Where `label-studio start` listens, and what the vendor's SDK falls back to.
DEFAULT_URL = "http://localhost:8080"

#: Keys of tasks and annotations that move while the version stands still, or that differ from reader to reader.
#: None of them but the drafts is in Label Studio's own export. They are left out of documents.
VOLATILE = (
    "created_ago",
    "is_labeled",
    "completed_at",
    "annotators",
    "annotations_ids",
    "annotations_results",
    "predictions_results",
    "predictions_score",
    "predictions_model_versions",
    "avg_lead_time",
    "drafts",
    "draft_exists",
    "comment_authors",
)

#: Seconds; `7d`, `10m`, `1h30m`, or a bare number.
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}),
]


class LabelStudioOptions(PlatformOptions):
    """Options of a platform of type `label_studio`."""

    url: str = Field(
        default=DEFAULT_URL, description="Address of the server, with the path before /api if there is one."
    )
    token: SecretField = Field(
        description="Personal access token, or legacy token (Account & Settings); which of the two is found out."
    )
    granularity: Literal["task", "annotation"] = Field(
        default="task", description="What one document is: a task with its annotations, or one annotation."
    )
    include_cancelled: bool = Field(default=False, description="Keep skipped annotations too.")
    ground_truth: Literal["any", "only", "exclude"] = Field(
        default="any", description="Which annotations count by their ground truth mark."
    )
    completed_by: list[int | str] = Field(
        default_factory=list, description="Ids or e-mail addresses: only annotations that these users completed."
    )
    review: list[str] = Field(
        default_factory=list,
        description="Only annotations with one of these last actions: accepted, fixed_and_accepted, rejected ...",
    )
    media: bool = Field(default=False, description="Store the files that the data of finished tasks names, too.")
    media_fields: list[str] = Field(
        default_factory=list, description="Only these keys of the data name files; without them all do that hold one."
    )
    full_every: Duration = Field(
        default=7 * 86400.0, description="Longest time between two complete listings of a project."
    )
    overlap: Duration = Field(
        default=600.0, description="How far a listing of changes looks back: rows show up later than their time says."
    )
    page_size: int = Field(
        default=32,
        ge=1,
        le=1000,
        description="Tasks of the first page; later ones follow the server's pace and the size of documents.",
    )
    read_ahead: int = Field(default=4, ge=1, le=16, description="Pages of a project that are read side by side.")
    volatile: list[str] = Field(
        default=list(VOLATILE), description="Keys of tasks and annotations to leave out of documents."
    )

    @field_validator("completed_by", mode="after")
    @classmethod
    def _numbers(cls, value: list[int | str]) -> list[int | str]:
        return [int(item) if isinstance(item, str) and item.isdecimal() else item for item in value]

    def shape(self) -> Mapping[str, str]:
        """Return what decides on the bytes of a document; single annotations are chosen, not shaped."""
        shape = {"granularity": self.granularity, "volatile": ",".join(sorted(set(self.volatile)))}
        return shape | self._choice() if self.granularity == "task" else shape

    def digest(self) -> str:
        """Return a short name of what decides which documents there are and how they look.

        A cursor that was made under another one is not followed.
        """
        media = {"media": ",".join(sorted(self.media_fields))} if self.media else {}
        text = json.dumps({**self.shape(), **self._choice(), **media}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _choice(self) -> dict[str, str]:
        return {
            "include_cancelled": str(self.include_cancelled).lower(),
            "ground_truth": self.ground_truth,
            "completed_by": ",".join(sorted(map(str, self.completed_by))),
            "review": ",".join(sorted(self.review)),
        }
