"""Signed links of the emulated Datature: files behind a signature that lapses, by range, without any credential."""

import asyncio
import io
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote
from weakref import WeakKeyDictionary

from aiohttp import web

from tests.emulators.datature_data import Dataset, compact

#: Bytes that are sent at a time.
CHUNK = 256 * 1024


class Sums(WeakKeyDictionary[asyncio.Transport, int]):
    """Counts that begin at nothing, for as long as a connection lives."""

    def __getitem__(self, key: asyncio.Transport) -> int:
        """Return the count of a connection."""
        return self.get(key, 0)


@dataclass
class Content:
    """The store behind the links."""

    #: Called with every request.
    moved: Callable[[], None] = lambda: None
    url: str = ""
    files: dict[str, bytes | Path] = field(default_factory=dict)
    #: Stands for the archive of every export.
    big: Path | None = None
    #: Bytes after which a connection is dropped; 0: never.
    breaks: int = 0
    #: Requests after which every link given so far lapses, once; 0: never.
    lapse: int = 0
    #: Links given before this number of them are no good any more.
    _given: int = 0
    _valid_from: int = 0
    #: Seconds that a link is good for.
    link_seconds: float = 900.0
    #: Statuses that the next requests meet instead of an answer.
    troubles: list[int] = field(default_factory=list)
    #: Requests that pass before them.
    calm: int = 0
    #: Requests by name, bytes sent by name, and requests that carried a credential (there must be none).
    #: Assets whose files are not there.
    missing: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    leaked: int = 0
    #: Bytes sent on each connection.
    _on: WeakKeyDictionary[asyncio.Transport, int] = field(default_factory=Sums)

    def link(self, name: str) -> tuple[str, int]:
        """Return a signed link to a file, and when it lapses (milliseconds)."""
        expires = int((time.time() + self.link_seconds) * 1000)
        self._given += 1
        return f"{self.url}/signed/{quote(name)}?sig={self._given}&exp={expires}", expires

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
        self.files[f"exports/{name}"] = self.big or buffer.getvalue()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request for a file."""
        name = unquote(request.path).removeprefix("/signed/")
        self.asked[name] += 1
        self.moved()
        self.leaked += "Authorization" in request.headers or "Secret-Key" in request.headers
        if self.troubles and sum(self.asked.values()) > self.calm:
            return web.Response(status=self.troubles.pop(0))
        if self.lapse and sum(self.asked.values()) > self.lapse:
            self.lapse, self._valid_from = 0, self._given + 1
        late = int(request.query.get("exp", "0")) < time.time() * 1000
        if late or int(request.query.get("sig", "0")) < self._valid_from:
            return web.Response(status=403, text="<Error><Message>Request has expired</Message></Error>")
        found = None if name.split("/")[1:2] and name.split("/")[1] in self.missing else self.files.get(name)
        if found is None:
            return web.Response(status=404)
        size = len(found) if isinstance(found, bytes) else found.stat().st_size
        tag = f'"{zlib.crc32(found) if isinstance(found, bytes) else found.stat().st_mtime_ns:x}-{size}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        first, last, status = 0, size - 1, 200
        if "Range" in request.headers and request.headers.get("If-Range") in {None, tag}:
            span = request.http_range
            first, last, status = span.start or 0, min(span.stop or size, size) - 1, 206
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        headers["Content-Length"] = str(last + 1 - first)
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        if request.method != "HEAD":
            await self._send(request, response, name, found, first, last + 1)
        return response

    async def _send(
        self, request: web.BaseRequest, response: web.StreamResponse, name: str, found: bytes | Path, start: int,
        stop: int,
    ) -> None:  # fmt: skip
        transport = request.transport
        assert transport is not None
        while start < stop:
            room = self.breaks - self._on[transport] if self.breaks else CHUNK
            length = min(CHUNK, stop - start, room)
            if length <= 0:
                transport.close()
                return
            await response.write(_slice(found, start, start + length))
            start += length
            self._on[transport] += length
            self.sent[name] += length


def _slice(found: bytes | Path, start: int, stop: int) -> bytes:
    if isinstance(found, bytes):
        return found[start:stop]
    with found.open("rb") as file:
        file.seek(start)
        return file.read(stop - start)
