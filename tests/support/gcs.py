"""A small Google Cloud Storage: the XML API as far as an object store's client uses it, in memory.

Run as `python -m tests.support.gcs PORT`. Objects have generations, writes are conditional on them, uploads in parts
are visible when they are completed. Credentials are not checked.
"""

import hashlib
import itertools
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web

#: Names that one listing answer holds, as the service's own.
_PAGE = 1000


@dataclass
class Stored:
    """One object."""

    data: bytes
    generation: int
    headers: dict[str, str]
    etag: str
    modified: str = field(default_factory=lambda: formatdate(usegmt=True))

    def answer_headers(self) -> dict[str, str]:
        """Return what every answer about the object says."""
        return {
            **self.headers, "ETag": self.etag, "x-goog-generation": str(self.generation),
            "Last-Modified": self.modified, "Accept-Ranges": "bytes",
        }  # fmt: skip


@dataclass
class Store:
    """Buckets, made by their first use, and uploads under way."""

    objects: dict[tuple[str, str], Stored] = field(default_factory=dict)
    uploads: dict[str, tuple[tuple[str, str], dict[str, str], dict[int, bytes]]] = field(default_factory=dict)
    serial: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        bucket, _, name = unquote(request.rel_url.raw_path.lstrip("/")).partition("/")
        query = request.rel_url.query
        if not name:
            return self._list(bucket, query) if "list-type" in query else web.Response()
        if bucket.startswith("missing"):
            return refused(404, "NoSuchBucket")
        if "uploads" in query or "uploadId" in query:
            return await self._upload(request, (bucket, name))
        methods: dict[str, Callable[[web.Request, tuple[str, str]], Awaitable[web.StreamResponse]]] = {
            "PUT": self._put, "GET": self._get, "HEAD": self._get, "DELETE": self._delete,
        }  # fmt: skip
        return await methods[request.method](request, (bucket, name))

    def keep(self, place: tuple[str, str], data: bytes, headers: dict[str, str]) -> Stored:
        """Store an object under its next generation."""
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        stored = self.objects[place] = Stored(data, next(self.serial), headers, etag)
        return stored

    async def _put(self, request: web.Request, place: tuple[str, str]) -> web.StreamResponse:
        source = request.headers.get("x-goog-copy-source")
        if source is not None:
            bucket, _, name = unquote(source.lstrip("/")).partition("/")
            copied = self.objects.get((bucket, name))
            if copied is None:
                return refused(404, "NoSuchKey")
            stored = self.keep(place, copied.data, copied.headers)
            return xml(f"<CopyObjectResult><ETag>{escape(stored.etag)}</ETag></CopyObjectResult>")
        data = await request.read()
        wanted = request.headers.get("x-goog-if-generation-match")
        present = self.objects.get(place)
        if wanted is not None and int(wanted) != (0 if present is None else present.generation):
            return refused(412, "PreconditionFailed")
        return web.Response(headers=self.keep(place, data, metadata(request)).answer_headers())

    async def _get(self, request: web.Request, place: tuple[str, str]) -> web.StreamResponse:
        stored = self.objects.get(place)
        if stored is None:
            return refused(404, "NoSuchKey")
        part = request.http_range
        data, headers = stored.data, stored.answer_headers()
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(len(data))})
        if part.start is None and part.stop is None:
            return web.Response(body=data, headers=headers)
        start, stop, _ = part.indices(len(data))
        if start >= len(data):
            return refused(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        return web.Response(status=206, body=data[start:stop], headers=headers)

    async def _delete(self, _request: web.Request, place: tuple[str, str]) -> web.StreamResponse:
        return web.Response(status=204) if self.objects.pop(place, None) else refused(404, "NoSuchKey")

    def _list(self, bucket: str, query: "web.MultiMapping[str]") -> web.StreamResponse:  # type: ignore[name-defined]  # what yarl returns
        if bucket.startswith("missing"):
            return refused(404, "NoSuchBucket")
        prefix, after = query.get("prefix", ""), query.get("continuation-token") or query.get("start-after", "")
        names = (name for place, name in self.objects if place == bucket and name.startswith(prefix))
        rolled = {rolled_up(name, prefix, query.get("delimiter", "")) for name in names}
        told = sorted(name for name in rolled if name > after)
        page, more = told[:_PAGE], len(told) > _PAGE
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><ETag>{escape(stored.etag)}</ETag><Size>{len(stored.data)}</Size>"
            f"<Generation>{stored.generation}</Generation><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            "</Contents>"
            for name in page
            for stored in [self.objects.get((bucket, name))]
            if stored is not None
        )
        folders = (name for name in page if (bucket, name) not in self.objects)
        entries += "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        return xml(f"<ListBucketResult><Name>{bucket}</Name>{truncated}{token}{entries}</ListBucketResult>")

    async def _upload(self, request: web.Request, place: tuple[str, str]) -> web.StreamResponse:
        query = request.rel_url.query
        if request.method == "POST" and "uploads" in query:
            upload = f"upload{next(self.serial)}"
            self.uploads[upload] = (place, metadata(request), {})
            bucket, name = place
            inside = f"<Bucket>{bucket}</Bucket><Key>{escape(name)}</Key><UploadId>{upload}</UploadId>"
            return xml(f"<InitiateMultipartUploadResult>{inside}</InitiateMultipartUploadResult>")
        found = self.uploads.get(query["uploadId"])
        if found is None:
            return refused(404, "NoSuchUpload")
        _, headers, parts = found
        if request.method == "PUT":
            data = await request.read()
            parts[int(query["partNumber"])] = data
            return web.Response(headers={"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'})
        del self.uploads[query["uploadId"]]
        if request.method == "DELETE":
            return web.Response(status=204)
        stored = self.keep(place, b"".join(parts[number] for number in sorted(parts)), headers)
        inside = f"<ETag>{escape(stored.etag)}</ETag>"
        return xml(f"<CompleteMultipartUploadResult>{inside}</CompleteMultipartUploadResult>", stored.answer_headers())


def metadata(request: web.Request) -> dict[str, str]:
    """Return the headers that are stored with an object."""
    kept = ("content-type", "x-goog-meta-", "x-goog-storage-class")
    return {name: value for name, value in request.headers.items() if name.lower().startswith(kept)}


def rolled_up(name: str, prefix: str, delimiter: str) -> str:
    """Return a name as a listing tells it: up to the first delimiter after the prefix, if one is asked for."""
    end = name.find(delimiter, len(prefix)) if delimiter else -1
    return name if end < 0 else name[: end + len(delimiter)]


def xml(text: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return an XML answer."""
    kept = {name: value for name, value in (headers or {}).items() if name.lower() != "content-type"}
    return web.Response(text=f'<?xml version="1.0"?>{text}', content_type="application/xml", headers=kept)


def refused(status: int, code: str) -> web.Response:
    """Return the service's way to say no."""
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return web.Response(status=status, text=text, content_type="application/xml")


def main(port: int) -> None:
    """Serve until the process is ended."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{tail:.*}", Store().answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
