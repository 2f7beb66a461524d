"""The second origin: signed links to documents, as Google Cloud Storage serves them."""

import base64
import hashlib
import hmac
import time
import zlib
from urllib.parse import parse_qsl

from tests.emulators.kognic.answers import Answer, Call, Refused
from tests.emulators.kognic.documents import openlabel
from tests.emulators.kognic.site import Site, sign
from tests.emulators.kognic.world import Annotation

_XML = "application/xml; charset=UTF-8"


def named(site: Site, path: str) -> tuple[str, Annotation | None]:
    """Return the name of the object that a path is about, and its annotation."""
    _, _, name = path.rpartition("/")
    if path.startswith("/o/"):
        name = base64.urlsafe_b64decode(name).decode()
    return name, site.world.known.get(name.partition(".")[0])


def serve(site: Site, call: Call) -> Answer:
    """Return a document.

    Raises:
        Refused: a credential came along, the link has expired or is not ours, or the object is gone.
    """
    name, annotation = named(site, call.path)
    if annotation is not None:
        site.traffic.content[annotation.uuid] += 1
    if "Authorization" in call.headers:
        site.traffic.leaked += 1
        raise _refusal(400, "InvalidArgument", "Only one auth mechanism is allowed")
    params = dict(parse_qsl(call.query))
    signature = params.get("X-Goog-Signature") or params.get("sig") or ""
    millis = signature[:12]
    if not hmac.compare_digest(signature[12:], sign(name, millis)):
        raise _refusal(403, "SignatureDoesNotMatch", "Access denied.")
    if int(millis, 16) / 1000 < time.time():
        site.traffic.stale += 1
        raise _refusal(site.habits.stale_status, "ExpiredToken", "Invalid argument: the link has expired")
    if annotation is None:
        raise _refusal(404, "NoSuchKey", "The specified key does not exist.")
    return _ranged(site, call, openlabel(annotation, site.habits.size, iso=".iso." in name), annotation)


def _ranged(site: Site, call: Call, whole: bytes, annotation: Annotation) -> Answer:
    headers = {"x-goog-generation": str(annotation.number), "Accept-Ranges": "bytes"}
    if site.habits.gzip and "gzip" in call.headers.get("Accept-Encoding", ""):
        packer = zlib.compressobj(1, wbits=31)
        whole = packer.compress(whole) + packer.flush()
        headers["Content-Encoding"] = "gzip"
    tag = f'"{hashlib.md5(whole, usedforsecurity=False).hexdigest()}"'
    headers["ETag"] = tag
    start, _, stop = call.headers.get("Range", "").removeprefix("bytes=").partition("-")
    if start.isdecimal() and int(start) < len(whole) and call.headers.get("If-Range", tag) == tag:
        end = min(int(stop), len(whole) - 1) if stop else len(whole) - 1
        headers["Content-Range"] = f"bytes {start}-{end}/{len(whole)}"
        return Answer(whole[int(start) : end + 1], 206, headers=headers)
    return Answer(whole, headers=headers)


def _refusal(status: int, code: str, message: str) -> Refused:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Refused(Answer(body.encode(), status, _XML))
