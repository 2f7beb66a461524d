"""What the URL of a bucket names, and where its server is. Pure, but for the environment's endpoints."""

import ipaddress
import os
import re
from urllib.parse import urlsplit

import msgspec

from syncer.blobs.access import BucketAccess
from syncer.model.errors import SettingsError
from syncer.model.paths import is_safe

#: Schemes of object stores, and what people call them.
BUCKETS = {"s3": "S3", "gs": "Google Cloud Storage", "az": "Azure Blob Storage"}

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,220}[A-Za-z0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: Variables that name another endpoint, as the vendors' own tools read them.
_ENDPOINTS = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"), "gs": ("STORAGE_EMULATOR_HOST",),
              "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")}  # fmt: skip


class Place(msgspec.Struct, frozen=True):
    """A bucket, or a container of Azure, and the prefix below it that is the root."""

    scheme: str
    bucket: str
    #: Without slashes at its ends; empty: all of the bucket.
    prefix: str

    @property
    def url(self) -> str:
        """The one spelling."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")


def place_of(scheme: str, rest: str) -> Place:
    """Return what `//bucket/prefix` after a scheme names.

    Raises:
        SettingsError: it is no such name.
    """
    bucket, _, prefix = rest.removeprefix("//").partition("/")
    prefix = prefix.strip("/")
    hint = f"write {scheme}://BUCKET or {scheme}://BUCKET/PREFIX"
    if not rest.startswith("//") or not _BUCKET.fullmatch(bucket):
        raise SettingsError(f"{scheme}: names no bucket of {BUCKETS[scheme]}", hint=hint)
    if prefix and not is_key(prefix):
        raise SettingsError(f"{scheme}://{bucket}/…: the prefix has empty, relative or unprintable parts", hint=hint)
    return Place(scheme, bucket, prefix)


def is_key(name: str) -> bool:
    """Tell whether a name can be an object's: safe, and without control characters, which no client can send."""
    return is_safe(name) and _CONTROL.search(name) is None


def endpoint_of(place: Place, access: BucketAccess) -> str | None:
    """Return the URL of the server, None for the cloud's own.

    Raises:
        SettingsError: it is no URL, or plain http to a host that is not this machine, without `allow_http`.
    """
    url = access.endpoint or next((os.environ[name] for name in _ENDPOINTS[place.scheme] if os.environ.get(name)), None)
    if url is None:
        return None
    if "://" not in url:
        url = f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise SettingsError(f"{place.url}: its endpoint is no http(s) URL", hint="write https://HOST, without user")
    if parts.scheme == "http" and not access.allow_http and not _loopback(parts.hostname):
        message = f"{place.url}: its endpoint {parts.scheme}://{parts.netloc} is plain http"
        raise SettingsError(message, hint="use https, or set allow_http for the sink")
    return url.rstrip("/")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
