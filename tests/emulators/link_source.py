"""The source that reads the linking platform: listings of a thousand links, one content request an item."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import ClassVar

import msgspec
from pydantic import Field

from syncer.model.entries import Body
from syncer.model.errors import Forbidden, HttpError, ItemFailed, NotFound, SettingsError
from syncer.model.refs import AnnotationRef, Cursor, ItemKey, Page, Partition, PartitionKey
from syncer.net.options import PlatformOptions, SecretField
from syncer.ports import Features, Http, Known, Request, Selection, SourcePlugin, Tools

#: The platform's one project.
PROJECT = PartitionKey("link")


class LinkOptions(PlatformOptions):
    """Options of a platform of type `link`."""

    token: SecretField = Field(description="Bearer token of the API; content links need none.")
    page_size: int = Field(default=1000, ge=1, le=1000, description="Links of one page.")


class _Row(msgspec.Struct, frozen=True):
    id: str
    version: str
    size: int
    updated_at: int
    url: str


class _Listing(msgspec.Struct, frozen=True):
    items: list[_Row]
    removed: list[str]
    next: str | None
    edit: int
    total: int


class _At(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="v", tag=1):
    #: Where the running pass goes on.
    next: str = ""
    #: Number of the last edit when the running pass began; the next pass lists what came after it.
    start: int | None = None
    #: The running pass lists edits after this one; None: everything.
    since: int | None = None
    rest: bool = False


class _Bearer:
    """See `ports.Authenticator`; there is no newer token."""

    def __init__(self, options: LinkOptions) -> None:
        self.origins = frozenset({options.url})
        self._token = options.token

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token.reveal()}"}

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        del rejected
        return False


class LinkSource:
    """See `ports.Source`."""

    features = Features(incremental=True, inline=False, deletions=True, batch=1)
    variables: ClassVar[Mapping[str, str]] = {"number": "number of the item"}

    def __init__(self, options: LinkOptions, http: Http) -> None:
        self.shape: Mapping[str, str] = {}
        self.origin = options.url
        self.account = ""
        self._options = options
        self._http = http
        self._auth = _Bearer(options)

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield the one project."""
        for name in select.projects:
            if not fnmatchcase(PROJECT.project, name):
                message = f"no project has the id {name!r}"
                raise SettingsError(message, hint=f"the only project is {PROJECT.project!r}")
        yield Partition(PROJECT)

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List everything, or what was edited since the last pass."""
        narrowed = select is not None and bool(select.items or select.since or select.until)
        at = self._begin(since, known)
        while True:
            listing = await self._listing(at)
            start = listing.edit if at.start is None else at.start
            at = _At(listing.next or "", start, at.since, rest=listing.next is None)
            refs = tuple(_ref(partition.key, row) for row in listing.items)
            chosen = tuple(ref for ref in refs if select is None or not select.items or ref.key.item in select.items)
            full = at.since is None and not narrowed
            yield Page(
                refs=chosen,
                gone=tuple(_key(partition.key, item) for item in listing.removed),
                cursor=Cursor(msgspec.json.encode(at).decode()),
                end=None if listing.next else "full" if full else "delta",
                filtered=len(refs) - len(chosen),
                total=listing.total,
            )
            if listing.next is None:
                return

    def _begin(self, since: Cursor | None, known: Known) -> _At:
        at = _At() if since is None else msgspec.json.decode(since, type=_At)
        if not at.rest:
            return at
        return _At() if known.full or known.refetch else _At(since=at.start)

    async def _listing(self, at: _At) -> _Listing:
        params = [("limit", str(self._options.page_size)), ("cursor", at.next or "0")]
        if at.since is not None:
            params.append(("since", str(at.since)))
        request = Request(f"{self.origin}/items", params=params, auth=self._auth, expect="application/json")
        return msgspec.json.decode((await self._http.fetch(request)).body, type=_Listing)

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield each document from its link; a link that is missing or has run out is asked for again."""
        for ref in refs:
            try:
                yield await self._open(ref)
            except NotFound:
                yield ItemFailed(ref.key, "deleted upstream", origin=self.origin, gone=True)
            except HttpError as error:
                yield ItemFailed(ref.key, str(error), origin=self.origin)

    async def _open(self, ref: AnnotationRef) -> Body:
        name = ref.key.canonical()
        if ref.hint is not None:
            try:
                return Body(ref, await self._http.download(Request(ref.hint, content=True), name))
            except Forbidden:
                # The link ran out while the item waited for its turn.
                pass
        row = await self._row(ref.key.item)
        return Body(ref, await self._http.download(Request(row.url, content=True), name), version=row.version)

    async def _row(self, item: str) -> _Row:
        request = Request(f"{self.origin}/items/{item}", auth=self._auth, expect="application/json")
        return msgspec.json.decode((await self._http.fetch(request)).body, type=_Row)

    async def context(self, partition: Partition) -> AsyncGenerator[AnnotationRef]:
        """Yield nothing: there are no labels to explain."""
        nothing: tuple[AnnotationRef, ...] = ()
        for ref in nothing:
            yield ref

    async def get(self, parts: Sequence[str]) -> Body:
        """Return one document by its id."""
        if len(parts) != 1:
            message = "one part is needed: ITEM"
            raise SettingsError(message)
        return await self._open(_ref(PROJECT, await self._row(parts[0])))

    async def whoami(self) -> Mapping[str, str]:
        """Try the token."""
        await self._listing(_At())
        return {"user": "link", "version": "1"}

    async def projects(self) -> Sequence[Mapping[str, str]]:
        """Return the one project."""
        return [{"id": PROJECT.project, "title": "Link", "annotations": str((await self._listing(_At())).total)}]

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return nothing: the project has no batches."""
        return []


def _key(partition: PartitionKey, item: str) -> ItemKey:
    return ItemKey("annotation", partition.project, partition.batch, partition.annotation_type, item)


def _ref(partition: PartitionKey, row: _Row) -> AnnotationRef:
    return AnnotationRef(
        _key(partition, row.id),
        row.version,
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
        size=row.size,
        fields={"number": row.id.removeprefix("item-")},
        hint=row.url,
    )


def _create(options: LinkOptions, http: Http, tools: Tools) -> LinkSource:
    return LinkSource(options, http)


PLUGIN = SourcePlugin(
    type="link",
    title="A platform of signed links, for tests",
    options=LinkOptions,
    create=_create,
    parts=("ITEM",),
)
