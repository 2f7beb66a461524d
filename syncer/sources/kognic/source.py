"""Kognic as a source: the sections of this folder behind the `Source` door."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import ClassVar

import msgspec

from syncer.model.entries import Body, SpooledFile
from syncer.model.errors import ItemFailed, NotFound, SettingsError
from syncer.model.refs import AnnotationRef, Cursor, ItemKey, Page, Partition, PartitionKey
from syncer.net.guard import origin_of
from syncer.net.pages import conditions
from syncer.ports import Features, Http, Known, Selection, SourcePlugin, Tools
from syncer.sources.kognic.api import Api, segment
from syncer.sources.kognic.auth import TokenAuth
from syncer.sources.kognic.changes import Changes, Server
from syncer.sources.kognic.credentials import Lookup
from syncer.sources.kognic.cursor import Position, read_cursor
from syncer.sources.kognic.documents import Documents
from syncer.sources.kognic.explicit import listed
from syncer.sources.kognic.inputs import Details, Invalidated, details_of, invalidated_of
from syncer.sources.kognic.links import Links
from syncer.sources.kognic.listing import ISO, ByInput, ByType, Listing
from syncer.sources.kognic.naming import Found
from syncer.sources.kognic.options import AccountOptions, KognicOptions
from syncer.sources.kognic.projects import Projects
from syncer.sources.kognic.rows import Annotated, Signed, version_of

#: Path variables; the same columns stand in the manifest.
VARIABLES: Mapping[str, str] = {
    "batch": "external id of the batch, where batches are selected",
    "annotation_type": "annotation type, where types are selected",
    "project_title": "title of the project",
    "scene_uuid": "uuid of the scene",
    "scene_external_id": "external id of the scene",
    "request_uid": "uid of the request, where the scene is in one only or the route says which",
    "day": "day on which the annotation was delivered, 2026-11-22",
}

#: Who did the work: where OpenLABEL has a place for it.
PEOPLE: Mapping[str, Sequence[str]] = {"people": ("annotator",)}


class Dialect(msgspec.Struct, frozen=True):
    """How an installation is spoken to, where Kognic and Annotell differ."""

    #: Prefix of the environment variables that name credentials.
    prefix: str = "KOGNIC"
    keyring: bool = True
    #: Whether it has the routes by scene and by input, which need no annotation type.
    scenes: bool = True
    #: Whether it may know listings by type in one piece only.
    unpaged: bool = False
    details: Details = details_of
    invalidated: Invalidated = invalidated_of
    #: Cuboids in ISO 8855.
    iso: bool = False
    requests_url: str | None = None
    integration_url: str | None = None
    project_uuids: Mapping[str, str] = msgspec.field(default_factory=dict)
    read_ahead: int = 8


class Kognic:
    """One account on one installation; see `ports.Source`. Sends GET, and POST to get tokens and to query."""

    features = Features(incremental=True, inline=False, deletions=True, batch=1)
    variables: ClassVar[Mapping[str, str]] = VARIABLES

    def __init__(self, options: AccountOptions, dialect: Dialect, http: Http, tools: Tools) -> None:
        """Take the options, the way to the platform, and tools; nothing is sent yet."""
        self.shape = options.shape()
        self.origin = origin_of(options.url)
        self.account = "" if options.organization is None else str(options.organization)
        self._options = options
        self._dialect = dialect
        clock, iso = tools.clock, dialect.iso
        self._auth = TokenAuth(Lookup(options, clock, dialect.prefix, dialect.keyring), http, clock)
        api = Api(http, self._auth, options.url, tools.emit, options.organization)
        self._projects = Projects(api, clock, dialect.requests_url, dialect.project_uuids, dialect.scenes)
        self._by_type = ByType(api, iso, dialect.unpaged)
        self._by_input = ByInput(api, dialect.read_ahead, iso)
        links = Links(self._relist, clock)
        self._documents = Documents(http, api, links, self._projects, clock, iso, dialect.scenes)
        details = dialect.details if options.details else None
        self._server = Server(
            api, self._projects, clock, details, options.full_every, iso, dialect.scenes, dialect.invalidated
        )

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield project x batch x annotation type as a selection names them, in order of their ids."""
        async with aclosing(self._projects.selected(select)) as partitions:
            async for partition in partitions:
                yield partition

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List a partition's finished annotations; see `ports.Source`."""
        select = select or Selection()
        if select.items:
            pages = listed(self._server, self._documents, partition, select)
        else:
            under = conditions(self._options.digest(), select)
            at = read_cursor(since, under) or Position(under=under)
            listing: Listing = self._by_input if partition.key.annotation_type is None else self._by_type
            pages = Changes(self._server, listing, partition, known, select, at).pages()
        async with aclosing(pages):
            async for page in pages:
                yield page

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference; see `ports.Source`."""
        async with aclosing(self._documents.open(refs)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def context(self, partition: Partition) -> AsyncGenerator[AnnotationRef]:
        """Yield the documents of the partition's project and batch."""
        async with aclosing(self._projects.context(partition)) as documents:
            async for document in documents:
                yield document

    async def get(self, parts: Sequence[str]) -> Body:
        """Return one document: of a scene and annotation type, of an `input`, or by the id of an `annotation`."""
        more = ", `input` INPUT_UUID, or `annotation` ANNOTATION_ID" if self._dialect.scenes else ""
        if len(parts) != 2 or not all(parts):  # noqa: PLR2004  # the two parts that the message names
            message = f"two parts are needed: SCENE_UUID TYPE{more}"
            raise SettingsError(message)
        first, second = parts
        try:
            if more and first == "annotation":
                data, version = await self._by_id(second)
            elif more and first == "input":
                data, version = await self._of_input(second)
            else:
                data, version = await self._documents.single(first, second)
        except NotFound as error:
            message = f"{self._options.url} has no finished annotation {' '.join(parts)}"
            raise SettingsError(message, hint="is it delivered, and the scene still valid?") from error
        key = ItemKey("annotation", "", None, None if first in {"annotation", "input"} else second, first)
        return Body(AnnotationRef(key, version), data, version=version)

    async def whoami(self) -> Mapping[str, str]:
        """Return who the credentials were made for, how many projects they see, and the platform's clock."""
        answer = await self._server.api.get("/v1/projects")
        held = self._auth.credentials
        who = {"user": (held.email or held.client_id) if held else "", "projects": str(len(answer.read(list[object])))}
        date = answer.response.date
        return who | ({"clock": date.isoformat()} if date else {})

    async def projects(self) -> Sequence[Mapping[str, str]]:
        """Return a table row a project: id, title, status."""
        return await self._projects.table()

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return a table row a batch: id, title, status, time of its last change, annotation types."""
        return await self._projects.batches(project)

    async def _relist(self, partition: PartitionKey, page: str | None) -> Sequence[Found]:
        return (await self._by_type.page(partition, page)).found

    async def _by_id(self, annotation: str) -> tuple[bytes | SpooledFile, str]:
        iso = [("isoBoxes", "true")] if self._dialect.iso else []
        path = f"/v1/annotations/{segment(annotation)}"
        signed = (await self._server.api.get(path, iso, base=self._dialect.integration_url)).read(Signed)
        return await self._documents.linked(signed.signed_url, annotation), version_of(signed.created)

    async def _of_input(self, uuid: str) -> tuple[bytes | SpooledFile, str]:
        iso = [ISO] if self._dialect.iso else []
        row = (await self._server.api.get(f"/v2/inputs/{segment(uuid)}/annotation", iso)).read(Annotated)
        return await self._documents.linked(row.uri or "", uuid), version_of(row.created)


def create(options: KognicOptions, http: Http, tools: Tools) -> Kognic:
    """Make the source; for the registry."""
    dialect = Dialect(
        iso=options.iso_rotated_cuboids,
        requests_url=options.requests_address,
        integration_url=options.integration_address,
        project_uuids=options.project_uuids,
        read_ahead=options.read_ahead,
    )
    return Kognic(options, dialect, http, tools)


PLUGIN = SourcePlugin(
    type="kognic",
    title="Kognic: delivered annotations, as OpenLABEL documents",
    options=KognicOptions,
    create=create,
    defaults={
        "credentials": ("env:KOGNIC_CREDENTIALS",),
        "client_id": ("env:KOGNIC_CLIENT_ID",),
        "client_secret": ("env:KOGNIC_CLIENT_SECRET",),
    },
    parts=("SCENE_UUID", "TYPE"),
    redactions=PEOPLE,
)
