"""The options that every platform shares; a source's own options derive from `PlatformOptions`."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from yarl import URL

from syncer.model.secret import Secret
from syncer.model.units import DURATION_PATTERN, seconds
from syncer.net.network import MAX_PAUSE, MIB, Network


def _secret(value: object) -> object:
    return Secret.literal(value) if isinstance(value, str) else value


#: A credential: a `Secret`, or a plain string that becomes one. Dumped as the harmless name of its source.
SecretField = Annotated[
    InstanceOf[Secret],
    BeforeValidator(_secret),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"type": "string", "description": "A credential: env:NAME, file:PATH, keyring:SERVICE/NAME or the value."}
    ),
]


#: Seconds; written `30s`, `2m`, or as a bare number of seconds.
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}),
]


#: Most requests in flight where nothing is configured: to a platform's API, and to a store that its links point to,
#: which is made for many readers. How many really are follows the answers.
API_CONCURRENCY, STORE_CONCURRENCY = 32, 128


def concurrency_field(api: int, why: str = "") -> Any:  # noqa: ANN401  # as pydantic's own `Field`
    """Return the field of most requests in flight; `api`: to the platform, where nothing is configured."""
    return Field(
        default=None,
        ge=1,
        le=1024,
        description=f"Most requests in flight to one origin. By default the answers decide, up to {api} to the"
        f" platform{why} and {STORE_CONCURRENCY} to a store that its links point to.",
    )


class Limits(BaseModel):
    """How hard a platform may be asked, and how long we are patient."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Most requests in flight to an API of this kind, where nothing is configured.
    api_concurrency: ClassVar[int] = API_CONCURRENCY

    requests_per_second: float | None = Field(
        default=None, gt=0, le=10_000, description="Highest request rate; by default the platform's own answers decide."
    )
    concurrency: int | None = concurrency_field(API_CONCURRENCY)
    attempts: int = Field(default=5, ge=1, le=100, description="Attempts of one request in all.")
    connect_timeout: Duration = Field(default=10.0, gt=0, description="Longest time for name look-up, TCP and TLS.")
    read_timeout: Duration = Field(default=60.0, gt=0, description="Longest silence of a server.")
    timeout: Duration = Field(
        default=300.0, gt=0, description="Longest time for one attempt: `5m`; downloads are bound by read_timeout."
    )
    retry_budget: Duration = Field(
        default=MAX_PAUSE, ge=0, description="Time from the first failure of a request until it is given up."
    )
    max_body: int = Field(default=256 * MIB, gt=0, description="Largest API answer in bytes, after decompression.")
    max_item: int = Field(
        default=16 * 1024 * MIB, gt=0, description="Largest content body in bytes, after decompression."
    )
    bandwidth: float | None = Field(default=None, ge=1024, description="Bytes per second for all bodies together.")
    shared: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Whether rate, pauses and concurrency hold for all processes with the same PostgreSQL state"
        " together; auto: for workers of a fleet.",
    )
    account: str | None = Field(
        default=None,
        min_length=1,
        description="Name under which they are shared: one for all platforms that ask the same account."
        " By default the platform's own.",
    )


class PlatformOptions(BaseModel):
    """Where a platform is, whom to trust on the way, and how hard it may be asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        description="Origin of the API, such as https://studio.example.com; a path before the API is kept."
    )
    allow_http: bool = Field(default=False, description="Accept plain http also where the host is not loopback.")
    ca_file: Path | None = Field(default=None, description="PEM file of certificate authorities, beside the system's.")
    client_cert: Path | None = Field(
        default=None, description="PEM file of a client certificate for the platform's own origins."
    )
    client_key: Path | None = Field(
        default=None, description="PEM file of its key, where the certificate file has none."
    )
    proxy: SecretField | None = Field(
        default=None, description="HTTP proxy URL; by default HTTPS_PROXY, HTTP_PROXY and NO_PROXY are honoured."
    )
    content_hosts: list[str] = Field(
        default_factory=list,
        description="Further hosts that content links may point to: host, host:port, *.domain or http://host:port.",
    )
    redact: list[str] = Field(
        default_factory=list,
        description=(
            "Fields that are dropped before anything is written, of documents and columns: a name (anywhere), a path"
            " (`/annotations/*/completed_by`; `*` is one step, `**` any number), or a set of the platform's (`people`)."
        ),
    )
    limits: Limits = Field(default_factory=Limits)

    @field_validator("url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        return check_url(value)

    @model_validator(mode="after")
    def _key_with_certificate(self) -> "PlatformOptions":
        if self.client_key is not None and self.client_cert is None:
            message = "client_key needs client_cert"
            raise ValueError(message)
        return self

    def own_urls(self) -> tuple[str, ...]:
        """Return URLs beside `url` that the configuration names; a platform with a token service adds it here."""
        return ()

    def network(self) -> Network:
        """Return the same as plain values for `open_http`."""
        limits = self.limits
        return Network(
            url=self.url,
            own_urls=self.own_urls(),
            allow_http=self.allow_http,
            ca_file=self.ca_file,
            client_cert=self.client_cert,
            client_key=self.client_key,
            proxy=self.proxy,
            content_hosts=tuple(self.content_hosts),
            requests_per_second=limits.requests_per_second,
            concurrency=limits.concurrency or limits.api_concurrency,
            content_concurrency=limits.concurrency or STORE_CONCURRENCY,
            attempts=limits.attempts,
            connect_timeout=limits.connect_timeout,
            read_timeout=limits.read_timeout,
            timeout=limits.timeout,
            retry_budget=limits.retry_budget,
            max_body=limits.max_body,
            max_item=limits.max_item,
            bandwidth=limits.bandwidth,
            account=limits.account or "",
        )


def check_url(value: str) -> str:
    """Return a configured URL without its trailing slash.

    Raises:
        ValueError: it is not http(s), has no host, or carries a credential, a query or a fragment.
    """
    try:
        url = URL(value.strip())
    except ValueError as error:
        message = "not a URL"
        raise ValueError(message) from error
    if url.scheme not in {"http", "https"} or not url.raw_host:
        message = "a URL that starts with https:// (or http:// for a loopback host) is needed"
        raise ValueError(message)
    if url.raw_user is not None or url.raw_password is not None:
        message = "a URL never carries a user or password; use the option for the credential"
        raise ValueError(message)
    if url.raw_query_string or url.raw_fragment:
        message = "a URL without query and fragment is needed"
        raise ValueError(message)
    return str(url).rstrip("/")
