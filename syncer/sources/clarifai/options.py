"""What a user can set for Clarifai, and what of it shapes documents and listings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from syncer.model.units import DURATION_PATTERN, seconds
from syncer.net.options import Limits, PlatformOptions, SecretField, check_url
from syncer.sources.clarifai.codes import ANNOTATION_STATUSES, FINISHED, code_of

DEFAULT_URL = "https://api.clarifai.com"
MEDIA_URL = "https://data.clarifai.com"

#: Clarifai refuses the sixteenth request of a second. Spaced for a little less, none is refused though networks jitter.
RATE = 14.5

#: Seconds; `7d`, `10m`, `1h30m`, or a bare number.
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}),
]


class ClarifaiLimits(Limits):
    """How hard Clarifai may be asked."""

    requests_per_second: float | None = Field(
        default=RATE,
        gt=0,
        le=10_000,
        description="Highest request rate. Clarifai refuses more than 15 a second; a lower quota is learned.",
    )


class ClarifaiOptions(PlatformOptions):
    """Options of a platform of type `clarifai`."""

    url: str = Field(default=DEFAULT_URL, description="Address of the API.")
    media_url: str = Field(
        default=MEDIA_URL, description="Address of the media host; besides `url` the only one that sees the token."
    )
    token: SecretField = Field(description="Personal access token of the account, or the key of one app.")
    user: str = Field(default="me", min_length=1, description="Owner of the apps; `me` is whom the token belongs to.")
    app: str | None = Field(default=None, description="App in which `syncer get` looks for an annotation.")
    granularity: Literal["annotation", "input"] = Field(
        default="annotation",
        description="What one document is: an annotation, or an input with all its finished annotations.",
    )
    finished: list[int | str] = Field(
        default=[FINISHED], min_length=1, description="Statuses of finished annotations: codes or names."
    )
    list_all: bool = Field(
        default=False, description="Also untrusted annotations and those of models, with what they found."
    )
    input_level: Literal["include", "exclude", "only"] = Field(
        default="include", description="What to do with the annotation that each input has as a whole."
    )
    full_every: Duration = Field(
        default=7 * 86400.0,
        description="Longest time between two complete listings of an app; only these find what was deleted.",
    )
    overlap: Duration = Field(
        default=600.0, description="How far a listing of changes looks back: rows show up later than their time says."
    )
    page_size: int = Field(default=1000, ge=2, le=1000, description="Most rows of a page.")
    read_ahead: int = Field(default=16, ge=1, le=64, description="Groups of inputs that are read side by side.")
    limits: ClarifaiLimits = Field(default_factory=ClarifaiLimits)

    @field_validator("media_url")
    @classmethod
    def _plain_media_url(cls, value: str) -> str:
        return check_url(value)

    @field_validator("finished", mode="after")
    @classmethod
    def _codes(cls, value: list[int | str]) -> list[int | str]:
        codes: list[int | str] = [code_of(each) for each in value]
        for given, code in zip(value, codes, strict=True):
            if code not in ANNOTATION_STATUSES:
                message = f"{given!r} is no status of an annotation, such as {FINISHED} or ANNOTATION_SUCCESS"
                raise ValueError(message)
        return sorted(set(codes), key=int)

    def own_urls(self) -> tuple[str, ...]:
        """Return the media host: exports lie there, and are only served with the token."""
        return (self.media_url,)

    @property
    def statuses(self) -> frozenset[int]:
        """Codes of finished annotations."""
        return frozenset(code_of(each) for each in self.finished)

    def shape(self) -> Mapping[str, str]:
        """Return what decides on the bytes of a document; single annotations are chosen, not shaped."""
        shape = {"granularity": self.granularity}
        return shape | self._choice() if self.granularity == "input" else shape

    def digest(self) -> str:
        """Return a short name of what decides which documents there are; a cursor made under another one is void."""
        text = json.dumps({**self.shape(), **self._choice()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _choice(self) -> dict[str, str]:
        return {
            "finished": ",".join(map(str, sorted(self.statuses))),
            "list_all": str(self.list_all).lower(),
            "input_level": self.input_level,
        }
