"""Options that every destination takes. The schema and the README's table of sink options come from these words."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from syncer.model.units import DURATION_PATTERN, seconds

#: Seconds; written `30s`, `10m`, `1h30m`, `7d`, or as a bare number of seconds.
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}),
]

Durability = Literal["none", "batch", "file"]


class SinkOptions(BaseModel):
    """What can be said of any destination. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(description="Kind of destination: `prefix` (one object an item) or `zip` (archives).")
    url: str = Field(
        min_length=1,
        description="Where the data goes: `file:DIR` or a plain path, absolute or relative to the configuration file.",
    )
    path: str | None = Field(
        default=None,
        description=(
            "Template of an item's name, such as `{project}/{item}.json`. By default each of project, batch and"
            " annotation type that the selection does not fix to one literal becomes a folder above `{item}.json`."
        ),
    )
    document: Literal["content", "envelope"] = Field(
        default="content",
        description=(
            "`content`: the document as the platform served it. `envelope`: a JSON object of the item's identifiers,"
            " version, update time and fields, with the unchanged document under `content`."
        ),
    )
    on_delete: Literal["keep", "tombstone", "delete"] = Field(
        default="tombstone",
        description=(
            "When an item was deleted on the platform. `keep`: nothing. `tombstone`: the manifest says so and the bytes"
            " stay (a `current` archive drops the entry). `delete`: the manifest says so, then the bytes go."
        ),
    )
    on_withdraw: Literal["keep", "tombstone"] = Field(
        default="keep",
        description=(
            "When a finished item was reopened or rejected. `keep`: it stays, and the manifest notes the reason."
            " `tombstone`: the manifest takes it out."
        ),
    )
    max_delete: int | None = Field(
        default=None,
        ge=0,
        description=(
            "Most deletions that one run may apply to a unit; above it none is applied and the run says so."
            " Default: 5 % of the live items, at least 10."
        ),
    )
    durability: Durability = Field(
        default="batch",
        description=(
            "When local files are forced to disk. `batch`: once per sealed batch, files and then folders."
            " `file`: each file before its name appears. `none`: left to the operating system."
        ),
    )
    publish_every: Duration | None = Field(
        default=None,
        description=(
            "Archives only: shortest time between two publications while a daemon runs (`10m`, `1h`)."
            " Default: 10 minutes. A one-shot run publishes at its end."
        ),
    )
