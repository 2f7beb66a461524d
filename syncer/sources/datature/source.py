"""Datature Vi as a source: the sections of this folder behind the `Source` door."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body
from syncer.model.errors import BadBody, ItemFailed, SettingsError
from syncer.model.refs import EXPORT, MEDIA, AnnotationRef, Cursor, Page, Partition
from syncer.net.guard import origin_of
from syncer.net.pages import conditions
from syncer.ports import Features, Http, Known, Selection, SourcePlugin, Tools
from syncer.sources.datature.api import Api
from syncer.sources.datature.auth import KeyAuth
from syncer.sources.datature.changes import Changes
from syncer.sources.datature.choice import Choice
from syncer.sources.datature.cursor import Position, read_cursor
from syncer.sources.datature.datasets import Datasets
from syncer.sources.datature.documents import Reader
from syncer.sources.datature.explicit import listed
from syncer.sources.datature.exports import Exports
from syncer.sources.datature.listing import Listing
from syncer.sources.datature.media import Media
from syncer.sources.datature.opening import BATCH, Opening
from syncer.sources.datature.options import DatatureOptions
from syncer.sources.datature.unpacking import Unpacking


class Datature:
    """One organization of Datature Vi; see `ports.Source`. Sends GET."""

    features: Features = Features(incremental=True, inline=True, deletions=True, batch=BATCH)
    variables: ClassVar[Mapping[str, str]] = {
        "batch": "`folder=NAME`, `status=NAME`, `tag=NAME`, `cohort=NAME`, `filename=GLOB` or `metadata.KEY=GLOB`",
        "dataset_name": "name of the dataset",
        "asset": "id of the asset",
        "filename": "file name of the asset",
        "status": "status of the asset",
        "created": "day on which the asset was created, 2026-11-22",
    }

    def __init__(self, options: DatatureOptions, http: Http, tools: Tools) -> None:
        """Take the options, the way to the platform, and tools; nothing is sent yet."""
        self.shape = options.shape()
        self.origin = origin_of(options.url)
        self.account = options.organization
        self._options = options
        self._clock = tools.clock
        auth = KeyAuth(options.token, options.organization, options.url)
        self._api = Api(http, auth, options.url, options.organization)
        expected = frozenset() if options.any_annotated or options.mode == "export" else frozenset(options.statuses)
        self._datasets = Datasets(self._api, tools.emit, expected)
        self._media = Media(self._api, self.origin)
        self._exports = Exports(self._api, options, tools.clock, self.origin)
        self._opening = Opening(self._api, self._datasets, options, self.origin, self._media, self._exports)
        # Files are held one at a time: of documents a whole batch is small.
        left_out = {EXPORT} if options.media else {EXPORT, MEDIA}
        self.features = replace(
            self.features, batch=1 if options.media else BATCH, media=options.media, unlisted=frozenset(left_out)
        )

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield the datasets that a selection names by id, name or glob, in order of id; see `ports.Source`."""
        if select.annotation_types not in {(), ("*",)}:
            message = "Datature datasets are not divided by annotation type"
            raise SettingsError(message, hint="leave `annotation_types` out of the selection")
        async with aclosing(self._datasets.selected(select.projects, select.batches)) as partitions:
            async for partition in partitions:
                yield partition

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List a dataset's finished items from a cursor on; see `ports.Source`."""
        select = select or Selection()
        options, key = self._options, partition.key
        choice = Choice.of(options, key.batch)
        media = self._media if options.media else None
        listing = Listing(self._api, key.project, options.page_size, choice.folder, options.media)
        reader = Reader(key, options.granularity)
        if select.items:
            pages = listed(listing, reader, select, options.read_ahead, media)
        else:
            at = self._position(since, known, select, choice)
            pages = Changes(listing, reader, choice, options, known, select, at, media).pages()
        async with aclosing(pages):
            async for page in pages:
                yield page

    def _position(self, since: Cursor | None, known: Known, select: Selection, choice: Choice) -> Position:
        """Return where to go on, or the beginning of the next pass."""
        options = self._options
        together = options.with_objects and choice.folder is None
        under = conditions(options.digest(), select)
        at = read_cursor(since, under)
        again = known.full or known.refetch
        if at is not None and at.running and not again:
            return at
        if at is None or again or at.watermark is None:
            return Position(under=under, complete=True, chain="objects" if together else "assets")
        due = at.full_at is None or self._clock.now() - at.full_at >= timedelta(seconds=options.full_every)
        return Position(
            under=under, complete=due, chain="objects" if together and due else "assets", watermark=at.watermark,
            full_at=at.full_at, memory=at.memory,
        )  # fmt: skip

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference; see `ports.Source`."""
        async with aclosing(self._opening.open(refs)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def context(self, partition: Partition) -> AsyncGenerator[AnnotationRef]:
        """Yield the dataset's document: tags, their details and statuses."""
        found = await self._datasets.context(partition.key.project)
        yield replace(found, key=found.key._replace(batch=partition.key.batch))

    async def get(self, parts: Sequence[str]) -> Body:
        """Return one annotation, or one asset, exactly as it is served."""
        return await self._opening.served(parts)

    async def whoami(self) -> Mapping[str, str]:
        """Return the organization that the key belongs to, and the platform's clock."""
        response = await self._api.get(self._api.workspace)
        try:
            found = msgspec.json.decode(response.body, type=_Workspace)
        except msgspec.DecodeError as error:
            message = f"{self._api.url} does not answer as Datature Vi does"
            raise BadBody(message) from error
        answer = {"user": found.name or self._api.organization, "organization": self._api.organization}
        return answer | ({"clock": response.date.isoformat()} if response.date else {})

    async def projects(self) -> Sequence[Mapping[str, str]]:
        """Return a table row a dataset: id, name, type, counts."""
        return await self._datasets.table()

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return a table row a batch: folders, statuses and tags."""
        return await self._datasets.batch_table(project)


class DatatureExports(Datature):
    """The same organization, where the items are archives of the platform's own export job: one a dataset."""

    features: Features = Features(
        incremental=False, deletions=True, exports=True, unlisted=frozenset({"annotation", "asset", MEDIA})
    )
    variables: ClassVar[Mapping[str, str]] = {
        "dataset_name": "name of the dataset",
        "format": "format of the export",
        "filename": "`DATASET-FORMAT.zip`, or the name of the member",
        "member": "path of the member in the archive, with export_unpack",
        "as_of": "moment that the export is at least as new as",
    }

    def __init__(self, options: DatatureOptions, http: Http, tools: Tools) -> None:
        """Take the options, the way to the platform, and tools; nothing is sent yet."""
        super().__init__(options, http, tools)
        self.features = DatatureExports.features
        self._unpacking = Unpacking(self._exports) if options.export_unpack else None
        if self._unpacking is not None:
            self.features = replace(self.features, incremental=True, inline=True, batch=BATCH)

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield the datasets that a selection names; see `ports.Source`."""
        if select.batches or select.items or select.since or select.until:
            message = "the platform's export is always of a whole dataset"
            raise SettingsError(message, hint="select projects only, or set mode: annotations")
        async with aclosing(super().partitions(select)) as partitions:
            async for partition in partitions:
                yield partition

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List the one export of a dataset, or its members; their versions follow the state of every asset."""
        del select
        if self._unpacking is None:
            found, standing = await self._exports.listed(partition.key, since, held=known.live > 0)
            # A dataset has one export: what else is stored of it was selected once (another format, its members).
            yield Page(refs=(found,), cursor=standing.seen(found.version, found.updated_at), end="delta")
            return
        async with aclosing(self._unpacking.pages(partition.key, since, known)) as pages:
            async for page in pages:
                yield page

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference; see `ports.Source`."""
        members = [ref for ref in refs if self._unpacking is not None and ref.key.kind == EXPORT]
        others = [ref for ref in refs if ref not in members]
        if self._unpacking is not None and members:
            async with aclosing(self._unpacking.open(members)) as outcomes:
                async for outcome in outcomes:
                    yield outcome
        async with aclosing(super().open(others)) as outcomes:
            async for outcome in outcomes:
                yield outcome


class _Workspace(msgspec.Struct):
    name: str = ""


def create(options: DatatureOptions, http: Http, tools: Tools) -> Datature:
    """Make the source; for the registry."""
    return DatatureExports(options, http, tools) if options.mode == "export" else Datature(options, http, tools)


PLUGIN = SourcePlugin(
    type="datature",
    title="Datature Vi: single annotations, or assets with their annotations",
    options=DatatureOptions,
    create=create,
    defaults={
        "token": ("env:DATATURE_VI_SECRET_KEY",),
        "organization": ("env:DATATURE_VI_ORGANIZATION_ID",),
        "url": ("env:DATATURE_VI_API_ENDPOINT",),
    },
    parts=("DATASET/ASSET", "ANNOTATION"),
)
