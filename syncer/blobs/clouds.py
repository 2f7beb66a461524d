"""Opens the client of a bucket: address, trust, and credentials by each cloud's own chain. Blocking; for a thread.

Variables that the clouds' own tools read (`AWS_ACCESS_KEY_ID`, `AWS_WEB_IDENTITY_TOKEN_FILE`, `AZURE_CLIENT_ID`,
`GOOGLE_APPLICATION_CREDENTIALS`, …), metadata services and workload identities are the client library's own business;
what it can't read (AWS profiles, federated Google identities) is read with the vendor's library where there is one.
"""

import importlib
import json
import os
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from obstore.store import AzureStore, GCSStore, S3Store

from syncer.blobs.access import BucketAccess
from syncer.blobs.places import BUCKETS, Place, endpoint_of
from syncer.model.errors import Exit, SettingsError, StoreFailed
from syncer.model.secret import Secret

if TYPE_CHECKING:
    from obstore.store import AzureAccessKey, S3Credential

#: Where machines in a cloud ask for their role's credentials, and for how many seconds we try whether it is there.
_METADATA = "169.254.169.254"
_PROBE = 2.0
#: How long keys of the sink's own are used before they are read again.
_FRESH = timedelta(minutes=10)

Store = S3Store | AzureStore | GCSStore

#: Variables by which AWS credentials are given without a profile.
_AWS = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI")  # fmt: skip
#: The same for Azure, without the command line tool.
_AZURE = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN",
          "AZURE_CLIENT_ID", "AZURE_STORAGE_CLIENT_ID", "AZURE_STORAGE_TOKEN", "AZURE_FEDERATED_TOKEN_FILE",
          "IDENTITY_ENDPOINT", "MSI_ENDPOINT")  # fmt: skip


def open_store(place: Place, access: BucketAccess, *, retries: int = 10) -> Store:
    """Return a client for the root that a URL names; nothing is sent yet.

    A request that failed in a way that may heal is repeated so many times, within the budget.

    Raises:
        SettingsError: the access can't be right, or needs a package that is not installed.
        StoreFailed: there are no credentials.
    """
    endpoint = endpoint_of(place, access)
    client: dict[str, Any] = {
        "allow_http": endpoint is not None and endpoint.startswith("http://"),
        "connect_timeout": "10s",
        # No limit on a whole request: a large part on a slow line takes its time. Silence is what ends it.
        "timeout": "1day",
        "read_timeout": "60s",
    }
    if access.ca_file is not None:
        client["root_certificate"] = _file(access.ca_file)
    if access.proxy is not None:
        client["proxy_url"] = access.proxy.reveal()
    retry: dict[str, Any] = {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=access.retry_budget),
        "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=15), "base": 2},
    }
    options: dict[str, Any] = {"prefix": place.prefix or None, "client_options": client, "retry_config": retry}
    try:
        if place.scheme == "s3":
            return S3Store(place.bucket, **options, **_s3(access, endpoint))
        if place.scheme == "gs":
            return GCSStore(place.bucket, **options, **_gcs(access, endpoint))
        return AzureStore(place.bucket, **options, **_azure(access, endpoint))
    except (SettingsError, StoreFailed):
        raise
    except Exception as error:  # the client library checks what it is given in many ways, and says which
        message = f"{place.url} can't be opened: {str(error).splitlines()[0][:200]}"
        raise SettingsError(message, hint="see the sink's options and the cloud's variables") from error


def _s3(access: BucketAccess, endpoint: str | None) -> dict[str, Any]:
    # The client reads AWS_ENDPOINT_URL_S3 into an option of its own, which would win over ours.
    found: dict[str, Any] = {} if endpoint is None else {"endpoint": endpoint, "aws_endpoint_url_s3": endpoint}
    if access.region is not None:
        found["region"] = access.region
    if access.encryption is not None:
        found["server_side_encryption"] = access.encryption
    if access.kms_key is not None:
        found["sse_kms_key_id"] = access.kms_key
    if access.access_key is not None and access.secret_key is not None:
        found["credential_provider"] = _AwsKeys(access.access_key, access.secret_key, access.session_token)
        found["credential_provider"]()  # what can't be read is told now
    elif (profile := _profile(access)) is not None:
        found["credential_provider"] = provider = _aws_profile(profile)
        if access.region is None and provider.config.get("region"):
            found["region"] = provider.config["region"]
    elif not any(os.environ.get(name) for name in (*_AWS, "AWS_SKIP_SIGNATURE", "AWS_METADATA_ENDPOINT")):
        _instance_known(_METADATA, BUCKETS["s3"])
    return found


class _AwsKeys(msgspec.Struct, frozen=True):
    """Keys of the sink's own, read again now and then: files of credentials are replaced while we run."""

    access_key: Secret
    secret_key: Secret
    session_token: Secret | None

    def __call__(self) -> "S3Credential":
        token = None if self.session_token is None else self.session_token.reveal()
        return {
            "access_key_id": self.access_key.reveal(), "secret_access_key": self.secret_key.reveal(), "token": token,
            "expires_at": datetime.now(UTC) + _FRESH,
        }  # fmt: skip


class _AzureKey(msgspec.Struct, frozen=True):
    """The same for the key of a storage account."""

    secret_key: Secret

    def __call__(self) -> "AzureAccessKey":
        return {"access_key": self.secret_key.reveal(), "expires_at": datetime.now(UTC) + _FRESH}


def _instance_known(host: str, what: str) -> None:
    """Return if there is a metadata service, the last link of a chain; it would be waited for very long where not.

    Raises:
        StoreFailed: there is none, and so no credential at all.
    """
    try:
        socket.create_connection((host, 80), timeout=_PROBE).close()
    except OSError as error:
        message = (
            f"no credentials were found for {what}: not in the sink, the environment, nor from this machine's role"
        )
        hint = "set the variables that the cloud's own tools read, or give the sink its keys"
        raise StoreFailed(message, exit_code=Exit.PERMISSION, hint=hint) from error


def _profile(access: BucketAccess) -> str | None:
    """Return the AWS profile to read, None where another part of the chain comes first."""
    if access.profile is not None:
        return access.profile
    if any(os.environ.get(name) for name in _AWS):
        return None
    named = os.environ.get("AWS_PROFILE")
    if named:
        return named
    files = (os.environ.get("AWS_SHARED_CREDENTIALS_FILE"), os.environ.get("AWS_CONFIG_FILE"))
    usual = ("~/.aws/credentials", "~/.aws/config")
    there = any(Path(file or default).expanduser().is_file() for file, default in zip(files, usual, strict=True))
    return "default" if there else None


def _aws_profile(profile: str) -> Any:  # noqa: ANN401  # a class of an optional package
    try:
        session = importlib.import_module("boto3").session.Session
        provider = importlib.import_module("obstore.auth.boto3").Boto3CredentialProvider
    except ImportError as error:
        message = f"AWS profile {profile!r} needs the optional package boto3"
        hint = "pip install 'annotation-syncer[aws]', or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise SettingsError(message, hint=hint) from error
    try:
        return provider(session(profile_name=profile))
    except Exception as error:  # botocore has an exception for each thing that may be wrong with a profile
        message = f"AWS profile {profile!r} can't be used: {type(error).__name__}"
        raise SettingsError(message, hint="see ~/.aws/config and ~/.aws/credentials") from error


def _gcs(access: BucketAccess, endpoint: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"base_url": endpoint} if endpoint is not None else {}
    file = access.credentials_file
    if file is None and not any(name.startswith("GOOGLE_SERVICE_ACCOUNT") for name in os.environ):
        named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        file = Path(named).expanduser() if named else None
    if file is None:
        usual = Path("~/.config/gcloud/application_default_credentials.json").expanduser()
        if not usual.is_file() and not any(name.startswith("GOOGLE_SERVICE_ACCOUNT") for name in os.environ):
            _instance_known("metadata.google.internal", BUCKETS["gs"])
        return found
    kind = _kind(file)
    if kind in {"service_account", "authorized_user"}:
        return {**found, "application_credentials": str(file)}
    try:
        provider = importlib.import_module("obstore.auth.google").GoogleCredentialProvider
        credentials, _ = importlib.import_module("google.auth").load_credentials_from_file(
            str(file), scopes=["https://www.googleapis.com/auth/devstorage.read_write"]
        )
    except ImportError as error:
        message = f"{file}: credentials of type {kind!r} need the optional package google-auth"
        raise SettingsError(message, hint="pip install 'annotation-syncer[gcs]'") from error
    return {**found, "credential_provider": provider(credentials)}


def _kind(file: Path) -> str:
    try:
        return str(json.loads(file.read_bytes()).get("type", ""))
    except (OSError, ValueError, AttributeError) as error:
        message = f"{file} can't be read as Google credentials"
        raise SettingsError(message, hint="point GOOGLE_APPLICATION_CREDENTIALS or credentials_file at them") from error


def _azure(access: BucketAccess, endpoint: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"endpoint": endpoint} if endpoint is not None else {}
    if access.account is not None:
        found["account_name"] = access.account
    if access.secret_key is not None:
        found["credential_provider"] = _AzureKey(access.secret_key)
        found["credential_provider"]()
    elif not any(os.environ.get(name) for name in (*_AZURE, "AZURE_SKIP_SIGNATURE")):
        if shutil.which("az") is not None:
            found["use_azure_cli"] = True
        else:
            _instance_known(_METADATA, BUCKETS["az"])
    return found


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}"
        raise SettingsError(message, hint="correct the sink's ca_file") from error
