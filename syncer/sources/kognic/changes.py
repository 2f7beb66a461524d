"""One pass over a partition: a complete listing, or a glance at its batches where nothing of them moved.

The platform has no filter for what changed: a listing is complete, carries links and times but no documents, and
what differs is fetched. Corrections show by their time of delivery, deletions by absence.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import msgspec
from msgspec.structs import replace
from msgspec.structs import replace as with_found

from syncer.model.refs import AnnotationRef, BrokenRow, Cursor, ItemKey, Page, Partition
from syncer.model.units import show_duration
from syncer.net.ahead import together
from syncer.ports import Clock, Known, Selection
from syncer.sources.kognic.api import Api
from syncer.sources.kognic.cursor import Position
from syncer.sources.kognic.inputs import Detail, Details, Invalidated, invalidated_of
from syncer.sources.kognic.links import Hint
from syncer.sources.kognic.listing import Listed, Listing, annotations_of
from syncer.sources.kognic.listing import pages as listed_pages
from syncer.sources.kognic.naming import Found, apart, by_scene, item_of
from syncer.sources.kognic.projects import Projects
from syncer.sources.kognic.rows import moment, order
from syncer.sources.kognic.seen import Seen

#: Scenes with several annotations that are looked at side by side.
AHEAD = 8
#: Version of an item whose row can't be read.
UNREAD = "unreadable"
_UNREADABLE = "what the platform lists of its scene can't be read"


class Server(msgspec.Struct, frozen=True):
    """What passes share: the ways to the platform, and how it is listed."""

    api: Api
    projects: Projects
    clock: Clock
    #: External ids and request uids of a page; None: they are not wanted.
    details: Details | None
    full_every: float
    iso: bool = False
    #: Whether the routes by scene are there, which tell several annotations of a scene and type apart.
    scenes: bool = True
    invalidated: Invalidated = invalidated_of


class Changes(msgspec.Struct):
    """A pass of one partition, from a position on."""

    server: Server
    listing: Listing
    partition: Partition
    known: Known
    select: Selection
    at: Position
    _seen: Seen = msgspec.field(default_factory=Seen)
    #: Times of delivery of scenes that were listed more than once.
    _repeated: dict[str, set[float]] = msgspec.field(default_factory=dict)
    #: Listed items that are known.
    _met: int = 0
    #: How many more rows were older than the one before them than were newer.
    _falling: int = 0

    async def pages(self) -> AsyncGenerator[Page]:
        """Yield the pages of the pass, each with the cursor behind it; the last has `end` set."""
        rested, torn = self.at.stage == "rest", self.at.page is not None
        mark, now = await self._mark()
        if rested and self._still(mark, now):
            note = (
                "quick pass: what did not move by status, `updated` and progress was not listed again; a correction or"
                f" deletion that moves none of them arrives within {show_duration(self.server.full_every)}"
            )
            yield Page(cursor=self.at.cursor(), end="delta", note=note)
            return
        if not torn:
            self.at = Position(under=self.at.under, start=mark, began=now)
        async with aclosing(listed_pages(self.listing, self.partition.key, self.at.page)) as listed:
            async for page in listed:
                refs, filtered = await self._refs(page)
                self.at = replace(
                    self.at,
                    began=self.at.began or page.date or self.server.clock.now(),
                    page=page.after,
                    count=self.at.count + len(refs),
                    doubtful=self.at.doubtful or bool(page.broken and self.known.live),
                )
                yield Page(
                    refs=refs,
                    broken=tuple(BrokenRow(self._key(scene), UNREAD, _UNREADABLE) for scene in page.broken),
                    cursor=self._cursor(self.at) if page.after is not None else None,
                    filtered=filtered,
                )
        if self._windowed:
            yield Page(end="delta")
            return
        ended = self.at.ended(torn=torn).cursor()
        if self.at.doubtful:
            # Which items the unread rows stand for is not known: none of those that were not listed counts as gone.
            yield Page(cursor=ended, end="delta")
            return
        if self._met < self.known.live and (not torn or self._falling > 0):
            async with aclosing(self._second_look()) as looked:
                async for again in looked:
                    yield again
        reasons = await self._invalidated() if torn or self._met < self.known.live else {}
        yield Page(gone=tuple(reasons), reasons=reasons, cursor=ended, end="full")

    # ------------------------------------------------------------------------------------- what moved

    async def _mark(self) -> tuple[str, datetime | None]:
        """Return what the batches look like now, where quick passes are wanted."""
        if not self.server.full_every or self._windowed:
            return "", None
        mark, date = await self.server.projects.mark(self.partition.key)
        return mark, date or self.server.clock.now()

    def _still(self, mark: str, now: datetime | None) -> bool:
        at = self.at
        if self.known.full or self.known.refetch or now is None or at.full_at is None:
            return False
        if at.count and not self.known.live:
            # Items were listed up to here, and the checkpoint holds none of them: it is another one's.
            return False
        return mark == at.mark and now - at.full_at < timedelta(seconds=self.server.full_every)

    # ------------------------------------------------------------------------------------------- pages

    async def _second_look(self) -> AsyncGenerator[Page]:
        """Yield what the first pages show now and did not show before.

        In a listing with the newest first, a correction moves there from a page that was still to be read: it would
        look deleted. In any other one the first page has nothing new, and that is all.
        """
        async with aclosing(listed_pages(self.listing, self.partition.key, None)) as listed:
            async for page in listed:
                fresh = [each for each in page.found if self._seen.last(each.scene) != order(each.created)]
                if not fresh:
                    return
                refs, filtered = await self._refs(with_found(page, found=fresh))
                yield Page(refs=refs, filtered=filtered)

    async def _refs(self, page: Listed) -> tuple[tuple[AnnotationRef, ...], int]:
        """Return the references of a page, and how many of its rows are none."""
        found = [each for each in page.found if self._wanted(each)]
        times = [order(each.created) for each in found]
        self._falling += sum((before > after) - (before < after) for before, after in pairwise(times))
        details = await self._details(found)
        named = await self._named(found, details)
        refs = tuple(self._ref(item, each, page, details.get(each.scene)) for item, each in named)
        if self.known.live:
            self._met += len(await self.known.has([ref.key for ref in refs]))
        return refs, max(0, len(page.found) - len(refs))

    def _wanted(self, found: Found) -> bool:
        since, until, at = self.select.since, self.select.until, moment(found.created)
        return at is None or ((since is None or at >= since) and (until is None or at < until))

    async def _details(self, found: Sequence[Found]) -> Mapping[str, Detail]:
        scenes = list(dict.fromkeys(each.scene for each in found))
        if self.server.details is None or not scenes:
            return {}
        return await self.server.details(self.server.api, self.partition.key, scenes)

    async def _named(self, found: Sequence[Found], details: Mapping[str, Detail]) -> list[tuple[str, Found]]:
        if self.partition.key.annotation_type is None:
            for each in found:
                self._seen.note(each.scene, order(each.created))
            return by_scene(found)
        taken = await self._taken(details)
        named: list[tuple[str, Found]] = []
        several: dict[str, Found] = {}
        for each in found:
            delivered = order(each.created)
            before = self._seen.note(each.scene, delivered)
            if each.scene in taken or each.scene in self._repeated or before not in {None, delivered}:
                times = self._repeated.setdefault(each.scene, set())
                times |= {delivered} if before is None else {before, delivered}
                several[each.scene] = each
            elif before is None:
                named.append((each.scene, each))
        jobs = [partial(self._apart, each, taken.get(scene, frozenset())) for scene, each in several.items()]
        return named + [pair for pairs in await together(jobs, AHEAD) for pair in pairs]

    async def _taken(self, details: Mapping[str, Detail]) -> dict[str, frozenset[str]]:
        """Return the names beside the plain one that items already have, of scenes that are in several requests."""
        names = {
            self._key(item_of(scene, request)): scene
            for scene, detail in details.items()
            if len(detail.requests) > 1
            for request in detail.requests
        }
        if not names or not self.known.live:
            return {}
        taken: dict[str, frozenset[str]] = {}
        for key in await self.known.has(list(names)):
            taken[names[key]] = taken.get(names[key], frozenset()) | {key.item}
        return taken

    async def _apart(self, each: Found, taken: frozenset[str]) -> list[tuple[str, Found]]:
        """Return what a scene's annotations of this type are called, of which `each` is the last that was listed."""
        times = self._repeated[each.scene]
        rows: Sequence[Found] = ()
        if self.server.scenes:
            rows = await annotations_of(self.server.api, each.scene, iso=self.server.iso)
        rows = [row for row in rows if order(row.created) in times]
        if rows:
            return apart(rows, taken)
        # Corrected while it was listed, or delivered twice: the newest counts.
        return [(each.scene, each)] if order(each.created) >= max(times) else []

    def _ref(self, item: str, found: Found, page: Listed, detail: Detail | None) -> AnnotationRef:
        detail = detail or Detail()
        request = found.request or (detail.requests[0] if len(detail.requests) == 1 else "")
        fields = {
            "scene_uuid": found.scene,
            "scene_external_id": detail.external_id,
            "request_uid": request,
            "created": found.created,
            "day": found.created[:10],
        }
        hint = Hint(found.uri, page.page, self.listing.paged).text() if found.uri is not None else None
        return AnnotationRef(self._key(item), found.created, moment(found.created), fields=fields, hint=hint)

    def _key(self, item: str) -> ItemKey:
        key = self.partition.key
        return ItemKey("annotation", key.project, key.batch, key.annotation_type, item)

    # --------------------------------------------------------------------------------------- deletions

    async def _invalidated(self) -> dict[ItemKey, str]:
        """Return the known items that are not there any more because their scene was invalidated, with the status."""
        reasons: dict[ItemKey, str] = {}
        async with aclosing(self.server.invalidated(self.server.api, self.partition.key)) as pages:
            async for entries in pages:
                gone = {
                    self._key(each.internal_id): each.status.partition(":")[2] or "no reason"
                    for each in entries
                    if each.internal_id not in self._seen and each.status.startswith("invalidated")
                }
                for key in await self.known.has(list(gone)):
                    reasons[key] = f"the scene was invalidated ({gone[key]})"
        return reasons

    def _cursor(self, at: Position) -> Cursor | None:
        return None if self._windowed else at.cursor()

    @property
    def _windowed(self) -> bool:
        """Whether the job wants a window of time: then absence proves nothing."""
        return self.select.since is not None or self.select.until is not None
