"""Datature Nexus as a source: the sections of this folder behind the `Source` door."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body
from syncer.model.errors import BadBody, HttpError, ItemFailed, NotFound, PartitionGone, SettingsError
from syncer.model.refs import CONTEXT, AnnotationRef, Cursor, ItemKey, Page, Partition
from syncer.net.ahead import in_order
from syncer.net.guard import origin_of
from syncer.ports import Features, Http, Known, Selection, SourcePlugin, Tools
from syncer.sources.nexus.api import ID, Api, detail_of, project_path
from syncer.sources.nexus.auth import KeyAuth
from syncer.sources.nexus.changes import Changes, position
from syncer.sources.nexus.documents import Reader, version_of
from syncer.sources.nexus.listing import Listing
from syncer.sources.nexus.options import NexusOptions
from syncer.sources.nexus.projects import Projects, gone

#: References of one call: as many requests, side by side.
BATCH = 32


class Nexus:
    """One workspace of Datature Nexus; see `ports.Source`. Sends GET."""

    features = Features(incremental=False, inline=True, deletions=True, batch=BATCH)
    variables: ClassVar[Mapping[str, str]] = {
        "batch": "group of the asset",
        "project_name": "name of the project",
        "asset": "id of the asset",
        "filename": "file name of the asset",
        "status": "status of the asset",
        "tag": "tag of the annotation",
        "created": "day on which the annotation was created, 2026-11-22",
    }

    def __init__(self, options: NexusOptions, http: Http, tools: Tools) -> None:
        """Take the options, the way to the platform, and tools; nothing is sent yet."""
        del tools
        self.shape = options.shape()
        self.origin = origin_of(options.url)
        #: Known only to the platform; the key is never a name.
        self.account = ""
        self._options = options
        self._api = Api(http, KeyAuth(options.token, options.url), options.url)
        self._projects = Projects(self._api)

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield the projects that a selection names by id, name or glob, in order of id; see `ports.Source`."""
        if select.annotation_types not in {(), ("*",)}:
            message = "Nexus projects are not divided by annotation type"
            raise SettingsError(message, hint="leave `annotation_types` out of the selection")
        async with aclosing(self._projects.selected(select.projects, select.batches)) as partitions:
            async for found in partitions:
                yield found

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List a project's finished items; see `ports.Source`."""
        select, options, key = select or Selection(), self._options, partition.key
        statuses = None if options.any_annotated else frozenset(options.statuses)
        listing = Listing(self._api, key.project, options.page_size, options.attributes, key.batch)
        at = position(None if known.full or known.refetch else since, options.digest(), select)
        changes = Changes(
            listing, Reader(key), statuses, options.together, options.read_ahead, known, select, at
        )  # fmt: skip
        async with aclosing(changes.pages()) as pages:
            async for page in pages:
                yield page

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference; see `ports.Source`."""
        jobs = (partial(self._open, ref) for ref in refs)
        async with aclosing(in_order(iter(jobs), BATCH)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def _open(self, ref: AnnotationRef) -> Body | ItemFailed:
        key = ref.key
        try:
            if key.kind == CONTEXT:
                found = await self._projects.context(key.project)
                return Body(replace(found, key=key, inline=None), found.inline or b"", version=found.version)
            if key.kind != "annotation" or not ID.fullmatch(key.item) or not ID.fullmatch(key.project):
                return ItemFailed(key, "not an item of this platform", origin=self.origin, gone=True)
            body = await self._annotation(key.project, key.item)
            msgspec.json.decode(body)
        except NotFound as error:
            lost = gone(error, key.project)
            return ItemFailed(key, "deleted upstream" if lost else str(error), origin=self.origin, gone=lost)
        except (HttpError, PartitionGone) as error:
            return ItemFailed(key, str(error), origin=self.origin)
        except (ValueError, RecursionError) as error:
            return ItemFailed(key, f"it can't be read: {str(error)[:200]}", origin=self.origin)
        version = version_of(body)
        return Body(replace(ref, version=version, inline=None), body, ref.media_type, version)

    async def _annotation(self, project: str, annotation: str) -> bytes:
        params = [("includeAttributes", str(self._options.attributes).lower())]
        return (await self._api.get(f"{project_path(project)}/annotations/{annotation}", params)).body

    async def context(self, partition: Partition) -> AsyncGenerator[AnnotationRef]:
        """Yield the project's document: tags, groups, type."""
        found = await self._projects.context(partition.key.project)
        yield replace(found, key=found.key._replace(batch=partition.key.batch))

    async def get(self, parts: Sequence[str]) -> Body:
        """Return one annotation exactly as it is served."""
        if len(parts) != 2 or not ID.fullmatch(parts[1]):  # noqa: PLR2004  # PROJECT and ANNOTATION
            message = "Nexus needs two parts: PROJECT and ANNOTATION"
            raise SettingsError(message, hint="for example: syncer get nexus proj_1 annot_1")
        try:
            body = await self._annotation(*parts)
        except NotFound as error:
            message = f"project {parts[0]} has no annotation {parts[1]}, or this key may not see it"
            raise SettingsError(message, hint=detail_of(error) or None) from error
        return Body(AnnotationRef(ItemKey("annotation", parts[0], None, None, parts[1]), version_of(body)), body)

    async def whoami(self) -> Mapping[str, str]:
        """Return the workspace that the key belongs to, and the platform's clock."""
        response = await self._api.get("/workspace")
        try:
            found = msgspec.json.decode(response.body, type=_Workspace)
        except msgspec.DecodeError as error:
            message = f"{self._api.url} does not answer as Datature Nexus does"
            raise BadBody(message) from error
        answer = {"user": found.name or found.id, "workspace": found.id}
        return answer | ({"clock": response.date.isoformat()} if response.date else {})

    async def projects(self) -> Sequence[Mapping[str, str]]:
        """Return a table row a project: id, name, type, counts."""
        return await self._projects.table()

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return a table row a group of assets."""
        return await self._projects.groups(project)


class _Workspace(msgspec.Struct):
    id: str
    name: str = ""


def create(options: NexusOptions, http: Http, tools: Tools) -> Nexus:
    """Make the source; for the registry."""
    return Nexus(options, http, tools)


PLUGIN = SourcePlugin(
    type="nexus",
    title="Datature Nexus (the older API): single annotations",
    options=NexusOptions,
    create=create,
    defaults={"token": ("env:DATATURE_SECRET_KEY",), "url": ("env:DATATURE_API_BASE_URL",)},
    parts=("PROJECT", "ANNOTATION"),
)
