"""Projects: which of them a selection names, their groups, their tables, and their context documents."""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody, NotFound, PartitionGone, SettingsError, UnknownName
from syncer.model.refs import CONTEXT, AnnotationRef, ItemKey, Partition, PartitionKey
from syncer.sources.nexus.api import Api, missing_project, project_path

#: Projects named in a hint.
SHOWN = 10
#: What stays the same while people work.
CONTEXT_KEYS = ("id", "name", "workspaceId", "type", "createDate", "localization", "tags", "groups")


class _Statistic(msgspec.Struct, rename="camel"):
    total_assets: int | None = None
    annotated_assets: int | None = None
    total_annotations: int | None = None


class _Project(msgspec.Struct):
    id: str
    name: str = ""
    type: str = ""
    groups: list[str] = []  # msgspec copies defaults
    statistic: _Statistic | None = None


_PROJECTS = msgspec.json.Decoder(list[_Project])
_SLICES = msgspec.json.Decoder(dict[str, Raw])


class Projects(msgspec.Struct, frozen=True):
    """The projects of a workspace: one list, not paged."""

    api: Api

    async def selected(self, names: Sequence[str], batches: Sequence[str]) -> AsyncGenerator[Partition]:
        """Yield the projects that ids, names and globs select, in order of id, each split by groups if asked.

        Raises:
            UnknownName: literals that name nothing; after all others were yielded.
            SettingsError: a name that several projects have.
        """
        every = await self._all()
        found: dict[str, _Project] = {}
        unknown = [name for name in names if not self._add(found, name, every) and not _is_glob(name)]
        for project in every if not names else ():
            found[project.id] = project
        missing = {batch for batch in batches if not _is_glob(batch)}
        for name in sorted(found):
            project = found[name]
            words = {"project_name": project.name}
            if not batches:
                yield Partition(PartitionKey(name), words)
            for group in project.groups:
                if any(fnmatchcase(group, batch) if _is_glob(batch) else group == batch for batch in batches):
                    missing.discard(group)
                    yield Partition(PartitionKey(name, group), words)
        if unknown:
            known = ", ".join(f"{project.id} ({project.name})" for project in every[:SHOWN])
            message = f"{self.api.url} has no project {', '.join(map(repr, unknown))}, or this key may not see it"
            raise UnknownName(message, names=tuple(unknown), hint=f"there are: {known}" if known else None)
        if missing:
            message = f"no group {', '.join(map(repr, sorted(missing)))} in any selected project"
            raise UnknownName(message, names=tuple(sorted(missing)), hint="`syncer batches` lists them")

    async def context(self, project: str) -> AnnotationRef:
        """Return what explains a project's annotations, as exact slices.

        Raises:
            PartitionGone: the project does not exist any more.
        """
        try:
            body = (await self.api.get(project_path(project))).body
        except NotFound as error:
            raise missing_project(project, error) from error
        try:
            slices = _SLICES.decode(body)
        except msgspec.DecodeError as error:
            raise _unreadable(error) from error
        parts = [b'"%b":%b' % (key.encode(), bytes(slices[key])) for key in CONTEXT_KEYS if key in slices]
        content = b"{" + b",".join(parts) + b"}"
        key = ItemKey(CONTEXT, project, None, None, "project")
        return AnnotationRef(key, hashlib.sha256(content).hexdigest(), size=len(content), inline=content)

    async def table(self) -> Sequence[Mapping[str, str]]:
        """Return id, name, type and counts of every project."""
        rows = []
        for project in await self._all():
            counts = project.statistic or _Statistic()
            rows.append(
                {
                    "id": project.id,
                    "title": project.name,
                    "type": project.type,
                    "assets": _count(counts.total_assets),
                    "annotated": _count(counts.annotated_assets),
                    "annotations": _count(counts.total_annotations),
                }
            )
        return rows

    async def groups(self, name: str) -> Sequence[Mapping[str, str]]:
        """Return a row a group of assets."""
        found: dict[str, _Project] = {}
        if not self._add(found, name, await self._all()):
            message = f"{self.api.url} has no project {name!r}, or this key may not see it"
            raise SettingsError(message, hint="`syncer projects` lists all that there are")
        return [{"batch": group} for project in found.values() for group in project.groups]

    @staticmethod
    def _add(found: dict[str, _Project], name: str, every: Sequence[_Project]) -> bool:
        same = [each for each in every if each.id == name] or [each for each in every if each.name == name]
        if len(same) > 1:
            message = f"{len(same)} projects have the name {name!r}: {', '.join(each.id for each in same)}"
            raise SettingsError(message, hint="name the one that is meant by its id")
        if not same and _is_glob(name):
            same = [each for each in every if fnmatchcase(each.id, name) or fnmatchcase(each.name, name)]
        found.update({each.id: each for each in same})
        return bool(same)

    async def _all(self) -> list[_Project]:
        try:
            return _PROJECTS.decode((await self.api.get("/workspace/projects")).body)
        except msgspec.DecodeError as error:
            raise _unreadable(error) from error


def gone(error: NotFound, project: str) -> bool:
    """Tell whether a 404 is the platform's own word."""
    return isinstance(missing_project(project, error), PartitionGone)


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _unreadable(error: Exception) -> BadBody:
    return BadBody(f"a project can't be read ({str(error)[:200]}): is the url really that of Datature Nexus?")


def _count(number: int | None) -> str:
    return "" if number is None else str(number)
