"""Signed links of the emulated Datature: files behind a signature that lapses, by range, without any credential."""

import hashlib
import io
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from aiohttp import web

from tests.emulators.datature_data import Dataset, compact


@dataclass
class Content:
    """The store behind the links."""

    #: Called with every request.
    moved: Callable[[], None] = lambda: None
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    #: Seconds that a link is good for.
    link_seconds: float = 900.0
    #: Statuses that the next requests meet instead of an answer.
    troubles: list[int] = field(default_factory=list)
    #: Requests by name, bytes sent by name, and requests that carried a credential (there must be none).
    #: Assets whose files are not there.
    missing: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    leaked: int = 0

    def link(self, name: str) -> tuple[str, int]:
        """Return a signed link to a file, and when it lapses (milliseconds)."""
        expires = int((time.time() + self.link_seconds) * 1000)
        return f"{self.url}/signed/{quote(name)}?sig=s&exp={expires}", expires

    def archive(self, name: str, dataset: Dataset) -> None:
        """Make the archive of an export: one file of JSON lines an asset."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
            for asset in dataset.assets.values():
                filename = asset.resource["filename"]
                record = {
                    "id": asset.id,
                    "asset": {"type": "Image", "filename": filename, "height": 480, "width": 640},
                    "contents": {"type": "PhraseGrounding", "caption": "a red car by a tree", "groundedPhrases": []},
                }
                made.writestr(f"dump/annotations/{asset.id}.jsonl", compact(record) + b"\n")
        self.files[f"exports/{name}"] = buffer.getvalue()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request for a file."""
        name = unquote(request.path).removeprefix("/signed/")
        self.asked[name] += 1
        self.moved()
        self.leaked += "Authorization" in request.headers or "Secret-Key" in request.headers
        if self.troubles:
            return web.Response(status=self.troubles.pop(0))
        if int(request.query.get("exp", "0")) < time.time() * 1000:
            return web.Response(status=403, text="<Error><Message>Request has expired</Message></Error>")
        data = None if name.split("/")[1:2] and name.split("/")[1] in self.missing else self.files.get(name)
        if data is None:
            return web.Response(status=404)
        tag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        span = request.http_range
        whole = request.headers.get("If-Range") not in {None, tag}
        if whole or "Range" not in request.headers:
            self.sent[name] += len(data)
            return web.Response(body=data, headers=headers)
        part = data[span]
        self.sent[name] += len(part)
        start = span.start or 0
        headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
        return web.Response(status=206, body=part, headers=headers)
