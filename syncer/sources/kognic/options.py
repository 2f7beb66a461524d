"""What a user can set for Kognic, and what of it shapes documents and listings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator
from yarl import URL

from syncer.model.units import DURATION_PATTERN, seconds
from syncer.net.options import PlatformOptions, SecretField, check_url

#: Seconds; `7d`, `10m`, `1h30m`, or a bare number.
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}),
]


class AccountOptions(PlatformOptions):
    """What Kognic and Annotell have in common: an account, and where its tokens come from."""

    #: First label of the host of `url`, which other services replace by a name of their own.
    service: ClassVar[str] = "input"
    #: That of the token service.
    tokens: ClassVar[str] = "auth"

    auth_url: str | None = Field(
        default=None, description="Token service. Default: `auth.` in place of `input.` in `url`, else `url` itself."
    )
    credentials: SecretField | None = Field(
        default=None, description="API credentials: the JSON text or the path of its file (`file:PATH` is read anew)."
    )
    client_id: str | None = Field(default=None, description="Client id, where there is no credentials file.")
    client_secret: SecretField | None = Field(default=None, description="Secret of `client_id`.")
    organization: int | None = Field(
        default=None, description="Organization to act for (`X-Organization-Id`); the platform's own staff need it."
    )
    details: bool = Field(
        default=True, description="Ask for external ids and request uids: one more small request a page."
    )
    full_every: Duration = Field(
        default=0.0,
        description="Longest time between two complete listings. Above 0, passes in between skip batches whose status, "
        "`updated` and progress stood still.",
    )

    @field_validator("auth_url")
    @classmethod
    def _plain_urls(cls, value: str | None) -> str | None:
        return None if value is None else check_url(value)

    def beside(self, service: str) -> str:
        """Return the address of another service of the same installation."""
        url = URL(self.url)
        own = f"{self.service}."
        if not (url.host or "").startswith(own):
            return self.url
        return str(url.with_host(f"{service}.{(url.host or '').removeprefix(own)}"))

    @property
    def auth_address(self) -> str:
        """Address of the token service."""
        return self.auth_url or self.beside(self.tokens)

    def own_urls(self) -> tuple[str, ...]:
        """Return the addresses beside `url`; only `api_urls` of them see a token."""
        return (self.auth_address, *self.api_urls())

    def api_urls(self) -> tuple[str, ...]:
        """Return addresses of further services that take the same token."""
        return ()

    def shape(self) -> Mapping[str, str]:
        """Return what decides on the bytes of a document."""
        return {}

    def digest(self) -> str:
        """Return a short name of what decides which documents there are: a cursor under another is not followed."""
        text = json.dumps([dict(self.shape()), self.details], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class KognicOptions(AccountOptions):
    """Options of a platform of type `kognic`."""

    url: str = Field(default="https://input.app.kognic.com", description="Address of the input API.")
    requests_url: str | None = Field(
        default=None, description="Project management. Default: `project-management.` in place of `input.` in `url`."
    )
    integration_url: str | None = Field(
        default=None,
        description="Annotation integration. Default: `annotation-integration.` in place of `input.` in `url`.",
    )
    iso_rotated_cuboids: bool = Field(
        default=False, description="Cuboids with the axes of ISO 8855 (`useDefaultCartesian`), as in kognic-io."
    )
    project_uuids: dict[str, str] = Field(
        default_factory=dict,
        description="Internal uuids of projects by external id: lets quick passes see the progress of requests.",
    )
    read_ahead: int = Field(
        default=8, ge=1, le=32, description="Scenes that are asked side by side where there are no annotation types."
    )

    @field_validator("requests_url", "integration_url")
    @classmethod
    def _plain_services(cls, value: str | None) -> str | None:
        return None if value is None else check_url(value)

    @property
    def requests_address(self) -> str:
        """Address of project management."""
        return self.requests_url or self.beside("project-management")

    @property
    def integration_address(self) -> str:
        """Address of the annotation integration."""
        return self.integration_url or self.beside("annotation-integration")

    def api_urls(self) -> tuple[str, ...]:
        """Return project management and annotation integration."""
        return (self.requests_address, self.integration_address)

    def shape(self) -> Mapping[str, str]:
        """Return the frame of cuboids, where it is not the platform's own."""
        return {"iso_rotated_cuboids": "true"} if self.iso_rotated_cuboids else {}
