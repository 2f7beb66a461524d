"""Writing: one writer a unit. Entries go to every leg, groups are sealed, then committed in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from syncer.flow.account import Account, counted
from syncer.flow.channel import Channel
from syncer.flow.fetch import Failed, Fetched, Message
from syncer.flow.frontier import Frontier, Ticket, Wanted
from syncer.flow.job import CommitPolicy
from syncer.flow.legs import LegRun, Legs
from syncer.flow.publish import SEGMENT_ROWS, Publisher
from syncer.model.checkpoint import Action, Change, CommitGroup, OwedItem
from syncer.model.entries import Entry, Leg, Receipt, SpooledFile, StoredRow
from syncer.model.errors import LegFailed, RunFailed, SyncerError
from syncer.model.events import Committed, Emit, ItemOwed, Sealed, Written
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.model.report import Counts
from syncer.model.value import value
from syncer.ports import Clock, Ledger, Spool

#: Documents handed to a session in one go: a thread hop for each, and never more bytes than this.
BATCH_ITEMS = 128
BATCH_SIZE = 4 * 1024 * 1024
#: Items that are waited for, until the next tick at most: a hop for each of them would cost more than its write.
WORTHWHILE = 64

#: Seconds after which a manifest follows a run that goes on.
SEGMENT_INTERVAL = 30.0

#: First and longest wait before an owed item is tried again by a daemon.
BACKOFF = timedelta(minutes=1)
LONGEST = timedelta(hours=24)


@value
class Settled:
    """A written item, without its body, on its way to the commit."""

    wanted: Wanted
    size: int
    updated: bool


@dataclass(slots=True)
class Writer:
    """The one owner of the sessions of a unit while items flow."""

    run: str
    unit: str
    legs: Legs
    ledger: Ledger
    frontier: Frontier
    channel: Channel[Message]
    policy: CommitPolicy
    account: Account
    clock: Clock
    emit: Emit
    spool: Spool
    publisher: Publisher
    #: Kinds of items whose absence means nothing, see `discover.spared`.
    spared: frozenset[str] = frozenset()
    _gone: set[ItemKey] = field(default_factory=set)
    #: Legs that asked for a publish.
    _full: set[Leg] = field(default_factory=set)
    _unsent: int = 0
    _flushed: float | None = None
    _written: dict[Leg, list[tuple[Mapping[str, str], GroupKey | None]]] = field(default_factory=dict)
    _resume: dict[Leg, bytes | None] = field(default_factory=dict)
    _settled: list[Settled] = field(default_factory=list)
    _failed: list[Failed] = field(default_factory=list)
    _size: int = 0
    _since: float | None = None

    async def work(self) -> None:
        """Write until the channel is closed and drained; everything that came is committed then."""
        while not self.channel.drained:
            messages = await self.channel.receive(min(WORTHWHILE, self.policy.items))
            for batch in _batches(messages, min(BATCH_ITEMS, self.policy.items)):
                await self._take(batch)
                if self._due():
                    await self.commit()
            if self._due():
                await self.commit()
        await self.commit()

    async def tick(self) -> None:
        """Make what waits for company, and then its group, go on time though nothing more arrives; beside `work`."""
        while True:
            await self.clock.sleep(self.policy.interval)
            self.channel.poke()

    async def commit(self) -> None:
        """Seal every leg, then move rows, owed items and cursors in one transaction."""
        began = self.clock.monotonic()
        receipts = {leg: await self._seal(run) for leg, run in list(self.legs.live.items())}
        live = self.legs.names
        at = self.clock.now()
        owed = [item for failed in self._failed for item in self._owed(failed, live, at)]
        for done in self._settled:
            self.frontier.settle(done.wanted)
        for failed in self._failed:
            self.frontier.settle(failed.wanted)
        # Listed, then gone when it was fetched: the later word counts.
        self._gone.update(failed.wanted.ref.key for failed in self._failed if failed.gone)
        gone = [f.wanted.ref.key for f in self._failed if f.gone and f.wanted.ref.key.kind not in self.spared]
        passed = self.frontier.passed()
        counts = self._counted()
        if passed or owed or self._failed or any(receipts.values()):
            group = CommitGroup(
                run=self.run,
                at=at,
                changes={leg: self._changes(leg, receipts[leg]) for leg in live if receipts[leg]},
                resume={leg: self._resume[leg] for leg in live},
                owed=owed,
                cleared={leg: [f.wanted.ref.key for f in self._failed if f.gone] for leg in live},
                cursors={t.partition.key: t.cursor for t in passed if t.cursor is not None},
                seen=_seen(passed),
                began={t.partition.key: t.began for t in passed if t.began is not None},
                ended=frozenset(t.partition.key for t in passed if t.end is not None),
                subtract=frozenset(t.partition.key for t in passed if t.end == "full"),
                spared=self.spared,
                doomed=[row for t in passed for row in t.doomed] + [(key, "gone", "deleted upstream") for key in gone],
                revived=[key for t in passed for key in t.listed if key not in self._gone],
                live=live,
                counts=counts,
            )
            try:
                await self.ledger.commit(group)
            except SyncerError:
                # Settled in our eyes, not in the checkpoint's: the next run brings them again.
                self.account.counts.unsettled += self._labels()
                raise
            self.account.counts.add(counts)
            for key, reason in {item.key: item.reason for item in owed}.items():
                self.emit(ItemOwed(key, reason))
            lost = sum(failed.gone for failed in self._failed)
            took = self.clock.monotonic() - began
            self.emit(Committed(self.unit, len(self._settled), self._size, gone=lost, seconds=took))
            await self._flush(sum(map(len, receipts.values())))
            await self._publish()
        self._clear()

    async def _publish(self) -> None:
        """Publish the legs that asked for it: what waits there is committed, and more should not wait."""
        for name in sorted(self._full & self.legs.names):
            try:
                await self.publisher.publish(self.legs.live[name])
            except (LegFailed, RunFailed) as error:
                self.legs.detach(name, error)
        self._full.clear()

    async def _flush(self, rows: int) -> None:
        """Let manifests follow a long run: a segment every so many rows or seconds."""
        now = self.clock.monotonic()
        self._unsent += rows
        self._flushed = now if self._flushed is None else self._flushed
        if self._unsent < SEGMENT_ROWS and (not self._unsent or now - self._flushed < SEGMENT_INTERVAL):
            return
        for name, leg in list(self.legs.live.items()):
            if leg.sink.immediate:
                try:
                    await self.publisher.flush(leg)
                except LegFailed as error:
                    self.legs.detach(name, error)
        self._unsent, self._flushed = 0, now

    async def _take(self, messages: Sequence[Message]) -> None:
        if self._since is None:
            self._since = self.clock.monotonic()
        fetched = [m for m in messages if isinstance(m, Fetched)]
        self._failed += [m for m in messages if isinstance(m, Failed)]
        for leg, run in list(self.legs.live.items()):
            entries = [m.entries[leg] for m in fetched if leg in m.entries]
            if entries:
                await self._write(run, entries)
        freed = 0
        for message in fetched:
            wanted, size = message.wanted, message.size
            updated = any(verdict.action is Action.CHANGED for verdict in wanted.verdicts.values())
            self._settled.append(Settled(wanted, size, updated))
            freed += size
            for entry in message.entries.values():
                if isinstance(entry.body, SpooledFile):
                    await self.spool.discard(entry.body)
                    break
            if wanted.ref.inline is not None:
                wanted.ref = replace(wanted.ref, inline=None)
            message.entries.clear()
        self._size += freed
        self.channel.release(freed)

    async def _write(self, run: LegRun, entries: list[Entry]) -> None:
        try:
            await run.session.write(entries)
        except LegFailed as error:
            self.legs.detach(run.sink.name, error)
            return
        # The bodies are the sink's now: a group keeps what a row needs beyond the receipt, and nothing else.
        self._written.setdefault(run.sink.name, []).extend((entry.fields, entry.group) for entry in entries)
        self.emit(Written(run.sink.name, len(entries), sum(entry.size for entry in entries)))

    async def _seal(self, run: LegRun) -> Sequence[Receipt]:
        name = run.sink.name
        try:
            seal = await run.session.seal()
        except LegFailed as error:
            self.legs.detach(name, error)
            return ()
        self._resume[name] = seal.resume
        if seal.full:
            self._full.add(name)
        if seal.receipts:
            self.emit(Sealed(name, len(seal.receipts)))
        return seal.receipts

    def _changes(self, leg: Leg, receipts: Sequence[Receipt]) -> list[Change]:
        fingerprint = self.legs.live[leg].spec.fingerprint
        return [
            Change("put", stored(receipt, fields, group, fingerprint), moves=receipt.moves)
            for receipt, (fields, group) in zip(receipts, self._written[leg], strict=True)
        ]

    def _owed(self, failed: Failed, live: frozenset[Leg], at: datetime) -> list[OwedItem]:
        if failed.gone:
            return []
        ref, attempts = failed.wanted.ref, failed.wanted.attempts + 1
        wait = min(BACKOFF * 2 ** min(attempts - 1, 20), LONGEST)
        return [
            OwedItem(leg, ref.key, ref.version, failed.reason, attempts, at, at + wait, ref.hint, None, ref.fields)
            for leg in failed.wanted.verdicts
            if leg in live
        ]

    def _labels(self) -> int:
        """Return how many listed labels the group is about."""
        wanted = [*(done.wanted for done in self._settled), *(failed.wanted for failed in self._failed)]
        return sum(counted(each.ref.key) and not each.replayed for each in wanted)

    def _counted(self) -> Counts:
        """Return what became of the labels of the group."""
        counts = Counts()
        for done in self._settled:
            if not counted(done.wanted.ref.key):
                continue
            counts.bytes += done.size
            if done.wanted.replayed:
                counts.replayed += 1
            else:
                counts.stored += 1
                counts.updated += done.updated
        listed = [each for each in self._failed if not each.wanted.replayed and counted(each.wanted.ref.key)]
        counts.filtered = sum(each.gone for each in listed)
        counts.owed = len(listed) - counts.filtered
        return counts

    def _due(self) -> bool:
        if self._since is None:
            return False
        return (
            len(self._settled) + len(self._failed) >= self.policy.items
            or self._size >= self.policy.size
            or self.clock.monotonic() - self._since >= self.policy.interval
        )

    def _clear(self) -> None:
        self._written.clear()
        self._settled.clear()
        self._failed.clear()
        self._size, self._since = 0, None


def stored(receipt: Receipt, fields: Mapping[str, str], group: GroupKey | None, fingerprint: str) -> StoredRow:
    """Return the row that a ledger keeps of a sealed entry."""
    return StoredRow(
        receipt.key, receipt.version, receipt.path, receipt.container, receipt.size, receipt.sha256,
        fields, group, fingerprint,
    )  # fmt: skip


def _seen(passed: Sequence[Ticket]) -> dict[PartitionKey, list[ItemKey]]:
    seen: dict[PartitionKey, list[ItemKey]] = {}
    for ticket in passed:
        if ticket.seen:
            seen.setdefault(ticket.partition.key, []).extend(ticket.seen)
    return seen


def _batches(messages: Sequence[Message], most: int) -> list[list[Message]]:
    batches: list[list[Message]] = []
    size = BATCH_SIZE
    for message in messages:
        weight = message.size if isinstance(message, Fetched) else 0
        if not batches or len(batches[-1]) >= most or size + weight > BATCH_SIZE:
            batches.append([])
            size = 0
        batches[-1].append(message)
        size += weight
    return batches
