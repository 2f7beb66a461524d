"""Listings: pages of what is finished in a partition, by annotation type or, where there are none, by input.

Both forms read one page ahead, so that a page is on its way while the one before is compared. Listings carry links
to documents, never documents.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody, Forbidden, NotFound, PartitionGone, Rejected
from syncer.model.refs import PartitionKey
from syncer.net.pages import PageTokens
from syncer.sources.kognic.api import Answer, Api, Next, segment
from syncer.sources.kognic.naming import Found
from syncer.sources.kognic.rows import Annotated, Delivered, Input, version_of
from syncer.sources.kognic.together import settled, together

#: Most uuids of one query; the platform names no limit.
CHUNK = 200
#: Parameter by which cuboids come with the axes of ISO 8855.
ISO = ("useDefaultCartesian", "true")


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a listing."""

    found: Sequence[Found]
    #: The platform's cursor of this page, and of the next one; None: there is none.
    page: Next
    after: Next
    #: Scenes whose row could not be read.
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


@dataclass(frozen=True, slots=True)
class ByType:
    """Annotations of one type, as the platform pages them."""

    api: Api
    #: Cuboids in ISO 8855.
    iso: bool = False
    paged: bool = True

    async def page(self, partition: PartitionKey, at: Next) -> Listed:
        """Return one page; see `Listing`."""
        batch = "" if partition.batch is None else f"batch/{segment(partition.batch)}/"
        kind = segment(partition.annotation_type or "")
        path = f"/v1/annotations/projects/{segment(partition.project)}/{batch}annotation-type/{kind}/search"
        params = [("cursorId", at)] if at is not None else []
        try:
            answer = await self.api.get(path, [*params, *([ISO] if self.iso else [])])
        except NotFound as error:
            raise gone(partition, error) from error
        rows, broken = _rows(answer)
        found = [Found(row.input_uuid, version_of(row.created), row.uri) for row in rows]
        return Listed(found, at, answer.next, broken, answer.response.date)


@dataclass(frozen=True, slots=True)
class ByInput:
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
        jobs = [partial(annotations_of, self.api, scene, iso=self.iso) for scene in scenes]
        rows = await together(jobs, self.read_ahead)
        found = [each for row in rows for each in row if not each.input or each.input in known]
        return Listed(found, at, answer.next, date=answer.response.date)


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


async def inputs_of(
    api: Api, partition: PartitionKey, scenes: Sequence[str], at: Next = None
) -> tuple[list[Input], Answer]:
    """Return one page of the inputs of a partition, of some scenes or of all.

    Raises:
        PartitionGone: the platform does not have the project or batch.
    """
    question: dict[str, object] = {"project": partition.project}
    if partition.batch is not None:
        question["batch"] = partition.batch
    if scenes:
        question["sceneUuids"] = list(scenes)
    try:
        answer = await api.ask("/v2/inputs/query", question, at)
    except NotFound as error:
        raise gone(partition, error) from error
    return answer.read(list[Input]), answer


@dataclass(frozen=True, slots=True)
class Detail:
    """What else is known of a scene."""

    external_id: str = ""
    #: Uids of the requests that it is in, within the partition.
    requests: tuple[str, ...] = ()


#: Returns details of the scenes of a page.
Details = Callable[[PartitionKey, Sequence[str]], Awaitable[Mapping[str, Detail]]]


async def details_of(api: Api, partition: PartitionKey, scenes: Sequence[str]) -> Mapping[str, Detail]:
    """Return external id and requests of each scene, a few hundred a request.

    Raises:
        HttpError: the platform does not answer; the hint says how to do without.
    """
    inputs: list[Input] = []
    for first in range(0, len(scenes), CHUNK):
        at: Next = None
        followed = PageTokens("/v2/inputs/query")
        while True:
            try:
                some, answer = await inputs_of(api, partition, scenes[first : first + CHUNK], at)
            except (Forbidden, Rejected) as error:
                error.hint = "`details: false` does without external ids and request uids"
                raise
            inputs += some
            if answer.next is None:
                break
            at = followed.follow(answer.next)
    found: dict[str, list[Input]] = {}
    for each in inputs:
        found.setdefault(each.scene_uuid, []).append(each)
    return {
        scene: Detail(
            next((each.scene_external_id for each in some if each.scene_external_id), ""),
            tuple(sorted({each.request_uid for each in some if each.request_uid})),
        )
        for scene, some in found.items()
    }


def gone(partition: PartitionKey, error: NotFound) -> PartitionGone:
    """Return the error for a partition that answers 404: frozen, never deleted."""
    return PartitionGone(f"{partition} does not exist any more, or this account may not see it ({error})")


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
