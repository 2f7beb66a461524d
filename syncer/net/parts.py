"""Downloads one large body in parallel ranges, into a file that outlives the process; each byte is asked for once.

Every range is asked for on the condition that the object is still the same (`If-Range`, RFC 9110 §13.1.5). What of a
range came before its connection broke is kept; a link that lapsed is renewed, once for all that wait for it.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import aiohttp
import anyio
import anyio.to_thread
import msgspec
from msgspec.structs import replace

from syncer.model.entries import SpooledFile
from syncer.model.errors import BadBody, Forbidden, NotFound, Rejected, SyncerError, TooLarge, Unauthorized
from syncer.model.running import beat
from syncer.net.answer import Answer
from syncer.net.classify import Label, Retryable, bad_body
from syncer.net.decode import coding_of, next_chunk
from syncer.net.pace import Bandwidth
from syncer.net.policy import Policy
from syncer.net.reply import Reply
from syncer.net.resume import CONTENT_RANGE, GATHER, PROGRESS, strong_validator
from syncer.ports import KeptFile, Request

#: Bytes of a range, and how many are on their way at a time.
PART, SIDE_BY_SIDE = 8 << 20, 8
#: Links that may lapse while one range is fetched: more is no lapse but a refusal.
RENEWALS = 3
#: What a store answers to a link that lapsed.
LAPSED = (Unauthorized, Forbidden, NotFound, Rejected)

Renew = Callable[[], Awaitable[str]]
Check = Callable[[Path], str | None]


class Changed(BadBody):
    """The object is not the one that the download began with."""


class NoRanges(BadBody):
    """The server serves no ranges, or nothing that tells one version of the object from another."""


class _Note(msgspec.Struct, frozen=True):
    """What is durable of a file."""

    size: int
    validator: str
    #: Numbers of the ranges that are complete.
    done: list[int]


class Parts(msgspec.Struct):
    """One download."""

    policy: Policy
    file: KeptFile
    request: Request
    renew: Renew
    limit: int
    timeout: aiohttp.ClientTimeout
    silence: float
    bandwidth: Bandwidth | None = None
    #: Bytes of the object, known with the first answer.
    size: int = 0
    validator: str = ""
    _done: set[int] = msgspec.field(default_factory=set)
    _renewing: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    _marking: anyio.Lock = msgspec.field(default_factory=anyio.Lock)

    async def fetch(self, check: Check | None) -> SpooledFile:
        """Return the complete file.

        Raises:
            NoRanges: it can't be fetched in parts.
            BadBody: `check` refuses it; nothing of it is kept.
            HttpError: it can't be had now; what came is kept.
        """
        await self._recall()
        try:
            await self._all()
        except Changed:
            await self._forget()
            await self._all()
        reason = await anyio.to_thread.run_sync(check, self.file.path) if check is not None else None
        if reason is not None:
            await self._forget()
            raise BadBody(reason)
        return await self.file.finish(self.size)

    async def _all(self) -> None:
        if not self.size:
            await self._part(0)
        left = iter([number for number in range(-(-self.size // PART)) if number not in self._done])
        try:
            async with anyio.create_task_group() as group:
                for _ in range(SIDE_BY_SIDE):
                    group.start_soon(self._work, left)
        except* SyncerError as failures:
            raise _first(failures) from None

    async def _work(self, left: Iterator[int]) -> None:
        for number in left:
            await self._part(number)

    async def _part(self, number: int) -> None:
        receiver = _Range(self, number * PART)
        renewals = 0
        while True:
            link = self.request.url
            try:
                while not await self.policy.run(replace(self.request, url=link), receiver):
                    pass
            except LAPSED:
                renewals += 1
                if renewals > RENEWALS:
                    raise
                async with self._renewing:
                    if self.request.url == link:
                        self.request = replace(self.request, url=await self.renew())
                continue
            break
        async with self._marking:
            self._done.add(number)
            await self.file.mark(msgspec.json.encode(_Note(self.size, self.validator, sorted(self._done))))

    async def _recall(self) -> None:
        """Go on where an earlier process stood."""
        try:
            note = msgspec.json.decode(await self.file.note(), type=_Note)
        except msgspec.DecodeError:
            return
        self.size, self.validator, self._done = note.size, note.validator, set(note.done)

    async def _forget(self) -> None:
        self.size, self.validator, self._done = 0, "", set()
        await self.file.drop()


class _Range:
    """The receiver of one range; `receive` tells whether it is complete."""

    def __init__(self, parts: Parts, start: int) -> None:
        self.size = 0
        self.timeout = parts.timeout
        self._parts = parts
        self._start = start
        #: Bytes that are written.
        self._got = 0
        self._before = 0

    @property
    def _stop(self) -> int:
        size = self._parts.size
        return min(self._start + PART, size) if size else self._start + PART

    def headers(self) -> Mapping[str, str]:
        """Ask for what is missing of the range."""
        self._before = self._got
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={self._start + self._got}-{self._stop - 1}"}
        return {**headers, "If-Range": self._parts.validator} if self._parts.validator else headers

    def whole(self, response: Reply) -> bool | None:  # noqa: ARG002  # where it belongs is in its head
        """Look at each part closely."""
        return None

    async def receive(self, response: Answer, _url: str, label: Label) -> bool:
        """Write an answer to its place."""
        parts = self._parts
        self._admit(response, label)
        gathered = bytearray()
        try:
            while chunk := await next_chunk(response.content, parts.silence):
                beat()
                self.size += len(chunk)
                gathered += chunk
                if self._start + self._got + len(gathered) > self._stop:
                    raise bad_body(label, "more came than was asked for")
                if len(gathered) >= GATHER:
                    await self._write(gathered)
                if parts.bandwidth is not None:
                    await parts.bandwidth.spend(len(chunk))
        finally:
            # What came before a connection broke is not asked for again.
            await self._write(gathered)
        if self._got == self._before:
            raise bad_body(label, "the server sends empty parts")
        return self._start + self._got == self._stop

    def failed(self, failure: Retryable) -> None:
        """Keep what arrived."""
        failure.progress = self._got - self._before >= PROGRESS

    def _admit(self, response: Answer, label: Label) -> None:
        parts = self._parts
        found = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        if response.status != 206 or found is None or coding_of(response.headers) is not None:  # noqa: PLR2004  # RFC 9110 §15.3.7
            if parts.validator:
                raise Changed(f"{label}: the object changed while it was fetched")
            raise NoRanges(f"{label}: the server sends no ranges")
        if int(found[1]) != self._start + self._got:
            raise bad_body(label, "the server sent another part than the one asked for", status=response.status)
        validator = strong_validator(response.headers)
        if not parts.validator:
            if validator is None or found[3] == "*":
                raise NoRanges(f"{label}: nothing tells one version of the object from another")
            parts.validator, parts.size = validator, int(found[3])
        elif int(found[3]) != parts.size:
            raise Changed(f"{label}: the object changed while it was fetched")
        if parts.size > parts.limit:
            raise TooLarge(f"{label}: the body is larger than {parts.limit:,} bytes")

    async def _write(self, gathered: bytearray) -> None:
        if gathered:
            data = bytes(gathered)
            gathered.clear()
            with anyio.CancelScope(shield=True):
                await self._parts.file.write(self._start + self._got, data)
            self._got += len(data)


def _first(failures: BaseExceptionGroup[SyncerError]) -> SyncerError:
    """Return what ended the download: the others were cancelled because of it, or failed alike."""
    found: SyncerError | BaseExceptionGroup[SyncerError] = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
