"""Apps, Clarifai's projects: which of them a selection names, their tables, their batches and their concepts."""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from fnmatch import fnmatchcase
from urllib.parse import quote

import msgspec

from syncer.model.errors import BadBody, NotFound, SettingsError, UnknownName
from syncer.model.refs import CONTEXT, AnnotationRef, ItemKey, Partition, PartitionKey
from syncer.sources.clarifai.api import Api, is_own_word, missing
from syncer.sources.clarifai.batches import Scope, scope_of
from syncer.sources.clarifai.documents import slices_of

#: Rows of a page.
PAGE = 1000
#: Apps named in a hint.
SHOWN = 10
#: Kinds of batches that can be listed: path below the app, and kind.
LISTED = {"datasets": "dataset", "tasks": "task"}


class _Named(msgspec.Struct):
    """An app, a dataset, a task or a concept."""

    id: str
    name: str = ""
    description: str = ""
    user_id: str = ""


_NAMED = msgspec.json.Decoder(_Named)


class _One(msgspec.Struct):
    app: _Named | None = None


class Apps(msgspec.Struct):
    """The apps of one user that a key can see."""

    api: Api

    async def selected(self, names: Sequence[str]) -> AsyncGenerator[tuple[str, str]]:
        """Yield id and name of the apps that literals and globs name, by id; no names: all. A literal is one request.

        Raises:
            UnknownName: literals that name nothing; after all others were yielded.
        """
        wanted = names or ("*",)
        found: dict[str, str] = {}
        unknown: list[str] = []
        for name in dict.fromkeys(each for each in wanted if not _is_glob(each)):
            app = await self._by_id(name)
            if app is None:
                unknown.append(name)
            else:
                found[app.id] = app.name
        globs = [name for name in wanted if _is_glob(name)]
        every = await self.rows(self.api.path(), "apps", _SORTED) if globs or unknown else []
        for app in every:
            if any(fnmatchcase(app.id, each) or fnmatchcase(app.name, each) for each in globs):
                found[app.id] = app.name
        for app_id in sorted(found):
            yield app_id, found[app_id]
        if unknown:
            message = f"user {self.api.user} has no app {', '.join(map(repr, unknown))}, or this key may not see it"
            known = ", ".join(app.id for app in every[:SHOWN])
            hint = f"there are: {known}{' ...' if len(every) > SHOWN else ''}" if every else "`user` owns the apps"
            raise UnknownName(message, names=tuple(unknown), hint=hint)

    async def partitions(self, app: str, title: str, batches: Sequence[str]) -> AsyncGenerator[Partition]:
        """Yield the partitions of an app: one for the app, or one for each batch that literals and globs name.

        Raises:
            SettingsError: a name that can't be a batch.
            UnknownName: batches that there are not; after all others were yielded.
        """
        fields = {"project_title": title or app}
        if not batches:
            yield Partition(PartitionKey(app), fields)
            return
        found: dict[str, Scope] = {}
        unknown: list[str] = []
        for name in batches:
            scopes = await self._scopes(app, name)
            found |= {str(scope.name): scope for scope in scopes}
            if not scopes and not _is_glob(name):
                unknown.append(name)
        for batch in sorted(found):
            yield Partition(PartitionKey(app, batch), fields)
        if unknown:
            message = f"app {app} has no batch {', '.join(map(repr, unknown))}"
            raise UnknownName(message, names=tuple(unknown), hint=f"`syncer batches` lists the batches of {app}")

    async def concepts(self, app: str) -> AnnotationRef:
        """Return the app's concepts as one document, by id, each an exact slice.

        Raises:
            PartitionGone: the app does not exist any more.
        """
        rows = await self._slices(f"{self.api.path(app)}/concepts", "concepts", ())
        found = {_decoded(row).id: row for row in rows}
        content = b"[%b]" % b",".join(found[name] for name in sorted(found))
        key = ItemKey(CONTEXT, app, None, None, "concepts")
        return AnnotationRef(key, hashlib.sha256(content).hexdigest(), size=len(content), inline=content)

    async def table(self) -> Sequence[Mapping[str, str]]:
        """Return id, title and description of every app."""
        rows = await self.rows(self.api.path(), "apps", _SORTED)
        return [{"id": row.id, "title": row.name, "description": row.description} for row in rows]

    async def batches(self, app: str) -> Sequence[Mapping[str, str]]:
        """Return the datasets and tasks of an app, by the name that a selection takes."""
        table: list[Mapping[str, str]] = []
        for path, kind in LISTED.items():
            rows = await self.rows(f"{self.api.path(app)}/{path}", path, _SORTED if path == "datasets" else ())
            table += [
                {"id": row.id if kind == "dataset" else f"{kind}={row.id}", "kind": kind, "title": row.name}
                for row in rows
            ]
        return table

    async def rows(self, path: str, name: str, params: Sequence[tuple[str, str]]) -> list[_Named]:
        """Return all rows of a table, each once."""
        rows = [_decoded(row) for row in await self._slices(path, name, params)]
        return list({row.id: row for row in rows}.values())

    async def _scopes(self, app: str, name: str) -> list[Scope]:
        word, sign, rest = name.partition("=")
        kind = word if sign else "dataset"
        path = next((path for path, each in LISTED.items() if each == kind), None)
        if path is None:
            if _is_glob(name):
                raise SettingsError(f"{name!r}: only datasets and tasks can be named by a pattern")
            return [scope_of(name)]
        pattern = rest if sign else name
        if _is_glob(pattern):
            rows = await self.rows(f"{self.api.path(app)}/{path}", path, ())
            return [scope_of(_spelt(kind, row.id)) for row in rows if fnmatchcase(row.id, pattern)]
        scope = scope_of(_spelt(kind, pattern))
        try:
            await self.api.get(f"{self.api.path(app)}/{path}/{quote(pattern, safe='')}")
        except NotFound as error:
            if is_own_word(error):
                return []
            raise missing(f"batch {name}", error) from error
        return [scope]

    async def _by_id(self, name: str) -> _Named | None:
        try:
            body = (await self.api.get(self.api.path(name))).body
        except NotFound as error:
            if is_own_word(error):
                return None
            raise missing(f"app {name}", error) from error
        try:
            app = msgspec.json.decode(body, type=_One).app
        except msgspec.DecodeError as error:
            raise _unreadable() from error
        if app is None:
            raise _unreadable()
        return app

    async def _slices(self, path: str, name: str, params: Sequence[tuple[str, str]]) -> list[bytes]:
        found: list[bytes] = []
        number = 1
        while True:
            numbered = [*params, ("page", str(number)), ("per_page", str(PAGE))]
            try:
                rows = slices_of((await self.api.get(path, numbered)).body, name)
            except NotFound as error:
                raise missing(path.rpartition("/apps")[2].strip("/") or "user", error) from error
            if not rows:
                return found
            found += rows
            number += 1


#: The default order is that of the last change, which moves pages while they are read.
_SORTED = (("sort_by_id", "true"), ("sort_ascending", "true"))


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _spelt(kind: str, name: str) -> str:
    return name if kind == "dataset" and "=" not in name else f"{kind}={name}"


def _decoded(raw: bytes) -> _Named:
    try:
        return _NAMED.decode(raw)
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error


def _unreadable() -> BadBody:
    return BadBody("an answer can't be read: is the url really that of Clarifai's API?")
