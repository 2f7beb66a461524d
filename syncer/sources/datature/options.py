"""What a user can set for a Datature Vi organization, and what of it shapes documents and listings."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.model.units import DURATION_PATTERN, seconds
from syncer.net.options import Limits, PlatformOptions, SecretField, concurrency_field
from syncer.sources.datature.credentials import key_of, organization_in

#: Where the vendor's own client goes.
DEFAULT_URL = "https://api.vi.datature.com"

#: Seconds; `7d`, `10m`, `1h30m`, or a bare number.
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}),
]


class DatatureLimits(Limits):
    """How hard Datature may be asked."""

    api_concurrency: ClassVar[int] = 64

    concurrency: int | None = concurrency_field(api_concurrency, ", as annotations may need one an asset,")


class DatatureOptions(PlatformOptions):
    """Options of a platform of type `datature`."""

    url: str = Field(default=DEFAULT_URL, description="Address of the API.")
    token: SecretField = Field(description="Secret key of the organization: `dtvi_` and 98 more characters.")
    organization: str = Field(
        default="", validate_default=True, description="Id of the organization (workspace) that the key belongs to."
    )
    limits: DatatureLimits = Field(default_factory=DatatureLimits)
    config_file: Path | None = Field(
        default=None, description="JSON file with `secret_key` and `organization_id`, for what is given nowhere else."
    )
    statuses: list[str] = Field(
        default=["Completed"], min_length=1, description="Statuses of an asset that make its annotations finished."
    )
    any_annotated: bool = Field(
        default=False, description="Every annotated asset counts as finished, for teams that do not review."
    )
    mode: Literal["annotations", "export"] = Field(
        default="annotations",
        description="`annotations`: documents of their own. `export`: the archive of the platform's own export job.",
    )
    export_format: Literal[
        "ViFull", "ViJsonl", "ViTfrecord", "CsvFourCorner", "CsvWidthHeight", "Coco", "PascalVoc", "YoloDarknet",
        "YoloKerasPytorch",
    ] = Field(default="ViJsonl", description="Format of the export.")  # fmt: skip
    export_normalized: bool = Field(default=True, description="Coordinates from 0 to 1 in the export.")
    export_split: float | None = Field(
        default=None, ge=0, le=1, description="Share of the training part; without it the export is one part."
    )
    export_unpack: bool = Field(default=False, description="Store the members of the export's archive one by one.")
    export_deadline: Duration = Field(default=3600.0, description="How long the export job is waited for.")
    granularity: Literal["annotation", "asset"] = Field(
        default="annotation", description="What one document is: one annotation, or an asset with all of its own."
    )
    with_objects: bool = Field(
        default=True, description="List assets together with their annotations where that proves complete."
    )
    media: bool = Field(default=False, description="Store the file of every finished asset, too.")
    full_every: Duration = Field(
        default=7 * 86400.0, description="Longest time between two passes that look at the annotations of every asset."
    )
    overlap: Duration = Field(
        default=600.0, description="Assets that changed so shortly before a pass are looked at again in the next."
    )
    page_size: int = Field(default=1000, ge=1, le=1000, description="Rows of a page that are asked for.")
    read_ahead: int = Field(default=96, ge=1, le=256, description="Assets whose annotations are read side by side.")

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, values: object) -> object:
        if not isinstance(values, dict) or not isinstance(path := values.get("config_file"), str | Path):
            return values
        given = values.get("token")
        if given is None or isinstance(given, Secret):
            values = {**values, "token": key_of(given, Path(path))}
        if not values.get("organization"):
            try:
                values = {**values, "organization": organization_in(Path(path))}
            except SettingsError as error:
                raise ValueError(str(error)) from error
        return values

    @field_validator("organization")
    @classmethod
    def _plain_organization(cls, value: str) -> str:
        if not value:
            message = "the organization is missing: set `organization`, DATATURE_VI_ORGANIZATION_ID or `config_file`"
            raise ValueError(message)
        if value != value.strip() or "/" in value:
            message = "an organization's id has no spaces around it and no slash"
            raise ValueError(message)
        return value

    def shape(self) -> Mapping[str, str]:
        """Return what decides on the bytes of a document."""
        if self.mode == "export":
            # The format and its options are part of the version.
            shape = {"mode": self.mode, "granularity": "export"}
            return shape | ({"unpack": "true"} if self.export_unpack else {})
        return {"granularity": self.granularity}

    def digest(self) -> str:
        """Return a short name of what decides which documents there are; a cursor of another one is not followed."""
        chosen = ["*"] if self.any_annotated else sorted(self.statuses)
        return hashlib.sha256(json.dumps([self.granularity, chosen, self.media, self.mode]).encode()).hexdigest()[:12]
