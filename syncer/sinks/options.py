"""Options that every destination takes. The schema and the README's table of sink options come from these words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from syncer.blobs.access import CONCURRENCY, RETRY_BUDGET, BucketAccess
from syncer.blobs.places import place_of
from syncer.blobs.roots import is_bucket, open_root
from syncer.model.units import DURATION_PATTERN, seconds
from syncer.net.options import SecretField
from syncer.ports import Blobs
from syncer.sinks.generations import KEPT

#: Seconds; written `30s`, `10m`, `1h30m`, `7d`, or as a bare number of seconds.
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}),
]


def _times(text: str) -> str:
    try:
        if len(text.split()) == 5:  # noqa: PLR2004  # minute to weekday
            next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
            return text
    except (CronSimError, StopIteration):
        pass
    message = f"expected five cron fields (minute hour day month weekday), got {text[:80]!r}"
    raise ValueError(message)


Durability = Literal["none", "batch", "file"]


class SinkOptions(BaseModel):
    """What can be said of any destination. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(
        description="Kind of destination: `prefix` (one object an item), `zip` (archives), `jsonl`, `parquet`."
    )
    url: str = Field(
        min_length=1,
        description=(
            "Where the data goes: `file:DIR` or a plain path, absolute or relative to the configuration file;"
            " `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`."
        ),
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
    generations: Duration = Field(
        default=KEPT.total_seconds(),
        ge=3600,
        description=(
            "How long former generations of the manifest stay known, to `syncer changes --since`, to readers and for"
            " snapshots of them; `1h` at least. Default: `7d`."
        ),
    )
    durability: Durability = Field(
        default="batch",
        description=(
            "When local files are forced to disk. `batch`: once per sealed batch, files and then folders."
            " `file`: each file before its name appears. `none`: left to the operating system."
        ),
    )
    endpoint: str | None = Field(
        default=None,
        description="Buckets only: URL of the server, where it is not the cloud's own (MinIO, Ceph, R2, an emulator).",
    )
    region: str | None = Field(default=None, description="S3 only: region. Default: `AWS_REGION`, or the profile's.")
    allow_http: bool = Field(
        default=False, description="Buckets only: accept plain http also where the endpoint is not loopback."
    )
    profile: str | None = Field(
        default=None,
        description="S3 only: AWS profile (needs `annotation-syncer[aws]`). Default: the variables and files of AWS.",
    )
    account: str | None = Field(
        default=None, description="Azure only: storage account. Default: `AZURE_STORAGE_ACCOUNT_NAME`."
    )
    access_key: SecretField | None = Field(
        default=None, description="S3 only: id of an access key. Default: the cloud's own chain of credentials."
    )
    secret_key: SecretField | None = Field(
        default=None, description="S3: secret of the access key. Azure: key of the account. Default: the cloud's chain."
    )
    session_token: SecretField | None = Field(default=None, description="S3 only: token of a temporary access key.")
    credentials_file: Path | None = Field(
        default=None, description="Google only: service account file. Default: application default credentials."
    )
    encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = Field(
        default=None, description="S3 only: server-side encryption. Default: as the bucket is configured."
    )
    kms_key: str | None = Field(
        default=None, description="S3 only: key for `encryption: aws:kms`. Default: the account's."
    )
    storage_class: str | None = Field(
        default=None,
        description=(
            "Buckets only: storage class of new objects (`STANDARD_IA`, `NEARLINE`, `Cool`). Default: the bucket's."
        ),
    )
    ca_file: Path | None = Field(
        default=None, description="Buckets only: PEM file of certificate authorities, beside the system's."
    )
    proxy: SecretField | None = Field(
        default=None,
        description="Buckets only: HTTP proxy URL. Default: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.",
    )
    concurrency: int = Field(
        default=CONCURRENCY, ge=1, le=1024, description="Buckets only: most requests in flight to one sink's bucket."
    )
    retry_budget: Duration = Field(
        default=RETRY_BUDGET, description="Buckets only: time from a request's first failure until it is given up."
    )
    bandwidth: float | None = Field(
        default=None, ge=1024, description="Buckets only: bytes per second for all bodies together."
    )
    publish_every: Duration | None = Field(
        default=None,
        description=(
            "Archives and tables only: shortest time between two publications while a daemon runs (`10m`, `1h`)."
            " Default: 10 minutes, in a bucket 1 hour. A one-shot run publishes at its end."
        ),
    )
    publish: Annotated[str, AfterValidator(_times)] | None = Field(
        default=None,
        description=(
            "Archives and tables only, instead of `publish_every`: the times at which a daemon publishes, as five cron"
            " fields in the time zone of the job's schedule: `0 3 * * *`."
        ),
    )

    @model_validator(mode="after")
    def _one_cadence(self) -> "SinkOptions":
        if self.publish is not None and self.publish_every is not None:
            message = "publish and publish_every exclude each other"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _keys_in_pairs(self) -> "SinkOptions":
        azure = self.url.lower().startswith("az:")
        if (self.access_key is None) != (self.secret_key is None) and not azure:
            message = "access_key and secret_key go together"
            raise ValueError(message)
        return self

    @property
    def in_bucket(self) -> bool:
        """Tell whether the data goes to an object store."""
        return is_bucket(self.url)

    def access(self) -> BucketAccess:
        """Return how a bucket is reached, as plain values."""
        return BucketAccess(
            endpoint=self.endpoint,
            region=self.region,
            allow_http=self.allow_http,
            profile=self.profile,
            account=self.account,
            access_key=self.access_key,
            secret_key=self.secret_key,
            session_token=self.session_token,
            credentials_file=self.credentials_file,
            encryption=self.encryption or ("aws:kms" if self.kms_key is not None else None),
            kms_key=self.kms_key,
            storage_class=self.storage_class,
            ca_file=self.ca_file,
            proxy=self.proxy,
            concurrency=self.concurrency,
            retry_budget=self.retry_budget,
            bandwidth=self.bandwidth,
        )

    async def protection(self) -> dict[str, object]:
        """Return what the store may still hold of what is deleted in it, as far as it can be asked."""
        from syncer.blobs.protection import protection  # noqa: PLC0415  # only an erasure asks

        if not self.in_bucket:
            return await protection(None, None)
        scheme, _, rest = self.url.partition(":")
        return await protection(place_of(scheme.lower(), rest), self.access())

    def kept(self) -> timedelta:
        """Return how long former generations stay known."""
        return timedelta(seconds=self.generations)

    def open(self, base: Path) -> Blobs:
        """Return the store behind `url`; relative folders count from `base`. Nothing is touched before its first use.

        Raises:
            SettingsError: the URL is none of a destination.
        """
        return open_root(self.url, base, durability=self.durability, access=self.access())
