"""Pages of assets, alone or together with their annotations, and the annotations of one asset."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from urllib.parse import quote

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody, HttpError, NotFound, Rejected
from syncer.net.slices import RawPage, Unreadable, name_of
from syncer.sources.datature.api import Api, Params, missing_dataset
from syncer.sources.datature.cursor import Chain
from syncer.sources.datature.documents import Part, Parts, read_parts
from syncer.sources.datature.media import WITH_LINKS
from syncer.sources.datature.wire import Asset

#: Assets of a page that carries their annotations too: a few megabytes.
WITH_OBJECTS = 500
#: Annotations of one page, for one asset.
PARTS = 1000


class Listed(msgspec.Struct, frozen=True):
    """One asset of a page."""

    #: Id, also where the rest can't be read.
    id: str
    asset: Asset | None
    raw: bytes = b""
    #: Its annotations, where the page carries all of them.
    parts: Parts | None = None


class AssetPage(msgspec.Struct, frozen=True):
    """A page of assets."""

    assets: list[Listed]
    #: Token of this page, and of the next.
    token: str | None
    next: str | None
    date: datetime | None


class _Both(msgspec.Struct):
    asset: Raw
    objects: list[Raw]


class _Child(msgspec.Struct):
    kind: str
    resource: Raw


class _Count(msgspec.Struct):
    count: int


class _Condition(msgspec.Struct):
    status: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] = []  # msgspec copies defaults


class _Session(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


_ASSET = msgspec.json.Decoder(Asset)
_BOTH = msgspec.json.Decoder(_Both)
_CHILD = msgspec.json.Decoder(_Child)
_SESSION = msgspec.json.Decoder(_Session)
_COUNT = msgspec.json.Decoder(_Count | int)


class NotTogether(BadBody):
    """Assets are not served together with their annotations here, or not in a form that can be trusted."""


class Listing(msgspec.Struct, frozen=True):
    """Reads one dataset, or one folder of it."""

    api: Api
    dataset: str
    page_size: int
    folder: str | None = None
    #: Ask for links to the files of assets, too.
    links: bool = False

    async def assets(self, chain: Chain, token: str | None) -> AsyncGenerator[AssetPage]:
        """Yield pages of assets from a token on.

        Raises:
            NotTogether: the chain is "objects", and is not served.
            PartitionGone: the dataset is gone.
        """
        path, params = self._question(chain)
        try:
            async with aclosing(self.api.pages(path, params, token)) as pages:
                async for page in pages:
                    yield AssetPage(self._listed(chain, page), token, page.next, page.date)
                    token = page.next
        except HttpError as error:
            if chain == "objects" and not isinstance(error, NotTogether):
                raise NotTogether(str(error)) from error
            if isinstance(error, NotFound):
                raise missing_dataset(self.dataset, error) from error
            raise

    async def parts(self, asset: str) -> Parts | None:
        """Return all annotations of an asset; None if it does not exist any more.

        Raises:
            HttpError: they can't be had now.
        """
        good: list[Part] = []
        bad: list[str] = []
        path = f"{self.api.asset(self.dataset, asset)}/annotations"
        try:
            async with aclosing(self.api.pages(path, [("s", str(PARTS))])) as pages:
                async for page in pages:
                    parts = read_parts(page.rows)
                    good += parts.good
                    bad += parts.bad
        except NotFound as error:
            # Gone between two requests: deleted, unless the dataset is, which the next page of assets tells.
            missing = missing_dataset(self.dataset, error)
            if isinstance(missing, HttpError):
                raise missing from error
            return None
        return Parts(good, bad)

    async def count(self) -> int | None:
        """Return how many assets there are by the platform's count; None where it does not say."""
        if self.folder is not None:
            return None
        try:
            response = await self.api.get(f"{self.api.dataset(self.dataset)}/assets:count")
            count = _COUNT.decode(response.body)
        except (NotFound, Rejected, msgspec.DecodeError):
            return None
        return count if isinstance(count, int) else count.count

    async def importing(self) -> bool:
        """Tell whether annotations are being imported: what is missing now may be on its way."""
        try:
            path = f"{self.api.dataset(self.dataset)}/annotationImportSessions"
            async with aclosing(self.api.pages(path, [("s", "100")])) as pages:
                async for page in pages:
                    if any(_runs(row) for row in page.rows):
                        return True
        except (NotFound, Rejected, Unreadable):
            # Not every organization has sessions; without them nothing is imported.
            return False
        return False

    def _question(self, chain: Chain) -> tuple[str, Params]:
        dataset = self.api.dataset(self.dataset)
        links = [WITH_LINKS] if self.links else []
        if self.folder is not None:
            params = [("childType", "Asset"), ("s", str(self.page_size)), *links]
            return f"{dataset}/folders/{quote(self.folder, safe='')}/children", params
        if chain == "objects":
            return f"{dataset}/assetsWithObjects", [("s", str(min(self.page_size, WITH_OBJECTS))), *links]
        return f"{dataset}/assets", [("s", str(self.page_size)), *links]

    def _listed(self, chain: Chain, page: RawPage) -> list[Listed]:
        if self.folder is not None:
            return [_asset(row) for row in _resources(page.rows)]
        return [_both(row) for row in page.rows] if chain == "objects" else [_asset(row) for row in page.rows]


def _asset(row: bytes) -> Listed:
    try:
        asset = _ASSET.decode(row)
    except (ValueError, RecursionError) as error:
        name = name_of(row, "assetId")
        if not name:
            raise Unreadable(f"a row of the assets can't be read: {str(error)[:200]}") from error
        return Listed(name, None)
    return Listed(asset.asset_id, asset, row)


def _both(row: bytes) -> Listed:
    """Read an asset with its annotations, which count only if there are as many as the asset says."""
    try:
        both = _BOTH.decode(row)
        listed = _asset(bytes(both.asset))
    except (ValueError, RecursionError, Unreadable) as error:
        raise NotTogether(f"an asset with its annotations can't be read: {str(error)[:200]}") from error
    parts = read_parts([bytes(each) for each in both.objects])
    proven = listed.asset is not None and not parts.bad and len(parts.good) == listed.asset.total
    return Listed(listed.id, listed.asset, listed.raw, parts if proven else None)


def _resources(rows: Sequence[bytes]) -> list[bytes]:
    try:
        children = [_CHILD.decode(row) for row in rows]
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the contents of a folder can't be read: {str(error)[:200]}") from error
    return [bytes(child.resource) for child in children if child.kind == "Asset"]


def _runs(row: bytes) -> bool:
    try:
        states = [condition.status for condition in _SESSION.decode(row).status.conditions]
    except (ValueError, RecursionError):
        return True
    return "Waiting" in states and "FailedReach" not in states
