"""Inputs: scenes in requests. They tell external ids and request uids, and which scenes were invalidated."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

import msgspec

from syncer.model.errors import Forbidden, NotFound, PartitionGone, Rejected
from syncer.model.refs import PartitionKey
from syncer.net.pages import PageTokens
from syncer.sources.kognic.api import Answer, Api, Next
from syncer.sources.kognic.rows import Entry, Input

#: Most uuids of one query; the platform names no limit.
CHUNK = 200


class Detail(msgspec.Struct, frozen=True):
    """What else is known of a scene."""

    external_id: str = ""
    #: Uids of the requests that it is in, within the partition.
    requests: tuple[str, ...] = ()


#: Returns details of the scenes of a page.
Details = Callable[[Api, PartitionKey, Sequence[str]], Awaitable[Mapping[str, Detail]]]
#: Yields the invalidated scenes of a partition.
Invalidated = Callable[[Api, PartitionKey], AsyncGenerator[Sequence[Entry]]]


async def inputs_of(
    api: Api, partition: PartitionKey, scenes: Sequence[str], at: Next = None
) -> tuple[list[Input], Answer]:
    """Return one page of the inputs of a partition, of some scenes or of all.

    Raises:
        PartitionGone: the platform does not have the project or batch.
    """
    question = _question(partition)
    if scenes:
        question["sceneUuids"] = list(scenes)
    try:
        answer = await api.ask("/v2/inputs/query", question, at)
    except NotFound as error:
        raise gone(partition, error) from error
    return answer.read(list[Input]), answer


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


async def invalidated_of(api: Api, partition: PartitionKey) -> AsyncGenerator[Sequence[Entry]]:
    """Yield the invalidated scenes of a partition, page by page; nothing where the platform has no such route."""
    question = {**_question(partition), "includeInvalidated": True}
    at: Next = None
    followed = PageTokens("/v1/inputs/fetch")
    while True:
        try:
            answer = await api.ask("/v1/inputs/fetch", question, at)
        except (NotFound, Forbidden, Rejected):
            # It is deprecated: where it is gone, absence alone has to do.
            return
        yield answer.read(list[Entry])
        if answer.next is None:
            return
        at = followed.follow(answer.next)


def gone(partition: PartitionKey, error: NotFound) -> PartitionGone:
    """Return the error for a partition that answers 404: frozen, never deleted."""
    return PartitionGone(f"{partition} does not exist any more, or this account may not see it ({error})")


def _question(partition: PartitionKey) -> dict[str, object]:
    named = {"project": partition.project, "batch": partition.batch}
    return {name: value for name, value in named.items() if value is not None}
