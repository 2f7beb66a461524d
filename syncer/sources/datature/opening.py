"""Documents by their keys: an annotation through its asset, an asset with all of its own."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body
from syncer.model.errors import HttpError, ItemFailed, NotFound, PartitionGone, SettingsError
from syncer.model.refs import CONTEXT, FILES, MEDIA, AnnotationRef, ItemKey
from syncer.net.ahead import in_order
from syncer.sources.datature.api import ID, Api, detail_of, missing_dataset
from syncer.sources.datature.datasets import Datasets
from syncer.sources.datature.documents import JOINT, Parts, Reader, read_part
from syncer.sources.datature.exports import Exports
from syncer.sources.datature.listing import Listing
from syncer.sources.datature.media import Media
from syncer.sources.datature.options import DatatureOptions
from syncer.sources.datature.wire import Asset

#: References of one call: as many requests, side by side.
BATCH = 32

#: A listed item, and what was asked about a failed one.
Opened = Body | ItemFailed

_ASSET = msgspec.json.Decoder(Asset)


class Opening(msgspec.Struct, frozen=True):
    """Opens references of any dataset and any age."""

    api: Api
    datasets: Datasets
    options: DatatureOptions
    #: For messages.
    origin: str
    media: Media
    exports: Exports

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Opened]:
        """Yield one body or failure for each reference."""
        jobs = (partial(self._open, ref) for ref in refs)
        async with aclosing(in_order(iter(jobs), BATCH)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def served(self, parts: Sequence[str]) -> Body:
        """Return one document as it is served: `DATASET/ASSET ANNOTATION`, or without an annotation the asset.

        Raises:
            SettingsError: the parts are not that, or there is no such thing.
        """
        dataset, slash, asset = parts[0].partition("/") if parts else ("", "", "")
        if not slash or not 1 <= len(parts) <= 2:  # noqa: PLR2004  # DATASET/ASSET and ANNOTATION
            message = (
                "Datature needs DATASET/ASSET for an asset, and an ANNOTATION behind it for one of its annotations"
            )
            raise SettingsError(message, hint="for example: syncer get datature ds0001/asset-1 annot-1")
        dataset = self.api.short(dataset)
        path = self.api.asset(dataset, asset)
        item = asset
        if len(parts) > 1:
            item = f"{asset}{JOINT}{parts[1]}"
            if not ID.fullmatch(parts[1]):
                message = f"{parts[1][:80]!r} is not the id of an annotation, which has only letters, digits, _ and -"
                raise SettingsError(message)
            path += f"/annotations/{parts[1]}"
        try:
            body = (await self.api.get(path)).body
        except NotFound as error:
            what = f"asset {asset} has no annotation {parts[1]}" if len(parts) > 1 else f"there is no asset {asset}"
            said = f"the platform says: {detail_of(error)}" if detail_of(error) else None
            message = f"{what} in dataset {dataset}, or this key may not see it"
            raise SettingsError(message, hint=said) from error
        kind = "annotation" if len(parts) > 1 else "asset"
        return Body(AnnotationRef(ItemKey(kind, dataset, None, None, item), ""), body)

    async def _open(self, ref: AnnotationRef) -> Opened:
        key = ref.key
        if not _is_ours(key):
            return self._failed(key, "not an item of this platform", gone=True)
        try:
            if key.kind in FILES:
                return await (self.media.open(ref) if key.kind == MEDIA else self.exports.open(ref))
            if key.kind == CONTEXT:
                return _body(await self.datasets.context(key.project), ref)
            return await (self._single(ref) if key.kind == "annotation" else self._asset(ref))
        except NotFound as error:
            gone = isinstance(missing_dataset(key.project, error), PartitionGone)
            return self._failed(key, "deleted upstream" if gone else str(error), gone=gone)
        except (HttpError, PartitionGone) as error:
            return self._failed(key, str(error))

    async def _single(self, ref: AnnotationRef) -> Opened:
        asset, _, annotation = ref.key.item.partition(JOINT)
        path = f"{self.api.asset(ref.key.project, asset)}/annotations/{annotation}"
        response = await self.api.get(path)
        try:
            part = read_part(response.body)
        except (ValueError, RecursionError) as error:
            return self._failed(ref.key, f"it can't be read: {str(error)[:200]}")
        fields = ref.fields or {"asset": asset}
        named = replace(ref, version=part.version, updated_at=part.updated_at, fields=fields, inline=None)
        return Body(named, part.data, ref.media_type, part.version)

    async def _asset(self, ref: AnnotationRef) -> Opened:
        listing = Listing(self.api, ref.key.project, self.options.page_size)
        parts = await listing.parts(ref.key.item)
        if parts is None:
            return self._failed(ref.key, "deleted upstream", gone=True)
        if parts.bad:
            return self._failed(ref.key, "a row of its annotations can't be read")
        if self.options.granularity == "annotation":
            # It was owed as a whole because nobody knew its annotations; now they are listed one by one.
            return self._failed(ref.key, "its annotations can be listed again", gone=True)
        if not parts.good:
            return self._failed(ref.key, "it has no annotations any more", gone=True)
        response = await self.api.get(self.api.asset(ref.key.project, ref.key.item))
        try:
            asset = _ASSET.decode(response.body)
        except (ValueError, RecursionError) as error:
            return self._failed(ref.key, f"it can't be read: {str(error)[:200]}")
        row = Reader(ref.key.partition, "asset").row(asset, response.body, Parts(parts.good))
        return _body(row.refs[0], ref)

    def _failed(self, key: ItemKey, reason: str, *, gone: bool = False) -> ItemFailed:
        return ItemFailed(key, reason, origin=self.origin, gone=gone)


def _is_ours(key: ItemKey) -> bool:
    """Tell whether a key names something here: nothing else is ever put into a path."""
    asset, joint, annotation = key.item.partition(JOINT)
    if key.kind == CONTEXT:
        return bool(ID.fullmatch(key.project))
    if key.kind not in {"annotation", "asset", *FILES} or bool(joint) != (key.kind == "annotation"):
        return False
    return all(ID.fullmatch(name) for name in (key.project, asset, *([annotation] if joint else [])))


def _body(found: AnnotationRef, asked: AnnotationRef) -> Body:
    return Body(replace(found, key=asked.key, inline=None), found.inline or b"", found.media_type, found.version)
