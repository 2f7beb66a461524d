"""A platform of the linking kind: pages of signed links, and one content request an item on a second origin.

Made for tests of resuming, limits and speed: it answers from memory in microseconds, counts the content requests of
every item, and can be slow, throttle, let links expire and fail chosen items. As a process of its own:

    python -m tests.emulators.link --items 100000 --size 8192 --workers 2
"""

import asyncio
import random
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlencode

import msgspec

from tests.emulators.lean_http import Asked, Reply, listen, port_of, reply

TOKEN = "link-token"

#: Items of a page where none are asked for, and the most.
PAGE = 1000

#: Places of the counters beside those of items.
LISTED, THROTTLED, LEAKED = range(3)

#: What an item's content request can meet first: a status, a torn body, a dropped connection.
Trouble = int | str

_LATE = reply(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", "application/xml")
_EPOCH = 1_767_600_000


class Counts(Protocol):
    """Numbers that are read and set by their place."""

    def __getitem__(self, place: int, /) -> int: ...

    def __setitem__(self, place: int, value: int, /) -> None: ...

    def __iter__(self) -> Iterator[int]: ...


@dataclass(slots=True)
class Tally:
    """Counters. `content` has a slot an item; all of them may lie in memory that several processes share."""

    content: Counts
    #: Pages listed, requests throttled, and content requests that carried a credential (there must be none).
    others: Counts = field(default_factory=lambda: array("I", bytes(12)))

    @property
    def listed(self) -> int:
        """Pages that were listed."""
        return self.others[LISTED]

    @property
    def throttled(self) -> int:
        """Content requests that were refused with 429."""
        return self.others[THROTTLED]

    @property
    def leaked(self) -> int:
        """Content requests that carried a credential."""
        return self.others[LEAKED]


@dataclass(slots=True)
class LinkPlatform:
    """The platform. Enter it to listen on two free ports; edit it, and read its counters, at any time."""

    items: int = 100
    #: Bytes of every document.
    size: int = 2048
    #: Seconds that a link is good for.
    link_seconds: float = 3600.0
    #: Seconds before content is sent.
    latency: float = 0.0
    #: Content requests a second above which there is 429; 0: no limit.
    rate: float = 0.0
    retry_after: float = 1.0
    #: Every n-th item fails once with 503; 0: none.
    fail_every: int = 0
    url: str = ""
    content_url: str = ""
    #: Where links lead instead: to another server, which has the same documents.
    linked: str = ""
    #: What each item meets first, in order; and what it always meets.
    troubles: dict[int, list[Trouble]] = field(default_factory=dict)
    broken: dict[int, Trouble] = field(default_factory=dict)
    #: Items that were changed or removed, with the number of that edit.
    edits: dict[int, int] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    tally: Tally = field(init=False)
    _tail: bytes = field(init=False, repr=False)
    _tat: float = field(default=0.0, init=False, repr=False)
    _servers: list[asyncio.Server] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare what all documents share."""
        self.tally = Tally(array("I", bytes(4 * self.items)))
        dice, room = random.Random(7), self.size - len(_document(0, 1, b""))
        numbers = ",".join(f"{dice.random():.6f}" for _ in range(room // 9 + 2))
        self._tail = numbers.encode()[: max(0, room)].rstrip(b",.").ljust(max(0, room))

    # -------------------------------------------------------------------------------------- editing

    def change(self, item: int) -> None:
        """Give an item a new version."""
        self.edits[item] = max(self.edits.values(), default=0) + 1

    def remove(self, item: int) -> None:
        """Delete an item; a listing of changes reports it."""
        self.change(item)
        self.removed.add(item)

    def trouble(self, item: int, *what: Trouble) -> None:
        """Let the next content requests of an item meet these: 503, 404, "cut", "reset"."""
        self.troubles.setdefault(item, []).extend(what)

    def version(self, item: int) -> int:
        """Return the present version of an item."""
        return 1 + self.edits.get(item, 0)

    def body(self, item: int) -> bytes:
        """Return the present document of an item."""
        return _document(item, self.version(item), self._tail)

    # ---------------------------------------------------------------------------------- entering

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def start(self, port: int = 0, content_port: int = 0, *, shared: bool = False) -> None:
        """Listen until the loop ends."""
        api = await listen(self.answer, port, shared=shared)
        content = await listen(self.serve, content_port, shared=shared)
        self._servers += [api, content]
        self.url, self.content_url = (f"http://127.0.0.1:{port_of(server)}" for server in (api, content))

    # ------------------------------------------------------------------------------------------- API

    def answer(self, asked: Asked) -> Reply:
        """Answer on the API's origin."""
        if asked.path == "/_stats":
            return reply(200, msgspec.json.encode(self.stats()))
        if asked.header(b"authorization") != f"Bearer {TOKEN}":
            return reply(401, b'{"detail":"no"}')
        if asked.path == "/items":
            return self._listing(asked.params())
        number = asked.path.removeprefix("/items/item-")
        if not number.isdecimal() or int(number) >= self.items or int(number) in self.removed:
            return reply(404, b'{"detail":"not found"}')
        return reply(200, msgspec.json.encode(self._row(int(number))))

    def stats(self) -> dict[str, object]:
        """Return the counters: items by how often their content was asked for, and the sums."""
        counts = list(self.tally.content)
        times = dict.fromkeys(sorted(set(counts)), 0)
        for count in counts:
            times[count] += 1
        return {
            "content": sum(counts),
            "times": {str(often): items for often, items in times.items()},
            "listed": self.tally.listed,
            "throttled": self.tally.throttled,
            "leaked": self.tally.leaked,
        }

    def _listing(self, params: dict[str, str]) -> Reply:
        self.tally.others[LISTED] += 1
        start, limit = int(params.get("cursor", 0)), min(int(params.get("limit", PAGE)), PAGE)
        since = int(params.get("since", -1))
        numbers: list[int] | range = range(self.items)
        if since >= 0:
            numbers = sorted(item for item, edit in self.edits.items() if edit > since)
        chosen = numbers[start : start + limit]
        page = {
            "items": [self._row(item) for item in chosen if item not in self.removed],
            "removed": [f"item-{item:07d}" for item in chosen if item in self.removed],
            "next": str(start + limit) if start + limit < len(numbers) else None,
            "edit": max(self.edits.values(), default=0),
            "total": len(numbers) - (0 if since >= 0 else len(self.removed)),
        }
        return reply(200, msgspec.json.encode(page), headers={"Date": formatdate(usegmt=True)})

    def _row(self, item: int) -> dict[str, object]:
        version, expires = self.version(item), int((time.time() + self.link_seconds) * 1000)
        query = urlencode({"v": version, "expires": expires, "sig": f"{item * 2654435761 & 0xFFFFFFFF:08x}"})
        return {
            "id": f"item-{item:07d}",
            "version": str(version),
            "size": self.size,
            "updated_at": _EPOCH + item,
            "url": f"{self.linked or self.content_url}/c/{item:07d}?{query}",
        }

    # --------------------------------------------------------------------------------------- content

    def serve(self, asked: Asked) -> Reply:
        """Answer on the content's origin."""
        item = int(asked.path[3:]) if asked.path[3:].isdecimal() else self.items
        if item >= self.items or item in self.removed:
            return reply(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")
        tally = self.tally
        tally.content[item] += 1
        if b"uthorization:" in asked.head:
            tally.others[LEAKED] += 1
        if self.rate and self._too_fast():
            tally.others[THROTTLED] += 1
            return reply(429, b"slow down", "text/plain", {"Retry-After": f"{self.retry_after:g}"})
        expires = asked.query.partition("expires=")[2].partition("&")[0]
        if not expires or int(expires) / 1000 < time.time():
            return _LATE
        met = self._met(item) if self.troubles or self.broken or self.fail_every else None
        if isinstance(met, int):
            return Reply(reply(met, b"trouble", "text/plain").data, self.latency)
        whole = self._content(item, asked)
        if met is not None:
            whole.keep = len(whole.data) - self.size // 2 if met == "cut" else 0
        whole.delay = self.latency
        return whole

    def _content(self, item: int, asked: Asked) -> Reply:
        body, tag = self.body(item), f'"{item:07d}-{self.version(item)}"'
        if b"ange:" in asked.head:
            span = asked.header(b"range") or ""
            start = span.removeprefix("bytes=").partition("-")[0]
            if start.isdecimal() and int(start) < len(body) and asked.header(b"if-range") in {None, tag}:
                where = f"bytes {start}-{len(body) - 1}/{len(body)}"
                return reply(206, body[int(start) :], headers={"ETag": tag, "Content-Range": where})
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nETag: %b\r\n\r\n"
        return Reply(head % (len(body), tag.encode()) + body)

    def _met(self, item: int) -> Trouble | None:
        waiting = self.troubles.get(item)
        if waiting:
            return waiting.pop(0)
        if self.fail_every and item % self.fail_every == 0 and self.tally.content[item] == 1:
            return 503
        return self.broken.get(item)

    def _too_fast(self) -> bool:
        now, step = time.monotonic(), 1 / self.rate
        if now < self._tat - max(0.1, step):
            return True
        self._tat = max(self._tat, now) + step
        return False


def _document(item: int, version: int, tail: bytes) -> bytes:
    return b'{"id":"item-%07d","version":%d,"values":[%b]}' % (item, version, tail)


if __name__ == "__main__":
    from tests.emulators.link_process import main

    main()
