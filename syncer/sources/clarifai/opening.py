"""Documents by their keys: annotations in pairs of input and annotation id, inputs in groups."""

from collections.abc import AsyncGenerator, Callable, Sequence
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body
from syncer.model.errors import HttpError, ItemFailed, NotFound, PartitionGone, Rejected, SettingsError
from syncer.model.refs import CONTEXT, AnnotationRef, BrokenRow, ItemKey, Withdrawal
from syncer.sources.clarifai.api import Api, is_own_word
from syncer.sources.clarifai.apps import Apps
from syncer.sources.clarifai.documents import Input, Item, member_of
from syncer.sources.clarifai.listing import PAIRS, Listing
from syncer.sources.clarifai.rows import Row, item_of, parts_of

#: A listed item, and what was asked about a failed one.
Opened = Body | ItemFailed


class Opening(msgspec.Struct, frozen=True):
    """Opens references of any app, any batch and any age."""

    #: Makes what lists an app's batch, where items are of a kind.
    listing: Callable[[str, str | None, str], Listing]
    apps: Apps
    #: For messages.
    origin: str

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Opened]:
        """Yield one body or failure for each reference."""
        groups: dict[tuple[str, str | None, str], list[AnnotationRef]] = {}
        for ref in refs:
            key = ref.key
            if key.kind in {"input", CONTEXT} or (key.kind == "annotation" and parts_of(key.item)):
                groups.setdefault((key.project, key.batch, key.kind), []).append(ref)
            else:
                yield self._failed(key, "not an item of this platform", gone=True)
        for (project, batch, kind), members in groups.items():
            for first in range(0, len(members), PAIRS):
                some = members[first : first + PAIRS]
                try:
                    outcomes = await self._batch(project, batch, kind, some)
                except (HttpError, PartitionGone) as error:
                    outcomes = [self._failed(ref.key, str(error)) for ref in some]
                for outcome in outcomes:
                    yield outcome

    async def _batch(self, project: str, batch: str | None, kind: str, refs: Sequence[AnnotationRef]) -> list[Opened]:
        if kind == CONTEXT:
            concepts = await self.apps.concepts(project)
            return [_body(concepts) for _ in refs]
        listing = self.listing(project, batch, kind)
        if kind == "input":
            items = await inputs_named(listing, [ref.key.item for ref in refs])
        else:
            rows = await annotations_named(listing, [ref.key.item for ref in refs])
            items = {item_of(row.input, row.id): listing.reader.item(row, inline=True) for row in rows}
        return [self._outcome(ref.key, items.get(ref.key.item)) for ref in refs]

    def _outcome(self, key: ItemKey, item: Item | None) -> Opened:
        if item is None:
            return self._failed(key, "deleted upstream", gone=True)
        if isinstance(item, BrokenRow):
            return self._failed(key, item.reason)
        if isinstance(item, Withdrawal):
            # It leaves the owed ones; if it was stored before, the next listing of changes withdraws it.
            return self._failed(key, f"not finished any more: {item.reason}", gone=True)
        return _body(item)

    def _failed(self, key: ItemKey, reason: str, *, gone: bool = False) -> ItemFailed:
        return ItemFailed(key, reason, origin=self.origin, gone=gone)


async def annotations_named(listing: Listing, items: Sequence[str]) -> list[Row]:
    """Return the rows of annotations by their item ids, as far as there are any.

    Raises:
        PartitionGone, HttpError: they can't be had now.
    """
    pairs = [pair for item in items if (pair := parts_of(item)) is not None]
    return await _among(listing, pairs)


async def inputs_named(listing: Listing, items: Sequence[str]) -> dict[str, Item]:
    """Return what inputs mean by their item ids, as far as there are any.

    Raises:
        PartitionGone, HttpError: they can't be had now.
    """
    names = [unquoted[0] for item in items if (unquoted := parts_of(f"{item}.-")) is not None]
    found = await listing.whole([Input(name) for name in dict.fromkeys(names)])
    if not found:
        return {}
    group = await listing.group(found)
    by_input: dict[str, list[Row]] = {each.id: [] for each in group.inputs}
    for row in group.rows:
        by_input.setdefault(row.input, []).append(row)
    documents = [listing.reader.document(each, by_input[each.id]) for each in group.inputs]
    return {document.key.item: document for document in documents}


async def served(api: Api, app: str | None, parts: Sequence[str]) -> Body:
    """Return one annotation exactly as the platform serves it: INPUT_ID ANNOTATION_ID, or APP in front of them.

    Raises:
        SettingsError: the parts are not these, or there is no such annotation.
    """
    *where, input_id, annotation = parts if len(parts) in {2, 3} else ("", "")
    project = where[0] if where else app
    if not input_id or not annotation:
        message = "Clarifai needs two parts: INPUT_ID and ANNOTATION_ID"
        raise SettingsError(message, hint="for example: syncer get clarifai 140c856dc82565d2 5f6a2f9c --set app=cars")
    if not project:
        message = "in which app? Neither the option `app` nor CLARIFAI_APP_ID says so"
        raise SettingsError(message, hint="add --set app=APP, or put the app in front: APP INPUT_ID ANNOTATION_ID")
    try:
        response = await api.get(_single(api, project, input_id, annotation))
    except NotFound as error:
        if not is_own_word(error):
            raise
        message = f"app {project} has no annotation {annotation} of input {input_id}, or this key may not see it"
        raise SettingsError(message) from error
    key = ItemKey("annotation", project, None, None, item_of(input_id, annotation))
    return Body(AnnotationRef(key, ""), member_of(response.body, "annotation"))


async def _among(listing: Listing, pairs: Sequence[tuple[str, str]]) -> list[Row]:
    """Return annotations in one request; where the platform refuses the list for one of them, the halves of it."""
    if not pairs:
        return []
    if len(pairs) == 1:
        return await _alone(listing, pairs[0])
    try:
        return await listing.pairs(pairs)
    except (PartitionGone, Rejected):
        middle = len(pairs) // 2
        return [*await _among(listing, pairs[:middle]), *await _among(listing, pairs[middle:])]


async def _alone(listing: Listing, pair: tuple[str, str]) -> list[Row]:
    try:
        return await listing.pairs([pair])
    except (PartitionGone, Rejected):
        path = _single(listing.api, listing.reader.project, *pair)
    try:
        response = await listing.api.get(path)
    except NotFound as error:
        if not is_own_word(error):
            raise
        # Only where the app is still there is the annotation gone, and not everything.
        await listing.read(listing.path, (), lambda _: [])
        return []
    return [listing.reader.row(member_of(response.body, "annotation"))]


def _single(api: Api, app: str, input_id: str, annotation: str) -> str:
    return f"{api.path(app)}/inputs/{quote(input_id, safe='')}/annotations/{quote(annotation, safe='')}"


def _body(ref: AnnotationRef) -> Body:
    return Body(replace(ref, inline=None), ref.inline or b"", ref.media_type, ref.version)
