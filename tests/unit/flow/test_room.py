"""Room for documents that are being fetched: what many fetchers hold at once is bounded in bytes."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from syncer.flow.channel import Channel
from syncer.flow.fetch import Fetched, Fetcher, Message, Outcomes
from syncer.flow.frontier import Wanted
from syncer.flow.queue import Queue
from syncer.flow.room import Room
from syncer.flow.transform import Shaper
from syncer.model.checkpoint import Action, Verdict
from syncer.model.entries import Body
from syncer.model.refs import AnnotationRef, ItemKey
from syncer.ports import Sink, Tools
from syncer.sinks.memory import PLUGIN as MEMORY
from syncer.sources.memory import MemorySource
from tests.support.clock import InstantClock

MIB = 1 << 20
BUDGET, ARRIVING, LARGEST = 8 * MIB, 24 * MIB, 4 * MIB
FETCHERS = 64
WANTED = Verdict(Action.NEW, "path", None)


class Document(bytes):
    """A document that tells how many bytes of its kind are alive."""

    alive = 0
    most = 0

    def __init__(self, _: bytes) -> None:
        """Count in."""
        Document.alive += len(self)
        Document.most = max(Document.most, Document.alive)

    def __del__(self) -> None:
        """Count out."""
        Document.alive -= len(self)


@dataclass
class Platform:
    """Serves a document of each item's size at once: nothing but the engine holds it back."""

    sizes: Sequence[int]
    serving: int = 0
    #: Most items that were being served at a time.
    most: int = 0

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body]:
        """Yield the documents."""
        self.serving += 1
        self.most = max(self.most, self.serving)
        await anyio.lowlevel.checkpoint()
        for ref in refs:
            yield Body(ref, Document(bytes(self.sizes[int(ref.key.item)])))
        self.serving -= 1


def plain_sink() -> Sink:
    """Return a sink that stores documents as they are."""
    return MEMORY.create(MEMORY.options(url="memory:room"), Path(), Tools("leg", InstantClock(), lambda _: None))


@dataclass
class Line:
    """Fetchers, and a writer that takes documents one by one."""

    platform: Platform
    room: Room = field(default_factory=lambda: Room(ARRIVING, LARGEST))
    channel: Channel[Message] = field(default_factory=lambda: Channel(BUDGET))

    async def run(self, *, told: bool) -> int:
        """Fetch everything; `told`: the listing says how large documents are. Return how many bytes were written."""
        sizes = self.platform.sizes
        source: MemorySource = self.platform  # type: ignore[assignment]  # no more of a source is used
        fetcher = Fetcher(
            source, Shaper({"leg": plain_sink()}, None), self.channel, Outcomes(), self.room, lambda _: None
        )
        queue = Queue[Sequence[Wanted]](len(sizes))
        for number, size in enumerate(sizes):
            key = ItemKey("annotation", "7", None, None, str(number))
            assert queue.put_nowait([Wanted(AnnotationRef(key, "1", size=size if told else None), {"leg": WANTED}, [])])
        queue.close()
        written = 0
        async with anyio.create_task_group() as group:
            for _ in range(FETCHERS):
                group.start_soon(fetcher.work, queue)
            while written < sum(sizes):
                for message in await self.channel.receive():
                    assert isinstance(message, Fetched)
                    for _ in range(4):  # whoever can go on does
                        await anyio.lowlevel.checkpoint()
                    written += message.size
                    message.entries.clear()
                    self.channel.release(message.size)
        return written


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Document.alive = Document.most = 0


@pytest.mark.parametrize("told", [True, False])
async def test_invariant_5_large_documents_wait_for_room(*, told: bool) -> None:
    """Documents of 2 to 4 MB: 64 fetchers and the channel hold what the two budgets allow, and one document more."""
    line = Line(Platform([(2 + number % 3) * MIB for number in range(120)]))
    await line.run(told=told)
    assert ARRIVING <= Document.most <= BUDGET + ARRIVING + 2 * LARGEST
    assert line.room.held == 0


async def test_small_documents_use_every_fetcher() -> None:
    """Documents of 8 kB of unknown size soon wait for nobody."""
    line = Line(Platform([8 << 10] * 2000))
    await line.run(told=False)
    assert line.platform.most == FETCHERS


async def test_small_documents_of_known_size_use_every_fetcher_at_once() -> None:
    """Where the listing tells a small size, nothing has to be learned."""
    line = Line(Platform([8 << 10] * FETCHERS))
    await line.run(told=True)
    assert line.platform.most == FETCHERS


async def test_a_document_larger_than_the_room_passes_alone() -> None:
    """A request for more than there is waits until nothing else is held, and is not overtaken."""
    room = Room(10, 100)
    await room.take(4)
    order: list[str] = []

    async def take(name: str, weight: int) -> None:
        await room.take(weight)
        order.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(take, "large", 50)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(take, "small", 1)
        await anyio.wait_all_tasks_blocked()
        assert order == []
        room.give(4)
        await anyio.wait_all_tasks_blocked()
        assert order == ["large"]
        room.give(50)
    assert order == ["large", "small"]
    assert room.held == 1


async def test_who_gives_up_waiting_holds_nothing() -> None:
    """A cancelled request leaves the queue, and what it blocked goes on."""
    room = Room(10, 100)
    await room.take(8)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(room.take, 9)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
    with anyio.fail_after(60):
        await room.take(2)
    assert room.held == 10


def test_before_sizes_are_known_four_requests_begin() -> None:
    """One document or thirty a request: a slow first one does not keep all others waiting."""
    for batch in (1, 30):
        room = Room(16 * MIB, 4 * MIB, batch)
        assert 16 * MIB // (batch * room.weight(None)) == 4


def test_spooled_documents_take_no_memory() -> None:
    """A document of a gigabyte lies in the spool: it counts as the largest that memory takes, then as nothing."""
    room = Room(16 * MIB, 4 * MIB)
    assert room.weight(1 << 30) == room.weight(None) == 4 * MIB
    room.give(-room.weight(None))
    assert room.arrived(4 * MIB, 0, 1 << 30) == 0
    assert room.held == 0
    assert room.weight(None) == 4 * MIB
