"""Pages of assets, and the annotations of many assets at once."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from syncer.model.errors import NotFound
from syncer.net.slices import Unreadable
from syncer.sources.nexus.api import Api, missing_project, project_path
from syncer.sources.nexus.documents import Asset

_ASSET = msgspec.json.Decoder(Asset)


class AssetPage(msgspec.Struct, frozen=True):
    """A page of assets, its token, and that of the next."""

    assets: Sequence[Asset]
    token: str | None
    next: str | None


class Listing(msgspec.Struct, frozen=True):
    """Reads one project, or one group of its assets."""

    api: Api
    project: str
    page_size: int
    attributes: bool
    group: str | None = None

    async def assets(self, token: str | None) -> AsyncGenerator[AssetPage]:
        """Yield pages of assets from a token on.

        Raises:
            PartitionGone: the project is gone.
        """
        params = [("limit", str(self.page_size)), *([("group[]", self.group)] if self.group is not None else [])]
        try:
            async with aclosing(self.api.pages(f"{project_path(self.project)}/assets", params, token)) as pages:
                async for page in pages:
                    yield AssetPage([_asset(row) for row in page.rows], token, page.next)
                    token = page.next
        except NotFound as error:
            raise missing_project(self.project, error) from error

    async def annotations(self, assets: Sequence[Asset]) -> list[bytes]:
        """Return the rows of all annotations of some assets.

        Raises:
            HttpError: they can't be had now.
        """
        params = [("limit", str(self.page_size)), ("includeAttributes", str(self.attributes).lower())]
        params += [("assetId[]", asset.id) for asset in assets]
        rows: list[bytes] = []
        try:
            async with aclosing(self.api.pages(f"{project_path(self.project)}/annotations", params)) as pages:
                async for page in pages:
                    rows += page.rows
        except NotFound as error:
            raise missing_project(self.project, error) from error
        return rows


def _asset(row: bytes) -> Asset:
    try:
        return _ASSET.decode(row)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"a row of the assets can't be read: {str(error)[:200]}") from error
