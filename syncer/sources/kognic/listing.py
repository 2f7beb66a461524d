"""Listings: pages of what is finished in a partition, by annotation type or, where there are none, by input.

Both forms read one page ahead, so that a page is on its way while the one before is compared. Listings carry links
to documents, never documents.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody, HttpError, NotFound
from syncer.model.refs import PartitionKey
from syncer.net.ahead import settled, together
from syncer.net.pages import PageTokens
from syncer.sources.kognic.api import Answer, Api, Next, segment
from syncer.sources.kognic.inputs import gone, inputs_of
from syncer.sources.kognic.naming import Found
from syncer.sources.kognic.rows import Annotated, Delivered, version_of

#: Parameter by which cuboids come with the axes of ISO 8855.
ISO = ("useDefaultCartesian", "true")


class Listed(msgspec.Struct, frozen=True):
    """One page of a listing."""

    found: Sequence[Found]
    #: The platform's cursor of this page, and of the next one; None: there is none.
    page: Next
    after: Next
    #: Scenes whose rows could not be read.
    broken: Sequence[str] = ()
    #: The platform's clock when it answered.
    date: datetime | None = None


class Listing(Protocol):
    """Lists one partition."""

    @property
    def paged(self) -> bool:
        """Whether a page can be asked for again to renew its links."""

    async def page(self, partition: PartitionKey, at: Next) -> Listed:
        """Return one page.

        Raises:
            PartitionGone: the platform does not have the partition.
            HttpError: it does not answer, or not in a way that can be read.
        """


async def pages(listing: Listing, partition: PartitionKey, at: Next) -> AsyncGenerator[Listed]:
    """Yield the pages of a partition from a cursor on, the next one already on its way.

    Raises:
        PartitionGone, HttpError: as `Listing.page`; also where the platform sends us in circles.
    """
    followed = PageTokens(str(partition))
    # A plain task: a task group must not be left open across a yield (PEP 789).
    ahead = asyncio.ensure_future(listing.page(partition, at))
    try:
        while True:
            page = await ahead
            if page.after is not None:
                ahead = asyncio.ensure_future(listing.page(partition, followed.follow(page.after)))
            yield page
            if page.after is None:
                return
    finally:
        await settled([ahead])


class ByType(msgspec.Struct, frozen=True):
    """Annotations of one type, as the platform pages them."""

    api: Api
    #: Cuboids in ISO 8855.
    iso: bool = False
    #: Old servers know the same listing in one piece.
    unpaged: bool = False
    paged: bool = True

    async def page(self, partition: PartitionKey, at: Next) -> Listed:
        """Return one page; see `Listing`."""
        batch = "" if partition.batch is None else f"batch/{segment(partition.batch)}/"
        kind = segment(partition.annotation_type or "")
        path = f"/v1/annotations/projects/{segment(partition.project)}/{batch}annotation-type/{kind}"
        params = [*([("cursorId", at)] if at is not None else []), *([ISO] if self.iso else [])]
        try:
            try:
                answer = await self.api.get(f"{path}/search", params)
            except NotFound:
                if not self.unpaged or at is not None:
                    raise
                answer = await self.api.get(path, params)
        except NotFound as error:
            raise gone(partition, error) from error
        rows, broken = _rows(answer)
        found = [Found(row.input_uuid, version_of(row.created), row.uri) for row in rows]
        return Listed(found, at, answer.next, broken, answer.response.date)


class ByInput(msgspec.Struct, frozen=True):
    """Annotations of all inputs, for projects that have no annotation types: a request a page, and one a scene."""

    api: Api
    #: Scenes asked side by side.
    read_ahead: int
    iso: bool = False
    #: A scene is asked again, not a page.
    paged: bool = False

    async def page(self, partition: PartitionKey, at: Next) -> Listed:
        """Return one page; see `Listing`."""
        inputs, answer = await inputs_of(self.api, partition, (), at)
        known = {each.uuid for each in inputs}
        scenes = list(dict.fromkeys(each.scene_uuid for each in inputs))
        outcomes = await together([partial(self._scene, scene) for scene in scenes], self.read_ahead)
        failed = [each for each in outcomes if isinstance(each, HttpError)]
        if failed and len(failed) == len(scenes):
            raise failed[0]
        broken = [scene for scene, each in zip(scenes, outcomes, strict=True) if isinstance(each, HttpError)]
        rows = [row for each in outcomes if not isinstance(each, HttpError) for row in each]
        found = [row for row in rows if not row.input or row.input in known]
        return Listed(found, at, answer.next, broken, answer.response.date)

    async def _scene(self, scene: str) -> Sequence[Found] | HttpError:
        """Return a scene's annotations, or why they can't be had: one scene must not end the listing of all."""
        try:
            return await annotations_of(self.api, scene, iso=self.iso)
        except HttpError as error:
            return error


async def annotations_of(api: Api, scene: str, *, iso: bool) -> list[Found]:
    """Return all finished annotations of a scene, for whichever request; none if the platform has no such scene."""
    try:
        answer = await api.get(f"/v2/scenes/{segment(scene)}/annotations", [ISO] if iso else [])
    except NotFound:
        return []
    rows = answer.read(list[Annotated])
    return [
        Found(
            row.scene_uuid,
            version_of(row.created),
            row.uri,
            row.request_uid or row.input_uuid,
            row.input_uuid,
            alone=len(rows) == 1,
        )
        for row in rows
    ]


class _Named(msgspec.Struct, rename="camel"):
    input_uuid: str


def _rows(answer: Answer) -> tuple[list[Delivered], list[str]]:
    """Return the rows of a page, and the scenes of those that can't be read.

    Raises:
        BadBody: it is no page, or has a row that does not even name its scene.
    """
    try:
        return answer.read(list[Delivered]), []
    except BadBody:
        slices = answer.read(list[Raw])
    rows: list[Delivered] = []
    broken: list[str] = []
    for raw in slices:
        try:
            rows.append(msgspec.json.decode(raw, type=Delivered))
        except (ValueError, RecursionError):
            broken.append(_scene(raw))
    return rows, broken


def _scene(raw: Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_Named).input_uuid
    except (ValueError, RecursionError) as error:
        message = f"a row of a listing names no scene: {str(error)[:200]}"
        raise BadBody(message) from error
