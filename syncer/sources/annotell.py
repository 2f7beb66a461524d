"""Annotell, as Kognic was called until October 2022: API 1.1, which Kognic still speaks, and API 1.0 before it.

The first has Kognic's listings and documents, so it is Kognic's source in another dialect. The second serves contents
within its only listing: it tells no times, so a document's version is its annotation's id with a digest.
"""

import hashlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Raw
from msgspec.structs import replace
from pydantic import BeforeValidator, Field, WithJsonSchema

from syncer.model.entries import Body
from syncer.model.errors import BadBody, HttpError, ItemFailed, NotFound, PartitionGone, SettingsError
from syncer.model.refs import CONTEXT, AnnotationRef, BrokenRow, Cursor, ItemKey, Page, Partition, PartitionKey
from syncer.net.ahead import in_order
from syncer.ports import Features, Http, Known, Selection, Source, SourcePlugin, Tools
from syncer.sources.kognic.api import Api
from syncer.sources.kognic.inputs import Detail, gone
from syncer.sources.kognic.naming import item_of, scene_of
from syncer.sources.kognic.options import AccountOptions
from syncer.sources.kognic.rows import Entry
from syncer.sources.kognic.source import PEOPLE, VARIABLES, Dialect, Kognic

#: Most uuids of one request: they stand in its URL, of which servers take about 8 kB.
CHUNK = 100
#: Chunks read side by side.
AHEAD = 4
#: Says that a pass has ended; nothing is remembered of it.
_ENDED = Cursor('{"v":1,"pass":"rest"}')
#: The one status of an input whose annotation can be there.
CREATED = "created"


def _text(value: object) -> object:
    """Return a release as text: without quotes YAML reads a number."""
    return f"{value:.1f}" if isinstance(value, float) else value


#: Which release of the API is spoken.
Release = Annotated[Literal["1.0", "1.1"], BeforeValidator(_text), WithJsonSchema({"enum": ["1.0", "1.1", 1.0, 1.1]})]


class AnnotellOptions(AccountOptions):
    """Options of a platform of type `annotell`."""

    tokens: ClassVar[str] = "user"

    url: str = Field(default="https://input.annotell.com", description="Address of the input API.")
    auth_url: str | None = Field(
        default=None, description="Token service. Default: `user.` in place of `input.` in `url`, else `url` itself."
    )
    api: Release = Field(
        default="1.1", description="`1.1`: OpenLABEL by annotation type. `1.0`: contents by input, in the old format."
    )


class Annotell(Kognic):
    """One account, by API 1.1; see `ports.Source`."""

    variables: ClassVar[Mapping[str, str]] = {name: VARIABLES[name] for name in VARIABLES if name != "request_uid"}

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield project x batch x annotation type; left out, each type on its own: nothing is listed without one."""
        select = select if select.annotation_types else replace(select, annotation_types=("*",))
        async with aclosing(super().partitions(select)) as partitions:
            async for partition in partitions:
                yield partition

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List a partition's finished annotations; see `ports.Source`."""
        try:
            async with aclosing(super().discover(partition, since, known, select)) as pages:
                async for page in pages:
                    yield page
        except PartitionGone as error:
            if since is not None or known.live:
                raise
            message = f"{self.origin} lists no annotations of project {partition.key.project} by annotation type"
            raise SettingsError(message, hint="if it speaks the first release only, set `api: 1.0`") from error


class _Content(msgspec.Struct, rename="camel"):
    annotation_id: int | str
    export_content: Raw = Raw(b"null")


class AnnotellFirst(Kognic):
    """One account, by API 1.0; see `ports.Source`. A pass reads everything: there is no listing without contents."""

    features = Features(incremental=False, inline=True, deletions=True, batch=CHUNK)
    variables: ClassVar[Mapping[str, str]] = {
        "batch": VARIABLES["batch"],
        "project_title": VARIABLES["project_title"],
        "scene_uuid": "uuid of the input",
        "scene_external_id": "external id of the input",
    }

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield project x batch."""
        if select.annotation_types not in {(), ("*",)}:
            message = "API 1.0 does not tell annotation types apart"
            raise SettingsError(message, hint="leave annotation types out, or use `api: 1.1`")
        if select.since or select.until:
            message = "API 1.0 tells no times: a window of time can't be chosen"
            raise SettingsError(message, hint="leave since and until out, or use `api: 1.1`")
        async with aclosing(self._projects.selected(replace(select, annotation_types=()))) as partitions:
            async for partition in partitions:
                yield partition

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List everything of a partition, contents included; a pass that was interrupted begins anew."""
        del since
        api, key = self._server.api, partition.key
        wanted = {scene_of(item)[0] for item in select.items} if select is not None else set[str]()
        entries = [each for each in await _inputs(api, key, invalidated=False) if each.status == CREATED]
        names = {each.internal_id: each.external_id for each in entries}
        uuids = sorted(uuid for uuid in names if not wanted or uuid in wanted)
        doubtful = bool(wanted)
        jobs = (partial(_readable, api, uuids[first : first + CHUNK]) for first in range(0, len(uuids), CHUNK))
        async with aclosing(in_order(jobs, AHEAD)) as chunks:
            async for chunk, broken in chunks:
                rows = tuple(BrokenRow(_key(key, uuid), "unreadable", reason) for uuid, reason in broken.items())
                if len(rows) > 1 and not chunk:
                    # Not some rows, but all that the server says.
                    raise BadBody(rows[0].reason)
                doubtful = doubtful or bool(rows and known.live)
                yield Page(refs=tuple(_refs(key, chunk, names)), broken=rows, total=len(uuids))
        # Which annotations an unread row stands for is not known: then absence proves nothing.
        yield Page(cursor=_ENDED, end="delta" if doubtful else "full")

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference, a hundred inputs a request."""
        context = [ref for ref in refs if ref.key.kind == CONTEXT]
        async with aclosing(super().open(context)) as outcomes:
            async for outcome in outcomes:
                yield outcome
        items = [ref for ref in refs if ref.key.kind != CONTEXT]
        for first in range(0, len(items), CHUNK):
            some = items[first : first + CHUNK]
            try:
                chunk, broken = await _readable(self._server.api, sorted({scene_of(ref.key.item)[0] for ref in some}))
            except HttpError as error:
                for ref in some:
                    yield ItemFailed(ref.key, str(error), origin=self.origin)
                continue
            for ref in some:
                served = next((each for each in _refs(ref.key.partition, chunk, {}) if each.key == ref.key), None)
                reason = broken.get(scene_of(ref.key.item)[0])
                if reason is not None:
                    yield ItemFailed(ref.key, reason, origin=self.origin)
                elif served is None:
                    yield ItemFailed(ref.key, "deleted or invalidated upstream", origin=self.origin, gone=True)
                else:
                    yield Body(ref, served.inline or b"", version=served.version)

    async def get(self, parts: Sequence[str]) -> Body:
        """Return the content of an input's annotation; of several, the one whose id is given."""
        if len(parts) not in {1, 2} or not all(parts):
            message = "one or two parts are needed: INPUT_UUID [ANNOTATION_ID]"
            raise SettingsError(message)
        found = list(_refs(PartitionKey(""), await _contents(self._server.api, parts[:1]), {}))
        chosen = [ref for ref in found if len(parts) == 1 or ref.version.startswith(f"{parts[1]}-")]
        if len(chosen) != 1:
            ids = ", ".join(ref.version.rpartition("-")[0] for ref in found)
            message = f"input {parts[0]} has {len(chosen) or 'no'} finished annotations of that name"
            raise SettingsError(message, hint=f"their ids are: {ids}" if ids else None)
        return Body(chosen[0], chosen[0].inline or b"", version=chosen[0].version)


async def _inputs(api: Api, key: PartitionKey, *, invalidated: bool) -> list[Entry]:
    # As the old client spells it: a Python bool.
    params = [("project", key.project), *([("batch", key.batch)] if key.batch is not None else [])]
    try:
        answer = await api.get("/v1/inputs", [*params, ("invalidated", str(invalidated))])
    except NotFound as error:
        raise gone(key, error) from error
    return answer.read(list[Entry])


async def _invalidated(api: Api, key: PartitionKey) -> AsyncGenerator[Sequence[Entry]]:
    yield await _inputs(api, key, invalidated=True)


async def _details(api: Api, _: PartitionKey, scenes: Sequence[str]) -> Mapping[str, Detail]:
    """Return external ids; none where the release is older than the query for them (1.0.8)."""
    found: dict[str, Detail] = {}
    for first in range(0, len(scenes), CHUNK):
        try:
            answer = await api.ask("/v1/inputs/query", {"uuids": list(scenes[first : first + CHUNK])})
        except NotFound:
            return {}
        found |= {each.internal_id: Detail(each.external_id) for each in answer.read(list[Entry])}
    return found


async def _contents(api: Api, uuids: Sequence[str]) -> Mapping[str, list[_Content]]:
    """Return the annotations of inputs; those without a finished one are absent."""
    answer = await api.get("/v1/annotations", [("inputs", ",".join(uuids))])
    return answer.read(dict[str, list[_Content]])


async def _readable(api: Api, uuids: Sequence[str]) -> tuple[Mapping[str, list[_Content]], Mapping[str, str]]:
    """Return the annotations of inputs, and why those of some can't be read: one must not spoil its chunk."""
    try:
        return await _contents(api, uuids), {}
    except BadBody as error:
        if len(uuids) == 1:
            return {}, {uuids[0]: str(error)}
    middle = len(uuids) // 2
    first, broken = await _readable(api, uuids[:middle])
    rest, more = await _readable(api, uuids[middle:])
    return {**first, **rest}, {**broken, **more}


def _key(key: PartitionKey, item: str) -> ItemKey:
    return ItemKey("annotation", key.project, key.batch, key.annotation_type, item)


def _refs(key: PartitionKey, chunk: Mapping[str, list[_Content]], names: Mapping[str, str]) -> Iterator[AnnotationRef]:
    """Yield references with their documents: named after the input, and after the annotation where it has several."""
    for uuid, contents in chunk.items():
        for each in contents:
            document = bytes(each.export_content)
            item = uuid if len(contents) == 1 else item_of(uuid, str(each.annotation_id))
            yield AnnotationRef(
                _key(key, item),
                f"{each.annotation_id}-{hashlib.sha256(document).hexdigest()[:16]}",
                size=len(document),
                fields={"scene_uuid": uuid, "scene_external_id": names.get(uuid, "")},
                inline=document,
            )


def create(options: AnnotellOptions, http: Http, tools: Tools) -> Source:
    """Make the source for the release that the options name; for the registry."""
    dialect = Dialect("ANNOTELL", keyring=False, scenes=False, unpaged=True, details=_details, invalidated=_invalidated)
    kind = AnnotellFirst if options.api == "1.0" else Annotell
    return kind(options, dialect, http, tools)


PLUGIN = SourcePlugin(
    type="annotell",
    title="Annotell: Kognic's API before October 2022, releases 1.0 and 1.1",
    options=AnnotellOptions,
    create=create,
    defaults={
        "credentials": ("env:ANNOTELL_CREDENTIALS",),
        "client_id": ("env:ANNOTELL_CLIENT_ID",),
        "client_secret": ("env:ANNOTELL_CLIENT_SECRET",),
    },
    parts=("INPUT_UUID", "TYPE"),
    redactions=PEOPLE,
)
