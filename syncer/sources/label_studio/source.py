"""Label Studio as a source: the sections of this folder behind the `Source` door."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body
from syncer.model.errors import BadBody, ItemFailed, SettingsError
from syncer.model.refs import MEDIA, AnnotationRef, Cursor, Page, Partition
from syncer.net.guard import origin_of
from syncer.net.pages import conditions
from syncer.ports import Features, Http, Known, Selection, SourcePlugin, Tools
from syncer.sources.label_studio.api import Api
from syncer.sources.label_studio.auth import TokenAuth
from syncer.sources.label_studio.changes import Changes
from syncer.sources.label_studio.cursor import Position, read_cursor
from syncer.sources.label_studio.documents import Reader
from syncer.sources.label_studio.explicit import listed, projects_of
from syncer.sources.label_studio.media import BATCH as MEDIA_BATCH
from syncer.sources.label_studio.media import WHOAMI, Media
from syncer.sources.label_studio.opening import BATCH, Opening, served
from syncer.sources.label_studio.options import LabelStudioOptions
from syncer.sources.label_studio.projects import Projects
from syncer.sources.label_studio.server import Server

_NO_BATCHES = "Label Studio projects have no batches"


class LabelStudio:
    """One user on one Label Studio server; see `ports.Source`. Sends GET, and POST to renew its token."""

    features: Features = Features(incremental=True, inline=True, deletions=True, batch=BATCH)
    variables: ClassVar[Mapping[str, str]] = {
        "project_title": "title of the project",
        "filename": "name of the first file or link in the task's data, without folders and query",
        "inner_id": "number of the task in its project, from 1",
        "created": "day on which the task was created, 2026-11-22",
    }

    def __init__(self, options: LabelStudioOptions, http: Http, tools: Tools) -> None:
        """Take the options, the way to the server, and tools; nothing is sent yet."""
        self.shape = options.shape()
        self.origin = origin_of(options.url)
        #: Known only to the server; the token is never a name.
        self.account = ""
        auth = TokenAuth(options.token, options.url, http, tools.clock)
        self._server = Server(Api(http, auth, options.url), options, tools.clock, tools.emit)
        self._projects = Projects(self._server.api)
        self._opening = Opening(self._server, self._projects, self.origin, Media(self._server, self.origin))
        batch = MEDIA_BATCH if options.media else BATCH
        self.features = replace(
            LabelStudio.features,
            batch=batch,
            media=options.media,
            unlisted=frozenset() if options.media else frozenset({MEDIA}),
        )

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield the projects that a selection names by id, title or glob, in order of id; see `ports.Source`."""
        if select.batches:
            raise SettingsError(_NO_BATCHES, hint="leave `batches` out of the selection")
        if select.annotation_types not in {(), ("*",)}:
            message = "Label Studio projects are not divided by annotation type"
            raise SettingsError(message, hint="leave `annotation_types` out of the selection")
        names: Sequence[str] = select.projects
        if select.items and not names:
            names = await projects_of(self._server, select.items)
        async with aclosing(self._projects.selected(names)) as partitions:
            async for partition in partitions:
                yield partition

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List a project's finished items from a cursor on; see `ports.Source`."""
        select = select or Selection()
        reader = await self._server.reader(partition.key.project)
        if select.items:
            pages = listed(self._server, reader, known, select)
        else:
            under = conditions(self._server.options.digest(), select)
            at = _position(read_cursor(since, under), known, reader) or Position(stage="full", under=under)
            pages = Changes(self._server, reader, known, select, at).pages()
        async with aclosing(pages):
            async for page in pages:
                yield page

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference; see `ports.Source`."""
        async with aclosing(self._opening.open(refs)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def context(self, partition: Partition) -> AsyncGenerator[AnnotationRef]:
        """Yield the project's document: label configuration and settings that explain its labels."""
        yield await self._projects.context(partition.key.project)

    async def get(self, parts: Sequence[str]) -> Body:
        """Return one annotation exactly as it is served, by its id."""
        return await served(self._server, parts)

    async def whoami(self) -> Mapping[str, str]:
        """Return who the token belongs to, the server's release and its clock."""
        user = await self._server.api.get(WHOAMI)
        release = await self._server.api.get("/api/version/")
        try:
            who = msgspec.json.decode(user.body, type=_User)
            version = msgspec.json.decode(release.body, type=_Release)
        except msgspec.DecodeError as error:
            message = f"{self._server.api.url} does not answer as a Label Studio server does"
            raise BadBody(message) from error
        answer = {"user": who.email or who.username, "id": str(who.id), "version": version.release}
        return answer | ({"clock": release.date.isoformat()} if release.date else {})

    async def projects(self) -> Sequence[Mapping[str, str]]:
        """Return a table row a project: id, title, tasks, finished tasks, annotations."""
        return await self._projects.table()

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return nothing: there are no batches here."""
        del project
        return ()


class _User(msgspec.Struct):
    id: int
    email: str = ""
    username: str = ""


class _Release(msgspec.Struct):
    release: str = ""


def _position(at: Position | None, known: Known, reader: Reader) -> Position | None:
    """Return where to go on; None: from nothing."""
    if at is None:
        return None
    if known.live == 0 and at.base + at.moved > 0 and not reader.needs_heads:
        # Items were listed up to here, and the checkpoint holds none of them: it is another one's.
        return None
    again = known.full or known.refetch or at.watermark is None
    return None if at.stage == "rest" and again else at


def create(options: LabelStudioOptions, http: Http, tools: Tools) -> LabelStudio:
    """Make the source; for the registry."""
    return LabelStudio(options, http, tools)


PLUGIN = SourcePlugin(
    type="label_studio",
    title="Label Studio: tasks with their annotations, or single annotations",
    options=LabelStudioOptions,
    create=create,
    defaults={"token": ("env:LABEL_STUDIO_API_KEY",), "url": ("env:LABEL_STUDIO_URL",)},
    parts=("ANNOTATION_ID",),
    redactions={
        "people": (
            "completed_by", "created_username", "created_by", "last_created_by", "updated_by", "annotators",
            "comment_authors", "reviewers", "reviewed_by",
        )
    },
)  # fmt: skip
