"""Planning: a page is compared with the checkpoint; what some leg lacks is wanted, the rest is settled."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from syncer.flow.account import Account, counted
from syncer.flow.discover import Listing, spared
from syncer.flow.frontier import Frontier, Ticket, Wanted
from syncer.flow.job import Job, RunOptions
from syncer.flow.redact import Redacting
from syncer.model.checkpoint import Action, Candidate, OwedItem, Verdict
from syncer.model.entries import Leg
from syncer.model.events import Emit, PagePlanned
from syncer.model.refs import AnnotationRef, BrokenRow, GroupKey, ItemKey, Page, Partition, PartitionKey
from syncer.model.suppression import Suppression
from syncer.ports import Ledger, Sink


class Broken(msgspec.Struct, frozen=True):
    """A wanted item that is not fetched: its row on the page could not be read, so it goes to the owed ones."""

    wanted: Wanted
    reason: str
    #: It is owed no more: nobody selects it.
    settled: bool = False


class Planned(msgspec.Struct, frozen=True):
    """What is left of a page after the comparison."""

    ticket: Ticket
    #: Whoever hands them on takes them out: what is done with should not wait for the rest of its page.
    wanted: list[Wanted]
    broken: Sequence[Broken]


class Planner(msgspec.Struct):
    """Plans the pages of one unit, in emission order."""

    job: Job
    sinks: Mapping[Leg, Sink]
    ledger: Ledger
    frontier: Frontier
    account: Account
    options: RunOptions
    emit: Emit
    #: Some item waits to be deleted: pages say which keys are (back) there.
    reviving: bool = False
    #: Items that earlier runs owed. A page that keeps their groups can't name them: they were not stored yet.
    replayed: dict[PartitionKey, list[ItemKey]] = msgspec.field(default_factory=dict)
    #: Owed items whose time has not come, by leg and key: their version.
    resting: dict[tuple[Leg, ItemKey], str] = msgspec.field(default_factory=dict)
    #: What was erased and may not come back.
    suppressed: Suppression = msgspec.field(default_factory=Suppression)
    redacting: Redacting | None = None
    #: Why items counted as changed, for `plan`.
    reasons: dict[str, int] = msgspec.field(default_factory=dict)

    async def plan(self, listing: Listing, page: Page, *, first: bool) -> Planned:
        """Compare one page, and admit it to the frontier."""
        counts = self.account.counts
        page = page if self.redacting is None else self.redacting.page(page)
        refs, duplicates = _unique(page.refs)
        page, refs, hidden = await self._admitted(page, refs)
        broken_refs = [_ref_of(row) for row in page.broken]
        verdicts = await self.ledger.classify(
            [self._candidate(listing.partition, ref) for ref in (*refs, *broken_refs)]
        )
        doomed = await self._doomed(listing.partition, page)
        kept = await self._kept(listing.partition, page)
        self.reviving = self.reviving or bool(doomed)
        again = self.replayed.pop(listing.partition.key, []) if first else []
        ticket = Ticket(
            listing.partition,
            cursor=page.cursor,
            end=page.end,
            seen=[ref.key for ref in (*refs, *broken_refs)]
            + [row.key for row in page.withdrawn]
            + kept
            + again
            + hidden,
            listed=[*(ref.key for ref in refs), *kept] if self.reviving else (),
            doomed=doomed,
            began=listing.began if first else None,
            piece=page.piece,
        )
        self.frontier.admit(ticket)
        self.account.resumed |= first and listing.began is not True
        counts.listed += sum(counted(ref.key) for ref in (*page.refs, *broken_refs)) + page.filtered
        counts.listed += len(page.withdrawn) + len(kept)
        self.account.note(page.note)
        counts.filtered += page.filtered + len(page.withdrawn)
        counts.unchanged += duplicates + len(kept)
        wanted = [
            item for ref, answer in zip(refs, verdicts, strict=False) if (item := self._want(ticket, ref, answer))
        ]
        broken = [
            Broken(item, row.reason)
            for row, ref, answer in zip(page.broken, broken_refs, verdicts[len(refs) :], strict=True)
            if (item := self._want(ticket, ref, answer))
        ]
        size = sum(item.ref.size or len(item.ref.inline or b"") for item in wanted)
        self.emit(PagePlanned(listing.partition.key, len(wanted), len(refs) - len(wanted) + len(kept), size))
        return Planned(ticket, wanted, broken)

    def rest(self, owed: Sequence[OwedItem]) -> None:
        """Leave owed items alone in this run, also where a page lists them again; newer versions are another matter."""
        self.resting.update({(item.leg, item.key): item.version for item in owed})

    def _candidate(self, partition: Partition, ref: AnnotationRef) -> Candidate:
        return Candidate(ref, {leg: sink.path_of(partition, ref) for leg, sink in self.sinks.items()})

    def _want(self, ticket: Ticket, ref: AnnotationRef, answer: Mapping[Leg, Verdict]) -> Wanted | None:
        lacking = {
            leg: verdict
            for leg, verdict in answer.items()
            if (verdict.action is Action.NEW or verdict.action is Action.CHANGED or self.options.refetch)
            and self.resting.get((leg, ref.key)) != ref.version
        }
        count = counted(ref.key)
        if not lacking:
            if any(verdict.action is not Action.SAME for verdict in answer.values()):
                self.account.counts.owed += count
            else:
                self.account.counts.unchanged += count
            return None
        wanted = Wanted(ref, lacking, [ticket])
        outcome = self.frontier.want(wanted)
        if outcome != "new":
            self.account.counts.unchanged += count
        if outcome == "joined":
            return None
        for reason in {verdict.reason or verdict.action.value for verdict in lacking.values()}:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
        return wanted

    async def replay(self, partition: Partition, owed: Sequence[OwedItem]) -> Planned:
        """Plan items that earlier runs owe; they come before anything new."""
        refs = [
            AnnotationRef(item.key, item.version, fields=self._columns(item.fields), hint=item.hint)
            for item in {item.key: item for item in owed}.values()
        ]
        attempts = {item.key: item.attempts for item in owed}
        # Whatever the pass lists: what is fetched now is there.
        ticket = Ticket(partition, seen=[ref.key for ref in refs])
        self.replayed.setdefault(partition.key, []).extend(ticket.seen)
        self.frontier.admit(ticket)
        wanted: list[Wanted] = []
        dropped: list[Broken] = []
        for ref, answer in zip(
            refs, await self.ledger.classify([self._candidate(partition, r) for r in refs]), strict=True
        ):
            lacking = {leg: verdict for leg, verdict in answer.items() if verdict.action is not Action.IGNORED}
            if lacking:
                item = Wanted(ref, lacking, [ticket], replayed=True, attempts=attempts[ref.key])
                if self.frontier.want(item) != "new":
                    continue
                if ref.key.kind in self.job.source.features.unlisted:
                    dropped.append(Broken(item, "it is no longer selected", settled=True))
                elif self.suppressed.hides_ref(ref):
                    dropped.append(Broken(item, "it was erased", settled=True))
                else:
                    wanted.append(item)
        return Planned(ticket, wanted, dropped)

    def _columns(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        return fields if self.redacting is None else self.redacting.redaction.columns(fields)

    async def _admitted(self, page: Page, refs: list[AnnotationRef]) -> tuple[Page, list[AnnotationRef], list[ItemKey]]:
        """Leave out what was erased; return what is left, and erased keys that are stored nevertheless.

        Those are of an older copy that somebody restored: what is to become of them is for the user to say.
        """
        if not self.suppressed:
            return page, refs, []
        hidden = [ref for ref in refs if self.suppressed.hides_ref(ref)]
        broken = [row for row in page.broken if self.suppressed.hides(row.key)]
        if not hidden and not broken:
            return page, refs, []
        left = {ref.key for ref in hidden}
        counts = self.account.counts
        gone = sum(map(counted, [*left, *(row.key for row in broken)]))
        counts.suppressed += gone
        counts.listed += sum(counted(row.key) for row in broken)
        held = await self.ledger.has([*left])
        self.account.again += len(held)
        rest = tuple(row for row in page.broken if row not in broken)
        return replace(page, broken=rest), [ref for ref in refs if ref.key not in left], sorted(held)

    async def _kept(self, partition: Partition, page: Page) -> list[ItemKey]:
        """Return the stored members of the groups that a page calls unchanged, without those that it names."""
        if not page.keeps:
            return []
        members = await self._members(partition, page.keeps)
        named = {row.key for rows in (page.refs, page.withdrawn, page.broken) for row in rows}
        return sorted(members - named, key=ItemKey.canonical)

    async def _doomed(self, partition: Partition, page: Page) -> list[tuple[ItemKey, str, str]]:
        doomed = [(row.key, "withdrawn", row.reason) for row in page.withdrawn]
        doomed += [(key, "gone", page.reasons.get(key, "deleted upstream")) for key in page.gone]
        if page.closes:
            members = await self._members(partition, page.closes)
            present = {ref.key for ref in page.refs} | {row.key for row in page.withdrawn}
            present |= {row.key for row in page.broken}
            doomed += [
                (stray, "gone", "deleted upstream") for stray in sorted(members - present, key=ItemKey.canonical)
            ]
        return doomed

    async def _members(self, partition: Partition, groups: Sequence[GroupKey]) -> set[ItemKey]:
        """Return the stored members of some groups, without those that the source does not look for any more."""
        members = await self.ledger.members(partition.key, groups)
        left_out = spared(self.job, self.options)
        return {key for keys in members.values() for key in keys if key.kind not in left_out}


def _unique(refs: Sequence[AnnotationRef]) -> tuple[list[AnnotationRef], int]:
    """Keep the last of several references with one key; count the labels that were left out."""
    by_key: dict[ItemKey, AnnotationRef] = {}
    for ref in refs:
        by_key.pop(ref.key, None)
        by_key[ref.key] = ref
    left_out = sum(counted(ref.key) for ref in refs) - sum(counted(key) for key in by_key)
    return list(by_key.values()), left_out


def _ref_of(row: BrokenRow) -> AnnotationRef:
    return AnnotationRef(row.key, row.version)
