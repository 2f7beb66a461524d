"""Writing: one writer a unit. Entries go to every leg, groups are sealed, then committed in one transaction."""

from collections.abc import Sequence

import anyio
import msgspec
from anyio.abc import TaskGroup
from msgspec.structs import replace

from syncer.flow.account import Account
from syncer.flow.channel import Channel
from syncer.flow.fetch import Failed, Fetched, Message, Passed
from syncer.flow.frontier import Frontier
from syncer.flow.gathered import Gathered, Settled, seen
from syncer.flow.job import CommitPolicy
from syncer.flow.legs import LegRun, Legs
from syncer.flow.publish import SEGMENT_ROWS, Publisher
from syncer.model.checkpoint import Action, CommitGroup
from syncer.model.entries import Entry, Leg, Receipt, SpooledFile
from syncer.model.errors import LegFailed, RunFailed, SyncerError
from syncer.model.events import Committed, Emit, ItemOwed, Sealed, Written
from syncer.model.refs import ItemKey
from syncer.ports import Clock, Ledger, Spool

#: Documents handed to a session in one go: a thread hop for each, and never more bytes than this.
BATCH_ITEMS = 256
BATCH_SIZE = 4 * 1024 * 1024
#: Items that are waited for, until the next tick at most: a hop for each of them would cost more than its write.
WORTHWHILE = 64

#: Keys of pages without anything new that are committed together: a listing brings them faster than an interval ends.
KEYS = 10_000

#: As many times a group's items may gather while the one before is being committed.
PATIENCE = 4

#: Seconds after which a manifest follows a run that goes on.
SEGMENT_INTERVAL = 30.0


class Writer(msgspec.Struct):
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
    _gone: set[ItemKey] = msgspec.field(default_factory=set)
    #: Legs that asked for a publish.
    _full: set[Leg] = msgspec.field(default_factory=set)
    _unsent: int = 0
    _flushed: float | None = None
    _resume: dict[Leg, bytes | None] = msgspec.field(default_factory=dict)
    _gathered: Gathered = msgspec.field(default_factory=Gathered)
    #: Set while no commit is under way.
    _through: anyio.Event = msgspec.field(default_factory=anyio.Event)

    async def work(self) -> None:
        """Write until the channel is closed and drained; everything that came is committed then.

        While one group is committed, the next one is written: the transaction has all that it needs.
        """
        self._through.set()
        async with anyio.create_task_group() as behind:
            while not self.channel.drained:
                messages = await self.channel.receive(min(WORTHWHILE, self.policy.items))
                for batch in _batches(messages, min(BATCH_ITEMS, self.policy.items)):
                    await self._take(batch)
                    if self._due():
                        await self.commit(behind)
                if self._due():
                    await self.commit(behind)
            await self.commit(behind)

    async def tick(self) -> None:
        """Make what waits for company, and then its group, go on time though nothing more arrives; beside `work`."""
        while True:
            await self.clock.sleep(self.policy.interval)
            self.channel.poke()

    async def commit(self, behind: TaskGroup) -> None:
        """Seal every leg, then move rows, owed items and cursors in one transaction, which goes on behind."""
        await self._through.wait()
        began = self.clock.monotonic()
        receipts = {leg: await self._seal(run) for leg, run in list(self.legs.live.items())}
        live, at, this = self.legs.names, self.clock.now(), self._gathered
        self._gathered = Gathered()
        owed = this.owed(live, at)
        for done in this.settled:
            self.frontier.settle(done.wanted)
        for failed in this.failed:
            self.frontier.settle(failed.wanted)
        # Listed, then gone when it was fetched: the later word counts.
        self._gone.update(failed.wanted.ref.key for failed in this.failed if failed.gone)
        gone = [f.wanted.ref.key for f in this.failed if f.gone and f.wanted.ref.key.kind not in self.spared]
        passed = self.frontier.passed()
        if not (passed or owed or this.failed or any(receipts.values())):
            return
        fingerprints = {leg: self.legs.live[leg].spec.fingerprint for leg in live}
        group = CommitGroup(
            run=self.run,
            at=at,
            changes={leg: this.changes(leg, receipts[leg], fingerprints[leg]) for leg in live if receipts[leg]},
            resume={leg: self._resume[leg] for leg in live},
            owed=owed,
            cleared={leg: [f.wanted.ref.key for f in this.failed if f.gone] for leg in live},
            cursors={t.partition.key: t.cursor for t in passed if t.cursor is not None},
            seen=seen(passed),
            began={t.partition.key: t.began for t in passed if t.began is not None},
            ended=frozenset(t.partition.key for t in passed if t.end is not None),
            subtract=frozenset(t.partition.key for t in passed if t.end == "full"),
            spared=self.spared,
            doomed=[row for t in passed for row in t.doomed] + [(key, "gone", "deleted upstream") for key in gone],
            revived=[key for t in passed for key in t.listed if key not in self._gone],
            live=live,
            counts=this.counted(),
        )
        self._unsent += sum(map(len, receipts.values()))
        self._through = anyio.Event()
        behind.start_soon(self._store, group, this, began)
        if self._full or self._late():
            # Publishing and manifests take things away that nobody may be writing meanwhile.
            await self._through.wait()
            await self._flush()
            await self._publish()

    async def _store(self, group: CommitGroup, this: Gathered, began: float) -> None:
        # Not cancelled half way, when a sink fails meanwhile: the transaction goes on, and is to be accounted for.
        with anyio.CancelScope(shield=True):
            try:
                await self.ledger.commit(group)
            except SyncerError:
                # Settled in our eyes, not in the checkpoint's: the next run brings them again.
                self.account.counts.unsettled += this.labels()
                raise
        self.account.counts.add(group.counts)
        for key, reason in {item.key: item.reason for item in group.owed}.items():
            self.emit(ItemOwed(key, reason))
        lost = sum(failed.gone for failed in this.failed)
        took = self.clock.monotonic() - began
        self.emit(Committed(self.unit, len(this.settled), this.size, gone=lost, seconds=took))
        self._through.set()

    async def _publish(self) -> None:
        """Publish the legs that asked for it: what waits there is committed, and more should not wait."""
        for name in sorted(self._full & self.legs.names):
            try:
                await self.publisher.publish(self.legs.live[name])
            except (LegFailed, RunFailed) as error:
                self.legs.detach(name, error)
        self._full.clear()

    def _late(self) -> bool:
        """Tell whether manifests should follow now: a segment every so many rows or seconds."""
        now = self.clock.monotonic()
        self._flushed = now if self._flushed is None else self._flushed
        return self._unsent >= SEGMENT_ROWS or (bool(self._unsent) and now - self._flushed >= SEGMENT_INTERVAL)

    async def _flush(self) -> None:
        """Let manifests follow a long run."""
        if not self._late():
            return
        for name, leg in list(self.legs.live.items()):
            if leg.sink.immediate:
                try:
                    await self.publisher.flush(leg)
                except LegFailed as error:
                    self.legs.detach(name, error)
        self._unsent, self._flushed = 0, self.clock.monotonic()

    async def _take(self, messages: Sequence[Message]) -> None:
        this = self._gathered
        if this.since is None:
            this.since = self.clock.monotonic()
        fetched = [m for m in messages if isinstance(m, Fetched)]
        this.failed += [m for m in messages if isinstance(m, Failed)]
        for leg, run in list(self.legs.live.items()):
            entries = [m.entries[leg] for m in fetched if leg in m.entries]
            if entries:
                await self._write(run, entries)
        freed = 0
        for message in fetched:
            wanted, size = message.wanted, message.size
            updated = any(verdict.action is Action.CHANGED for verdict in wanted.verdicts.values())
            this.settled.append(Settled(wanted, size, updated))
            freed += size
            for entry in message.entries.values():
                if isinstance(entry.body, SpooledFile):
                    await self.spool.discard(entry.body)
                    break
            if wanted.ref.inline is not None:
                wanted.ref = replace(wanted.ref, inline=None)
            message.entries.clear()
        this.size += freed
        passed = [m for m in messages if isinstance(m, Passed)]
        this.keys += sum(len(m.ticket.seen) for m in passed)
        self.channel.release(freed + sum(m.size for m in passed))

    async def _write(self, run: LegRun, entries: list[Entry]) -> None:
        try:
            await run.session.write(entries)
        except LegFailed as error:
            self.legs.detach(run.sink.name, error)
            return
        # The bodies are the sink's now: a group keeps what a row needs beyond the receipt, and nothing else.
        self._gathered.written.setdefault(run.sink.name, []).extend((entry.fields, entry.group) for entry in entries)
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

    def _due(self) -> bool:
        this = self._gathered
        if this.since is None:
            return False
        filled = max(this.items / self.policy.items, this.keys / KEYS)
        if not self._through.is_set() and filled < PATIENCE:
            # A slow disk gets fewer and larger groups.
            return False
        return (
            filled >= 1 or this.size >= self.policy.size or self.clock.monotonic() - this.since >= self.policy.interval
        )


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
