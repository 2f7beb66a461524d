"""Documents by their keys: tasks in batches, annotations through their tasks or one by one."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial

import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body
from syncer.model.errors import HttpError, ItemFailed, NotFound, PartitionGone, SettingsError
from syncer.model.refs import CONTEXT, MEDIA, AnnotationRef, ItemKey
from syncer.net.ahead import in_order
from syncer.sources.label_studio.auth import detail_of
from syncer.sources.label_studio.documents import Reader, Unreadable
from syncer.sources.label_studio.files import task_of
from syncer.sources.label_studio.media import Media
from syncer.sources.label_studio.projects import Projects
from syncer.sources.label_studio.rows import Row
from syncer.sources.label_studio.server import Server

#: Most ids of one request: the URL stays far below what proxies cut.
BATCH = 100

#: A listed item, and what was asked about a failed one.
Opened = Body | ItemFailed


class Opening(msgspec.Struct, frozen=True):
    """Opens references of any project, any kind and any age."""

    server: Server
    projects: Projects
    #: For messages.
    origin: str
    media: Media

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Opened]:
        """Yield one body or failure for each reference."""
        groups: dict[tuple[str, str], list[AnnotationRef]] = {}
        for ref in refs:
            if _is_ours(ref.key):
                groups.setdefault((ref.key.project, ref.key.kind), []).append(ref)
            else:
                yield self._failed(ref.key, "not an item of this platform", gone=True)
        for (project, kind), members in groups.items():
            if kind == MEDIA:
                async with aclosing(self.media.open(members)) as files:
                    async for file in files:
                        yield file
                continue
            for first in range(0, len(members), BATCH):
                batch = members[first : first + BATCH]
                try:
                    outcomes = await self._batch(project, kind, batch)
                except (HttpError, PartitionGone) as error:
                    outcomes = [self._failed(ref.key, str(error)) for ref in batch]
                for outcome in outcomes:
                    yield outcome

    async def _batch(self, project: str, kind: str, refs: Sequence[AnnotationRef]) -> list[Opened]:
        if kind == CONTEXT:
            context = await self.projects.context(project)
            return [_body(context) for _ in refs]
        reader = await self.server.reader(project, kind)
        if kind == "task":
            return self._matched(refs, await self._tasks(reader, [int(ref.key.item) for ref in refs]))
        tasks = {ref.key: int(task) for ref in refs if (task := _task_of(ref)) is not None}
        listed = [ref for ref in refs if ref.key in tasks]
        outcomes = self._matched(listed, await self._tasks(reader, sorted(set(tasks.values())))) if listed else []
        single = [ref for ref in refs if ref.key not in tasks]
        return outcomes + [outcome async for outcome in self._singly(reader, single)]

    async def _tasks(self, reader: Reader, ids: Sequence[int]) -> list[Row]:
        return await self.server.whole(reader).among(ids)

    async def _singly(self, reader: Reader, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Opened]:
        jobs = (partial(self._annotation, reader, ref) for ref in refs)
        async with aclosing(in_order(jobs, self.server.options.read_ahead)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def _annotation(self, reader: Reader, ref: AnnotationRef) -> Opened:
        try:
            row = await annotation(self.server, reader, ref.key.item)
        except (Unreadable, HttpError) as error:
            return self._failed(ref.key, str(error))
        return self._matched([ref], [row] if row is not None else [])[0]

    def _matched(self, refs: Sequence[AnnotationRef], rows: Sequence[Row]) -> list[Opened]:
        served: Mapping[ItemKey, Opened] = dict(self._outcomes(rows))
        return [
            _named(served.get(ref.key) or self._failed(ref.key, "deleted upstream", gone=True), ref) for ref in refs
        ]

    def _outcomes(self, rows: Sequence[Row]) -> Iterator[tuple[ItemKey, Opened]]:
        for row in rows:
            for ref in row.refs:
                if row.broken is None:
                    yield ref.key, _body(ref)
                else:
                    yield ref.key, self._failed(ref.key, row.broken)
            for item in row.others:
                # It leaves the owed ones; if it was stored before, the next listing of changes withdraws it.
                yield item.key, self._failed(item.key, f"not finished any more: {item.reason}", gone=True)

    def _failed(self, key: ItemKey, reason: str, *, gone: bool = False) -> ItemFailed:
        return ItemFailed(key, reason, origin=self.origin, gone=gone)


async def annotation(server: Server, reader: Reader, number: str) -> Row | None:
    """Read one annotation by its id; None if the reader's project has no such one.

    Raises:
        Unreadable, HttpError: it can't be read now.
    """
    try:
        response = await server.api.get(f"/api/annotations/{int(number)}/")
    except NotFound as error:
        if detail_of(error.body):
            return None
        raise
    head, row = reader.annotation(response.body)
    return row if head.project is None or str(head.project) == reader.project else None


async def served(server: Server, parts: Sequence[str]) -> Body:
    """Return one annotation exactly as the server serves it, by its id.

    Raises:
        SettingsError: the parts are not one number, or there is no such annotation.
    """
    if len(parts) != 1 or not parts[0].isdecimal():
        message = "Label Studio needs one part: ANNOTATION_ID, a number"
        raise SettingsError(message, hint="for example: syncer get label_studio 4711")
    try:
        response = await server.api.get(f"/api/annotations/{int(parts[0])}/")
    except NotFound as error:
        message = f"{server.api.url} has no annotation {parts[0]}, or this user may not see it"
        raise SettingsError(message) from error
    head, row = (await server.reader("", "annotation")).annotation(response.body)
    key = ItemKey("annotation", str(head.project or ""), None, None, str(head.id))
    version = row.refs[0].version if row.refs else ""
    return Body(AnnotationRef(key, version), response.body)


def _is_ours(key: ItemKey) -> bool:
    number = key.item.isdecimal() and key.kind in {"task", "annotation"}
    file = key.kind == MEDIA and task_of(key.item)
    return key.project.isdecimal() and bool(number or file or key.kind == CONTEXT)


def _task_of(ref: AnnotationRef) -> str | None:
    task = ref.group or ref.fields.get("task", "")
    return task if task.isdecimal() else None


def _named(outcome: Opened, ref: AnnotationRef) -> Opened:
    """Return an outcome that knows what the listing knew: a single annotation says nothing of its task's data."""
    if isinstance(outcome, ItemFailed) or not ref.fields:
        return outcome
    return replace(outcome, ref=replace(outcome.ref, fields={**ref.fields, **outcome.ref.fields}))


def _body(ref: AnnotationRef) -> Body:
    return Body(replace(ref, inline=None), ref.inline or b"", ref.media_type, ref.version)
