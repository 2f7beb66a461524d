"""Projects, batches and annotation types: what a selection names, their tables, and what tells that a batch moved."""

import hashlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody, NotFound, PartitionGone, SettingsError, UnknownName
from syncer.model.events import Warned
from syncer.model.refs import CONTEXT, AnnotationRef, ItemKey, Partition, PartitionKey
from syncer.net.ahead import together
from syncer.ports import Clock, Selection
from syncer.sources.kognic.api import Answer, Api, segment
from syncer.sources.kognic.inputs import gone, inputs_of
from syncer.sources.kognic.rows import Batch, Counts, Project

T = TypeVar("T")

#: Names shown in a hint.
SHOWN = 10
#: Seconds for which what was just read of a project's batches is believed.
FRESH = 10.0
#: Requests for tables side by side.
AHEAD = 8
#: The glob for all annotation types.
_ALL = "*"
#: A key of a batch that moves by itself: left out of its context document.
_VOLATILE = "updated"


class _Batches(msgspec.Struct):
    rows: list[tuple[Batch, Raw]]
    date: datetime | None
    at: float


@dataclass(slots=True)
class Projects:
    """The projects that an account can see."""

    api: Api
    clock: Clock
    #: Address of project management, and internal uuids of projects: for the progress of requests.
    requests_url: str | None = None
    uuids: Mapping[str, str] = field(default_factory=dict)
    #: Whether projects can be listed by their inputs, where the platform has stopped to know annotation types.
    typeless: bool = True
    #: Documents that came with a selection, for the context that follows.
    _documents: dict[str, bytes] = field(default_factory=dict, init=False)
    _batches: dict[str, _Batches] = field(default_factory=dict, init=False)

    async def selected(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield project x batch x annotation type as a selection names them.

        Without batches a project is not divided by batch; without annotation types it is listed by its inputs, and
        so is one whose annotation types were phased out, where all of them are wanted.

        Raises:
            UnknownName: literals that name nothing; after all others were yielded.
            SettingsError: a title that several projects have.
        """
        every = await self._all()
        titles = {project.project: project.title for project, _ in every}
        chosen, unknown, idle = _projects(select.projects or ("*",), titles)
        missing: dict[str, str] = {}
        for name in idle:
            self.api.emit(Warned(f"no project of {self.api.url} matches {name!r}"))
        for name in chosen:
            partitions, lacking = await self._divided(name, titles[name], select)
            for partition in partitions:
                yield partition
            missing |= lacking
        if unknown:
            known = ", ".join(f"{name} ({title})" if title else name for name, title in list(titles.items())[:SHOWN])
            message = f"{self.api.url} has no project {', '.join(map(repr, unknown))}, or this account may not see it"
            raise UnknownName(message, names=tuple(unknown), hint=f"there are: {known}" if known else None)
        if missing:
            names = tuple(missing)
            raise UnknownName("; ".join(missing.values()), names=names, hint="`syncer batches` lists batches and types")

    async def _divided(self, project: str, title: str, select: Selection) -> tuple[list[Partition], dict[str, str]]:
        """Return the partitions of one project, and what the selection names that it does not have, with words."""
        fields = {"project_title": title}
        lacking: dict[str, str] = {}
        batches: dict[str | None, Mapping[str, str]] = {None: fields}
        if select.batches:
            rows = [batch for batch, _ in (await self._read_batches(project)).rows]
            names, absent = _chosen(select.batches, [batch.batch for batch in rows])
            lacking |= {name: f"project {project} has no batch {name!r}" for name in absent}
            titles = {batch.batch: batch.title for batch in rows}
            batches = {name: {**fields, "batch_title": titles[name]} for name in names}
            if not names and not absent:
                self.api.emit(Warned(f"project {project} has no batch that matches {', '.join(select.batches)}"))
        if not select.annotation_types:
            return [Partition(PartitionKey(project, batch, None), about) for batch, about in batches.items()], lacking
        types = await together([partial(self._types, project, batch) for batch in batches], AHEAD)
        known = sorted({kind for kinds in types for kind in kinds})
        if not known and _ALL in select.annotation_types and await self._phased_out(project, batches):
            return [Partition(PartitionKey(project, batch, None), about) for batch, about in batches.items()], lacking
        wanted, absent = _chosen(select.annotation_types, known)
        has = f"it has {', '.join(known[:SHOWN])}" if known else "it has none: leave annotation types out"
        if batches:
            lacking |= {name: f"project {project} has no annotation type {name!r} ({has})" for name in absent}
        if batches and not wanted and not absent:
            self.api.emit(Warned(f"project {project} has no annotation type that was asked for ({has})"))
        return [
            Partition(PartitionKey(project, batch, kind), about)
            for (batch, about), kinds in zip(batches.items(), types, strict=True)
            for kind in wanted
            if kind in kinds
        ], lacking

    async def _phased_out(self, project: str, batches: Iterable[str | None]) -> bool:
        """Tell whether there are inputs, which there never are without types where these still count."""
        if not self.typeless:
            return False
        keys = [PartitionKey(project, batch, None) for batch in batches]
        try:
            pages = await together([partial(inputs_of, self.api, key, ()) for key in keys], AHEAD)
        except PartitionGone:
            # Neither types nor inputs: whatever this project is, there is nothing to list in it.
            return False
        return any(inputs or answer.next is not None for inputs, answer in pages)

    async def context(self, partition: Partition) -> AsyncGenerator[AnnotationRef]:
        """Yield the documents of the partition's project and batch, as the platform serves them.

        Raises:
            PartitionGone: the platform has no such project or batch.
        """
        key = partition.key
        if key.project not in self._documents:
            await self._all()
        document = self._documents.get(key.project)
        if document is None:
            raise gone(key, NotFound("the project is not listed any more"))
        yield _context(key, "project", document)
        if key.batch is not None:
            rows = (await self._read_batches(key.project)).rows
            found = next((raw for batch, raw in rows if batch.batch == key.batch), None)
            if found is None:
                raise gone(key, NotFound("the batch is not listed any more"))
            yield _context(key, "batch", _without(bytes(found), _VOLATILE))

    async def mark(self, key: PartitionKey) -> tuple[str, datetime | None]:
        """Return a digest of what moves when something is delivered in a partition, and the platform's clock.

        Status and `updated` of its batches, and the progress of the project's requests where its uuid is known.
        """
        batches = await self._read_batches(key.project)
        rows = [batch for batch, _ in batches.rows if key.batch in {None, batch.batch}]
        state: list[object] = [[batch.batch, batch.status, batch.updated] for batch in rows]
        uuid = self.uuids.get(key.project)
        if uuid is not None and self.requests_url is not None:
            params = [("projectId", uuid), ("includeInputProgressCounts", "true")]
            answer = await self.api.get("/v2/requests", params, base=self.requests_url)
            state += sorted([each.id, each.input_progress_counts] for each in answer.read(list[Counts]))
        return hashlib.sha256(msgspec.json.encode(state, order="sorted")).hexdigest()[:16], batches.date

    async def table(self) -> Sequence[Mapping[str, str]]:
        """Return id, title and status of every project."""
        return [{"id": p.project, "title": p.title, "status": p.status} for p, _ in await self._all()]

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return id, title, status and annotation types of every batch of a project."""
        rows = [batch for batch, _ in (await self._read_batches(project)).rows]
        types = await together([partial(self._types, project, batch.batch) for batch in rows], AHEAD)
        return [
            {
                "id": batch.batch,
                "title": batch.title,
                "status": batch.status,
                "updated": batch.updated,
                "annotation_types": ", ".join(kinds),
            }
            for batch, kinds in zip(rows, types, strict=True)
        ]

    async def _all(self) -> list[tuple[Project, Raw]]:
        answer = await self.api.get("/v1/projects")
        found = [(_read(raw, Project), raw) for raw in answer.read(list[Raw])]
        self._documents = {project.project: bytes(raw) for project, raw in found}
        return found

    async def _types(self, project: str, batch: str | None) -> list[str]:
        """Return annotation types; none where the platform has stopped to know any."""
        within = "" if batch is None else f"/batches/{segment(batch)}"
        try:
            answer = await self.api.get(f"/v1/projects/{segment(project)}{within}/annotation-types")
        except NotFound:
            return []
        return answer.read(list[str])

    async def _read_batches(self, project: str) -> _Batches:
        held = self._batches.get(project)
        now = self.clock.monotonic()
        if held is not None and now - held.at < FRESH:
            return held
        try:
            answer: Answer = await self.api.get(f"/v1/projects/{segment(project)}/batches")
        except NotFound as error:
            raise gone(PartitionKey(project), error) from error
        rows = [(_read(raw, Batch), raw) for raw in answer.read(list[Raw])]
        held = self._batches[project] = _Batches(rows, answer.response.date, now)
        return held


def _projects(names: Sequence[str], titles: Mapping[str, str]) -> tuple[list[str], list[str], list[str]]:
    """Return the external ids that names and globs mean, and the literals and the globs that mean nothing.

    Raises:
        SettingsError: a title that several projects have.
    """
    chosen, unknown, idle = set[str](), list[str](), list[str]()
    for name in names:
        if name in titles:
            chosen.add(name)
            continue
        same = [each for each, title in titles.items() if title == name]
        if len(same) > 1:
            message = f"{len(same)} projects have the title {name!r}: {', '.join(same[:SHOWN])}"
            raise SettingsError(message, hint="name the one that is meant by its id")
        if not same and _is_glob(name):
            same = [each for each, title in titles.items() if fnmatchcase(each, name) or fnmatchcase(title, name)]
            idle += [] if same else [name]
        elif not same:
            unknown.append(name)
        chosen.update(same)
    return sorted(chosen), unknown, idle


def _chosen(names: Sequence[str], there: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return those of what is there that names and globs mean, and the literals that mean nothing."""
    found = [each for each in sorted(set(there)) if any(each == name or fnmatchcase(each, name) for name in names)]
    return found, [name for name in names if name not in there and not _is_glob(name)]


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _read(raw: Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (ValueError, RecursionError) as error:
        message = f"a {kind.__name__.lower()} can't be read: {str(error)[:200]}"
        raise BadBody(message, hint="is the url really that of the input API?") from error


def _context(key: PartitionKey, name: str, document: bytes) -> AnnotationRef:
    item = ItemKey(CONTEXT, key.project, key.batch, key.annotation_type, name)
    return AnnotationRef(item, hashlib.sha256(document).hexdigest(), size=len(document), inline=document)


def _without(document: bytes, key: str) -> bytes:
    """Return an object without one of its keys, all other values to the letter."""
    slices = msgspec.json.decode(document, type=dict[str, Raw])
    parts = [b'"%b":%b' % (name.encode(), bytes(value)) for name, value in slices.items() if name != key]
    return b"{" + b",".join(parts) + b"}"
