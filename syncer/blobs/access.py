"""How a bucket is reached, as plain values: what the object store needs, free of any settings library."""

from pathlib import Path

import msgspec

from syncer.model.secret import Secret

#: Most requests in flight to one bucket.
CONCURRENCY = 32
#: Seconds from the first failure of a request until it is given up; shorter than any lease.
RETRY_BUDGET = 120.0


class BucketAccess(msgspec.Struct, frozen=True):
    """Address, credentials, trust and limits. What is absent comes from the cloud's own chain."""

    #: URL of an S3-compatible server (or of an Azure or GCS endpoint); None: the cloud's own.
    endpoint: str | None = None
    region: str | None = None
    #: Plain http is accepted for loopback, elsewhere only with this.
    allow_http: bool = False
    #: AWS profile.
    profile: str | None = None
    #: Storage account (Azure).
    account: str | None = None
    #: S3: id and secret of an access key, and the token of a temporary one. Azure: `secret_key` is the account's key.
    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    #: Service account file (GCS).
    credentials_file: Path | None = None
    #: Server-side encryption (S3): `AES256`, `aws:kms`, `aws:kms:dsse`; and the key that the service shall use.
    encryption: str | None = None
    kms_key: str | None = None
    storage_class: str | None = None
    #: Additional certificate authorities (PEM), beside the system's.
    ca_file: Path | None = None
    #: Proxy URL, perhaps with a password; None honours the proxy environment variables.
    proxy: Secret | None = None
    concurrency: int = CONCURRENCY
    retry_budget: float = RETRY_BUDGET
    #: Bytes per second for all bodies together; None: no limit.
    bandwidth: float | None = None
