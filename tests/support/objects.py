"""An object server that breaks its answers on purpose: cuts, resets, lies about ranges."""

import asyncio
import re
from dataclasses import dataclass, field

from tests.support.servers import reset

DATA = bytes(range(256)) * 4096
TAG = '"v1"'


@dataclass
class Store:
    """A raw object server that cuts its answers: after `cuts[n]` body bytes of the n-th answer."""

    cuts: list[int] = field(default_factory=list)
    data: bytes = DATA
    etag: str | None = TAG
    modified: str | None = None
    ranges: bool = True
    #: Rather break with a reset than with an orderly end.
    resets: bool = False
    #: Longest part of one answer; larger ranges are shortened.
    part: int | None = None
    #: Added to where an answer claims to start.
    lie: int = 0
    chunked: bool = False
    answers: int = 0

    async def __call__(self, head: str, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.answers += 1
        found = re.search(r"(?i)range: bytes=(\d+)-", head)
        condition = re.search(r"(?i)if-range: (.+?)\r", head)
        start = 0
        if self.ranges and found and condition and condition[1] in {self.etag, self.modified}:
            start = int(found[1])
            if start >= len(self.data):
                writer.write(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n")
                return
        stop = len(self.data) if self.part is None or not start else min(len(self.data), start + self.part)
        body = self.data[start:stop]
        lines = ["HTTP/1.1 206 Partial Content" if start else "HTTP/1.1 200 OK", "Content-Type: image/png"]
        lines.append("Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {len(body)}")
        if start:
            lines.append(f"Content-Range: bytes {start + self.lie}-{stop - 1 + self.lie}/{len(self.data)}")
        if self.etag is not None:
            lines.append(f"ETag: {self.etag}")
        if self.modified is not None:
            lines.append(f"Last-Modified: {self.modified}")
        if not self.ranges:
            lines.append("Accept-Ranges: none")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        cut = self.cuts.pop(0) if self.cuts else len(body)
        sent = body[:cut]
        if self.chunked:
            sent = b"%x\r\n%b\r\n" % (len(sent), sent) + (b"0\r\n\r\n" if cut >= len(body) else b"")
        writer.write(sent)
        await writer.drain()
        if self.resets and cut < len(body):
            await asyncio.sleep(0.02)
            reset(writer)
