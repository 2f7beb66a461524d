"""The part of an engine that a sink needs: it keeps what a checkpoint would, and publishes in the right order."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from syncer.model.entries import Container, Entry, Published, StoredRow
from syncer.model.refs import ItemKey, Partition
from syncer.ports import Sink, SinkSession, Unit
from tests.support.stored import manifest_row, stored

#: Path, container, size and digest of something that lies in a destination.
Place = tuple[str, str | None, int, str | None]


@dataclass
class Leg:
    """Committed and published position of one unit in one sink."""

    sink: Sink
    partition: Partition
    rows: dict[ItemKey, StoredRow] = field(default_factory=dict)
    resume: bytes | None = None
    containers: dict[str, Container] = field(default_factory=dict)
    staged: bytes | None = None
    epoch: int = 0
    #: What the last publish said.
    published: Published | None = None

    @property
    def unit(self) -> Unit:
        """The unit of the one partition."""
        return Unit(self.sink.unit_of(self.partition), (self.partition,))

    def session(self) -> AbstractAsyncContextManager[SinkSession]:
        """Open the unit at the committed position, one epoch on."""
        self.epoch += 1
        return self.sink.session(self.unit, self.epoch, self.resume, tuple(self.containers.values()), self.staged)

    async def commit(self, session: SinkSession) -> int:
        """Seal, and remember what the seal proves; return how many receipts it had."""
        seal = await session.seal()
        for receipt in seal.receipts:
            self.rows[receipt.key] = stored(receipt)
        self.resume = seal.resume
        return len(seal.receipts)

    async def publish(self, session: SinkSession) -> None:
        """Stage, remember the swap list, swap, remember the new position, settle."""
        if self.sink.immediate:
            return
        self.staged = await session.stage()
        if self.staged is not None:
            self.record(await session.publish(self.staged))
            await session.settle()

    def record(self, published: Published) -> None:
        """Remember a publish, as the ledger's transaction does."""
        self.published = published
        for name in published.dropped:
            self.containers.pop(name, None)
        self.containers |= {container.name: container for container in published.containers}
        self.resume, self.staged = published.resume, None

    async def store(self, *batches: Sequence[Entry]) -> None:
        """Write, commit and publish in a session of its own."""
        async with self.session() as session:
            for batch in batches:
                await session.write(batch)
                await self.commit(session)
            await self.publish(session)

    def replacing(self, entry: Entry) -> Entry:
        """Return the entry as the engine gives it: with the row that it replaces."""
        return Entry(
            entry.key,
            entry.version,
            entry.path,
            entry.content,
            entry.media_type,
            replaces=self.rows.get(entry.key),
        )

    async def bodies(self) -> dict[str, bytes | None]:
        """Return what is read back of each row, by item."""
        return {key.item: await self.sink.read(manifest_row(row), 1 << 30) for key, row in self.rows.items()}

    async def found(self, *, deep: bool = True) -> set[Place]:
        """Return what a scan finds. Damage is an error, and so is the same place twice."""
        found: set[Place] = set()
        async for one in self.sink.scan(self.containers, deep=deep):
            assert one.damage is None, one
            place = (one.path, one.container, one.size, one.sha256)
            assert place not in found, one
            found.add(place)
        return found

    def expected(self, *, deep: bool = True) -> set[Place]:
        """Return what a scan should find for the rows."""
        return {(row.path, row.container, row.size, row.sha256 if deep else None) for row in self.rows.values()}
