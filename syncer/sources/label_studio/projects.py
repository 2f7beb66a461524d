"""Projects: which of them a selection names, their tables, and their context documents."""

import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody, NotFound, SettingsError, UnknownName
from syncer.model.refs import CONTEXT, AnnotationRef, ItemKey, Partition, PartitionKey
from syncer.sources.label_studio.api import Api, is_past_the_end, missing_project
from syncer.sources.label_studio.auth import detail_of

#: Most projects of a page; the server's own maximum.
PAGE = 100
#: Projects named in a hint.
SHOWN = 10
#: Most project documents that are kept from the selection to the context.
KEPT = 256

#: What stays the same while people work: no counters, no personal settings, no credentials of task data.
CONTEXT_KEYS = (
    "id", "title", "description", "label_config", "parsed_label_config", "control_weights", "expert_instruction",
    "maximum_annotations", "enable_empty_annotation", "organization", "created_at",
)  # fmt: skip
_COUNTERS = ("task_number", "finished_task_number", "total_annotations_number")


class _Page(msgspec.Struct):
    results: list[Raw]
    next: str | None = None


class _Project(msgspec.Struct):
    id: int
    title: str = ""
    task_number: int | None = None
    finished_task_number: int | None = None
    total_annotations_number: int | None = None


_PAGE = msgspec.json.Decoder(_Page)
_PROJECT = msgspec.json.Decoder(_Project)
_SLICES = msgspec.json.Decoder(dict[str, Raw])


@dataclass(slots=True)
class Projects:
    """The projects that a token can see."""

    api: Api
    #: Documents that came with a selection, for the context that follows: they save a request, nothing else.
    _seen: OrderedDict[str, bytes] = field(default_factory=OrderedDict, init=False)

    async def selected(self, names: Sequence[str]) -> AsyncGenerator[Partition]:
        """Yield the projects that literals and globs name, by id; no names: all of them. One request for a literal id.

        Raises:
            UnknownName: literals that name nothing; after all others were yielded.
            SettingsError: a title that several projects have.
        """
        wanted = names or ("*",)
        found: dict[int, Partition] = {}
        unknown: list[str] = []
        for name in (name for name in wanted if name.isdecimal()):
            partition = await self._by_id(name)
            if partition is None:
                unknown.append(name)
            else:
                found[int(name)] = partition
        others = [name for name in wanted if not name.isdecimal()]
        every = [project async for project in self._all(CONTEXT_KEYS)] if others else []
        for name in others:
            matching = _matching(name, [project for project, _ in every])
            found.update({project.id: _partition(project) for project in matching})
            if not matching and not _is_glob(name):
                unknown.append(name)
        for project, document in every:
            if project.id in found:
                self._keep(str(project.id), document)
        for number in sorted(found):
            yield found[number]
        if unknown:
            message = f"{self.api.url} has no project {', '.join(map(repr, unknown))}, or this user may not see it"
            known = ", ".join(f"{project.id} ({project.title})" for project, _ in every[:SHOWN])
            hint = (
                f"there are: {known}{' ...' if len(every) > SHOWN else ''}" if every else "`syncer projects` lists all"
            )
            raise UnknownName(message, names=tuple(unknown), hint=hint)

    async def context(self, project: str) -> AnnotationRef:
        """Return the project's document: label configuration and what else explains its labels, as exact slices.

        Raises:
            PartitionGone: the project does not exist any more.
        """
        document = self._seen.pop(project, None)
        if document is None:
            try:
                document = await self._document(project)
            except NotFound as error:
                raise missing_project(project, error) from error
        try:
            slices = _SLICES.decode(document)
        except msgspec.DecodeError as error:
            raise _unreadable() from error
        parts = [b'"%b":%b' % (key.encode(), bytes(slices[key])) for key in CONTEXT_KEYS if key in slices]
        content = b"{" + b",".join(parts) + b"}"
        return AnnotationRef(
            ItemKey(CONTEXT, project, None, None, "project"),
            hashlib.sha256(content).hexdigest(),
            size=len(content),
            inline=content,
        )

    async def table(self) -> Sequence[Mapping[str, str]]:
        """Return id, title and counts of every project."""
        return [
            {
                "id": str(project.id),
                "title": project.title,
                "tasks": _count(project.task_number),
                "finished": _count(project.finished_task_number),
                "annotations": _count(project.total_annotations_number),
            }
            async for project, _ in self._all(("id", "title", *_COUNTERS))
        ]

    async def _by_id(self, name: str) -> Partition | None:
        try:
            document = await self._document(name)
        except NotFound as error:
            if detail_of(error.body):
                return None
            raise missing_project(name, error) from error
        self._keep(str(int(name)), document)
        return _partition(_decoded(document))

    async def _document(self, project: str) -> bytes:
        return (await self.api.get(f"/api/projects/{int(project)}/")).body

    def _keep(self, project: str, document: bytes) -> None:
        self._seen[project] = document
        self._seen.move_to_end(project)
        if len(self._seen) > KEPT:
            self._seen.popitem(last=False)

    async def _all(self, include: Iterable[str]) -> AsyncGenerator[tuple[_Project, bytes]]:
        """Yield all projects with their documents, each once."""
        seen: set[int] = set()
        number = 1
        while True:
            params = [
                ("page", str(number)),
                ("page_size", str(PAGE)),
                ("ordering", "id"),
                ("include", ",".join(include)),
            ]
            try:
                page = _PAGE.decode((await self.api.get("/api/projects/", params)).body)
            except NotFound as error:
                # The last page went away under us.
                if is_past_the_end(error):
                    return
                raise
            except msgspec.DecodeError as error:
                raise _unreadable() from error
            for raw in page.results:
                document = bytes(raw)
                project = _decoded(document)
                if project.id not in seen:
                    seen.add(project.id)
                    yield project, document
            if page.next is None:
                return
            number += 1


def _matching(name: str, projects: Sequence[_Project]) -> list[_Project]:
    found = [project for project in projects if project.title == name]
    if len(found) > 1:
        message = f"{len(found)} projects have the title {name!r}: {', '.join(str(project.id) for project in found)}"
        raise SettingsError(message, hint="name the one that is meant by its id")
    if found or not _is_glob(name):
        return found
    return [project for project in projects if fnmatchcase(str(project.id), name) or fnmatchcase(project.title, name)]


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _partition(project: _Project) -> Partition:
    return Partition(PartitionKey(str(project.id)), {"project_title": project.title})


def _decoded(document: bytes) -> _Project:
    try:
        return _PROJECT.decode(document)
    except msgspec.DecodeError as error:
        raise _unreadable() from error


def _unreadable() -> BadBody:
    return BadBody("a project can't be read: is the url really that of a Label Studio server?")


def _count(number: int | None) -> str:
    return "" if number is None else str(number)
