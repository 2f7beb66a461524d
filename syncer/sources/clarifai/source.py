"""Clarifai as a source: the sections of this folder behind the `Source` door."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import ClassVar

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed, SettingsError, UnknownName
from syncer.model.refs import AnnotationRef, Cursor, Page, Partition
from syncer.net.guard import origin_of
from syncer.net.pages import conditions
from syncer.ports import Features, Http, Known, Selection, SourcePlugin, Tools
from syncer.sources.clarifai.api import Api
from syncer.sources.clarifai.apps import Apps
from syncer.sources.clarifai.auth import KeyAuth
from syncer.sources.clarifai.batches import scope_of
from syncer.sources.clarifai.changes import Changes
from syncer.sources.clarifai.cursor import Position, read_cursor
from syncer.sources.clarifai.documents import Choice, Reader
from syncer.sources.clarifai.explicit import listed
from syncer.sources.clarifai.listing import PAIRS, Listing, Sizes
from syncer.sources.clarifai.opening import Opening, served
from syncer.sources.clarifai.options import ClarifaiOptions


class Clarifai:
    """The apps of one user, seen with one key; see `ports.Source`. Sends GET, and POST to search."""

    features = Features(incremental=True, inline=True, deletions=True, batch=PAIRS)
    variables: ClassVar[Mapping[str, str]] = {
        "batch": "the batch as it was selected, where batches are",
        "project_title": "name of the app",
        "input_id": "id of the input",
        "annotation_id": "id of the annotation, where items are annotations",
        "created": "day on which the annotation or input was created, 2026-11-22",
        "filename": "name of the input's file, where items are inputs and it has one",
    }

    def __init__(self, options: ClarifaiOptions, http: Http, tools: Tools) -> None:
        """Take the options, the way to the platform, and tools; nothing is sent yet."""
        self.shape = options.shape()
        self.origin = origin_of(options.url)
        self.account = options.user
        self._options = options
        self._tools = tools
        self._api = Api(http, KeyAuth(options.token, options.url, options.media_url), options.url, options.user)
        self._apps = Apps(self._api)
        self._opening = Opening(self._listing, self._apps, self.origin)

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield the apps, or the batches of each, that a selection names, in order of id; see `ports.Source`."""
        if select.annotation_types not in {(), ("*",)}:
            message = "Clarifai apps are not divided by annotation type"
            raise SettingsError(message, hint="leave `annotation_types` out of the selection")
        names: Sequence[str] = select.projects
        if select.items and not names:
            if self._options.app is None:
                raise SettingsError("items of which app?", hint="name it: --project APP")
            names = (self._options.app,)
        unknown: list[UnknownName] = []
        async with aclosing(self._apps.selected(names)) as apps:
            try:
                async for app, title in apps:
                    try:
                        async for partition in self._apps.partitions(app, title, select.batches):
                            yield partition
                    except UnknownName as error:
                        unknown.append(error)
            except UnknownName as error:
                unknown.append(error)
        if unknown:
            every = tuple(name for error in unknown for name in error.names)
            raise UnknownName("; ".join(map(str, unknown)), names=every, hint=unknown[0].hint)

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List a partition's finished items from a cursor on; see `ports.Source`."""
        select = select or Selection()
        listing = self._listing(partition.key.project, partition.key.batch, self._options.granularity)
        if select.items:
            pages = listed(listing, known, select)
        else:
            under = conditions(self._options.digest(), select)
            fresh = Position(stage="full" if select.since is None else "delta", under=under)
            at = _position(read_cursor(since, under), known) or fresh
            pages = Changes(listing, self._options, known, select, at).pages()
        async with aclosing(pages):
            async for page in pages:
                yield page

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference; see `ports.Source`."""
        async with aclosing(self._opening.open(refs)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def context(self, partition: Partition) -> AsyncGenerator[AnnotationRef]:
        """Yield the concepts of the app: what its labels are drawn from."""
        yield await self._apps.concepts(partition.key.project)

    async def get(self, parts: Sequence[str]) -> Body:
        """Return one annotation exactly as it is served, by its input's id and its own."""
        return await served(self._api, self._options.app, parts)

    async def whoami(self) -> Mapping[str, str]:
        """Return whose apps these are, and the platform's clock; the key must be able to list them."""
        response = await self._api.get(self._api.path(), [("page", "1"), ("per_page", "1")])
        answer = {"user": self._options.user, "version": "v2"}
        return answer | ({"clock": response.date.isoformat()} if response.date else {})

    async def projects(self) -> Sequence[Mapping[str, str]]:
        """Return a table row an app: id, title, description."""
        return await self._apps.table()

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return a table row a dataset and a task of an app."""
        return await self._apps.batches(project)

    def _listing(self, project: str, batch: str | None, kind: str) -> Listing:
        reader = Reader(project, scope_of(batch), Choice.of(self._options), kind)
        return Listing(self._api, reader, Sizes(self._options.page_size), self._tools.emit)


def _position(at: Position | None, known: Known) -> Position | None:
    """Return where to go on; None: from nothing."""
    if at is None:
        return None
    if known.live == 0 and at.listed > 0:
        # Items were listed up to here, and the checkpoint holds none of them: it is another one's.
        return None
    again = known.full or known.refetch or at.watermark is None
    return None if at.stage == "rest" and again else at


def create(options: ClarifaiOptions, http: Http, tools: Tools) -> Clarifai:
    """Make the source; for the registry."""
    return Clarifai(options, http, tools)


PLUGIN = SourcePlugin(
    type="clarifai",
    title="Clarifai: single annotations, or inputs with their annotations",
    options=ClarifaiOptions,
    create=create,
    defaults={
        "token": ("env:CLARIFAI_PAT",),
        "user": ("env:CLARIFAI_USER_ID",),
        "app": ("env:CLARIFAI_APP_ID",),
        "url": ("env:CLARIFAI_API_BASE",),
    },
    parts=("INPUT_ID", "ANNOTATION_ID"),
    redactions={"people": ("worker", "author", "/user_id", "/annotations/*/user_id")},
)
