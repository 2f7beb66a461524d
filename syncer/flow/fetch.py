"""Fetching: references become entries, many at once. An item that can't be had becomes owed; the run goes on."""

from collections import Counter, deque
from collections.abc import Callable, Sequence

import anyio.to_thread
import msgspec

from syncer.flow.channel import Channel
from syncer.flow.frontier import Ticket, Wanted
from syncer.flow.queue import Queue
from syncer.flow.room import Room
from syncer.flow.transform import Shaper
from syncer.model.entries import Body, Entry, Leg
from syncer.model.errors import Forbidden, HttpError, ItemFailed, PermissionRefused, PlatformAway, Unauthorized
from syncer.model.events import Emit, ItemFetched
from syncer.model.refs import ItemKey, Piece
from syncer.model.running import works_on
from syncer.ports import Source

#: An origin counts as down when at least this many, and this share, of the last `WINDOW` items failed alike.
DOWN_ITEMS = 20
DOWN_SHARE = 0.5
WINDOW = 100

#: Bytes that the key of a listed item takes in memory, about.
KEY = 200


class Fetched(msgspec.Struct, frozen=True):
    """A document, shaped for every leg that lacks it."""

    wanted: Wanted
    entries: dict[Leg, Entry]
    size: int


class Failed(msgspec.Struct, frozen=True):
    """A document that can't be had now."""

    wanted: Wanted
    reason: str
    #: The platform says that it no longer exists.
    gone: bool = False


class Passed(msgspec.Struct, frozen=True):
    """A page was planned and has nothing (more) to send: the writer may find that the frontier moved."""

    ticket: Ticket

    @property
    def size(self) -> int:
        """Bytes of the keys that it holds until they are committed."""
        return KEY * len(self.ticket.seen)


Message = Fetched | Failed | Passed


class Outcomes(msgspec.Struct):
    """The last outcomes of fetching: tells a broken item from a platform that is down."""

    _recent: deque[str] = msgspec.field(default_factory=lambda: deque(maxlen=WINDOW))

    def succeeded(self) -> None:
        """Note a success."""
        self._recent.append("")

    def failed(self, reason: str) -> None:
        """Note a failure.

        Raises:
            PlatformAway: so many of the last items failed alike that nothing more should become owed.
        """
        self._recent.append(reason)
        (worst, count), *_ = Counter(entry for entry in self._recent if entry).most_common(1)
        if count >= DOWN_ITEMS and count >= DOWN_SHARE * len(self._recent):
            message = f"{count} of the last {len(self._recent)} items failed alike: {worst}"
            raise PlatformAway(message, hint="the platform seems to be down; what is done is kept, run again later")


class Fetcher(msgspec.Struct):
    """Fetches for one unit."""

    source: Source
    shaper: Shaper
    out: Channel[Message]
    outcomes: Outcomes
    room: Room
    emit: Emit
    #: Tells whether nothing more should begin.
    stopping: Callable[[], bool] = lambda: False

    async def inline(self, wanted: Sequence[Wanted]) -> None:
        """Hand over items whose listing carried the documents."""
        bodies = [(item, Body(item.ref, item.ref.inline or b"", item.ref.media_type)) for item in wanted]
        total = sum(body.size for _, body in bodies)
        if self.shaper.light(total):
            shaped = [self._shape(item, body) for item, body in bodies]
        else:
            shaped = await anyio.to_thread.run_sync(lambda: [self._shape(item, body) for item, body in bodies])
        with works_on(_page(wanted)):
            for message, (_, body) in zip(shaped, bodies, strict=True):
                await self._hand_over(message, body.size)

    async def work(self, queue: Queue[Sequence[Wanted]]) -> None:
        """Fetch the batches of a queue until it ends; one of many."""
        while (items := await queue.take()) is not None:
            # What was planned and not begun is listed again next time.
            if not self.stopping():
                await self._fetch(items)

    async def _fetch(self, items: Sequence[Wanted]) -> None:
        weights = {item.ref.key: self.room.weight(item.ref.size) for item in items}
        weight = sum(weights.values())
        if not self.room.take_nowait(weight):
            await self.room.take(weight)
        try:
            if not self.stopping():
                with works_on(_piece(items)):
                    await self._open(items, weights)
        finally:
            if weights:
                self.room.give(sum(weights.values()))

    async def _open(self, items: Sequence[Wanted], weights: dict[ItemKey, int]) -> None:
        waiting = {item.ref.key: item for item in items if not item.superseded}
        bodies = self.source.open([item.ref for item in waiting.values()])
        try:
            try:
                async for body in bodies:
                    if isinstance(body, ItemFailed):
                        item = waiting.pop(body.key, None)
                        if item is not None:
                            await self._fail(item, body.reason, gone=body.gone)
                        continue
                    item = waiting.pop(body.ref.key, None)
                    if item is not None:
                        key, in_memory = item.ref.key, len(body.data) if isinstance(body.data, bytes) else 0
                        weights[key] = self.room.arrived(weights[key], in_memory, body.size)
                        await self._arrived(item, body)
                        # It is the channel's to count now.
                        self.room.give(weights.pop(key))
            except BaseException:
                # Only what is not through has something to close.
                await bodies.aclose()
                raise
        except Unauthorized as error:
            raise PermissionRefused(str(error), hint=error.hint) from error
        except (Forbidden, HttpError, ItemFailed) as error:
            for item in list(waiting.values()):
                await self._fail(item, str(error))
            return
        for item in waiting.values():
            await self._fail(item, "the platform's answer does not contain it")

    async def _arrived(self, item: Wanted, body: Body) -> None:
        shaper = self.shaper
        try:
            entries = shaper.entries_now(item, body) if shaper.light(body.size) else await shaper.entries(item, body)
        except ItemFailed as error:
            await self._fail(item, error.reason)
            return
        self.outcomes.succeeded()
        await self._hand_over(Fetched(item, entries, body.size), body.size)

    def _shape(self, item: Wanted, body: Body) -> Fetched | Failed:
        try:
            return Fetched(item, self.shaper.entries_now(item, body), body.size)
        except ItemFailed as error:
            return Failed(item, error.reason)

    async def _hand_over(self, message: Fetched | Failed, size: int) -> None:
        if message.wanted.superseded:
            return
        message.wanted.sent = True
        if isinstance(message, Fetched):
            self.emit(ItemFetched(message.wanted.ref.key, size))
        else:
            size = 0
        if not self.out.send_nowait(message, size):
            await self.out.send(message, size)

    async def _fail(self, item: Wanted, reason: str, *, gone: bool = False) -> None:
        await self._hand_over(Failed(item, reason, gone), 0)
        if not gone:
            self.outcomes.failed(reason)


def _piece(items: Sequence[Wanted]) -> Piece:
    """Return what a task is busy with that fetches these; items of one batch are of one partition, mostly one page."""
    item = items[0].ref.key if len(items) == 1 else None
    return Piece(items[0].ref.key.partition, item, _page(items))


def _page(items: Sequence[Wanted]) -> Piece | None:
    return items[0].tickets[0].piece if items and items[0].tickets else None
