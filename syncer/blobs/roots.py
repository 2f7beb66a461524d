"""Which store a destination's URL means, and the one spelling of each URL. Pure, but for opening."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from syncer.blobs.access import BucketAccess
from syncer.blobs.files import Durability
from syncer.blobs.folder import FolderBlobs
from syncer.blobs.memory import MemoryBlobs
from syncer.blobs.places import BUCKETS, place_of
from syncer.model.errors import SettingsError
from syncer.ports import Blobs

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(.*)$", re.DOTALL)


def open_root(url: str, base: Path, *, durability: Durability = "batch", access: BucketAccess | None = None) -> Blobs:
    """Return the store behind a destination's URL; nothing is touched before its first use.

    `file:DIR`, `file:///DIR` (percent-encoded) or a plain path; relative ones count from `base`, an absolute folder.
    `s3://`, `gs://` and `az://` name a bucket, reached by `access`.

    Raises:
        SettingsError: it is no such URL.
    """
    scheme, rest = _split(url)
    if scheme in BUCKETS:
        # The client is a library of megabytes: whoever writes to a folder never loads it.
        from syncer.blobs.objects import ObjectBlobs  # noqa: PLC0415

        return ObjectBlobs(place_of(scheme, rest), access or BucketAccess())
    if scheme == "memory":
        return MemoryBlobs.shared(rest)
    return FolderBlobs(_folder(scheme, rest, base), durability=durability)


def canonical(url: str, base: Path) -> str:
    """Return the one spelling of a destination: absolute, without `.`, `..` and a last slash.

    Raises:
        SettingsError: as `open_root`.
    """
    scheme, rest = _split(url)
    if scheme in BUCKETS:
        return place_of(scheme, rest).url
    return f"memory:{rest}" if scheme == "memory" else _folder(scheme, rest, base).as_uri()


def is_bucket(url: str) -> bool:
    """Tell whether a URL names a bucket, well or badly."""
    match = _SCHEME.match(url)
    return match is not None and match[1].lower() in BUCKETS


def _split(url: str) -> tuple[str, str]:
    match = _SCHEME.match(url)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", url)
    if scheme not in {"", "file", "memory", *BUCKETS}:
        message = f"unknown kind of destination {scheme}:"
        raise SettingsError(message, hint="use file:DIR, a plain path, s3://, gs:// or az://")
    return scheme, rest


def _folder(scheme: str, rest: str, base: Path) -> Path:
    text = rest
    if scheme == "file" and rest.startswith("//"):
        parts = urlsplit(f"file:{rest}")
        if parts.netloc not in {"", "localhost"}:
            message = f"file://{parts.netloc}/ names another host; only local folders can be written"
            raise SettingsError(message, hint="write file:///DIR for an absolute folder, file:DIR for a relative one")
        text = unquote(rest.removeprefix("//").removeprefix(parts.netloc))
    if not text or "\0" in text:
        message = "the destination names no folder"
        raise SettingsError(message, hint="use file:DIR or a plain path")
    return Path(os.path.normpath(base / Path(text).expanduser()))
