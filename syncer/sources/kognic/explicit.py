"""Items that a job names one by one: exactly these are asked for, and their absence proves nothing about others."""

from collections.abc import AsyncGenerator, Sequence
from functools import partial

from syncer.model.errors import HttpError, NotFound
from syncer.model.refs import AnnotationRef, BrokenRow, ItemKey, Page, Partition
from syncer.net.ahead import together
from syncer.ports import Selection
from syncer.sources.kognic.changes import Server
from syncer.sources.kognic.documents import Documents
from syncer.sources.kognic.links import Hint
from syncer.sources.kognic.listing import annotations_of
from syncer.sources.kognic.naming import by_scene, scene_of
from syncer.sources.kognic.rows import moment

#: Items of one page: with a type, each comes with its document.
PAGE = 16


async def listed(server: Server, documents: Documents, partition: Partition, select: Selection) -> AsyncGenerator[Page]:
    """Yield the named items of one partition, without cursors.

    Where the selection names this partition alone, an item that it does not have is a broken row.
    """
    items = list(dict.fromkeys(select.items))
    key = partition.key
    ask = _of_scene if key.annotation_type is None else _of_type
    alone = all(
        len(names) == 1 and not set("*?[") & set(names[0]) if names else True
        for names in (select.projects or ("*",), select.batches, select.annotation_types)
    )
    for first in range(0, len(items), PAGE):
        batch = items[first : first + PAGE]
        found = await together([partial(ask, server, documents, partition, item) for item in batch], PAGE)
        refs = tuple(ref for some in found for ref in some)
        missing = [item for item, some in zip(batch, found, strict=True) if not some] if alone else []
        broken = tuple(
            BrokenRow(_key(partition, item), "", f"{key} has no finished annotation {item}") for item in missing
        )
        yield Page(refs=refs, broken=broken)
    yield Page(end="delta")


async def _of_type(server: Server, documents: Documents, partition: Partition, item: str) -> Sequence[AnnotationRef]:
    """Return one item with its document."""
    scene, request = scene_of(item)
    if request:
        return [ref for ref in await _of_scene(server, documents, partition, scene) if ref.key.item == item]
    try:
        data, version = await documents.single(scene, partition.key.annotation_type or "")
    except NotFound:
        return ()
    except HttpError:
        # The listing goes on without its document, which is then owed with the reason.
        return [AnnotationRef(_key(partition, item), "")]
    fields = {"scene_uuid": scene, "created": version, "day": version[:10]}
    inline = data if isinstance(data, bytes) else None
    return [AnnotationRef(_key(partition, item), version, moment(version), fields=fields, inline=inline)]


async def _of_scene(server: Server, documents: Documents, partition: Partition, item: str) -> Sequence[AnnotationRef]:
    """Return the items of a scene, or the one of a scene and request."""
    scene, request = scene_of(item)
    rows = await annotations_of(server.api, scene, iso=documents.iso)
    return [
        AnnotationRef(
            _key(partition, name),
            each.created,
            moment(each.created),
            fields={
                "scene_uuid": scene, "request_uid": each.request, "created": each.created, "day": each.created[:10],
            },
            hint=Hint(each.uri).text() if each.uri is not None else None,
        )
        for name, each in by_scene(rows)
        if request in {"", each.request}
    ]  # fmt: skip


def _key(partition: Partition, item: str) -> ItemKey:
    key = partition.key
    return ItemKey("annotation", key.project, key.batch, key.annotation_type, item)
