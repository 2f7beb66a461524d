"""Items that a job names one by one: exactly these are listed, and their absence proves nothing about others."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

import msgspec

from syncer.model.errors import HttpError, NotFound, PermissionRefused, SettingsError
from syncer.model.refs import AnnotationRef, BrokenRow, Page
from syncer.net.ahead import in_order
from syncer.sources.datature.api import ID, missing_dataset
from syncer.sources.datature.documents import JOINT, Reader, Row, with_refs
from syncer.sources.datature.listing import Listing
from syncer.sources.datature.media import Media
from syncer.sources.datature.wire import Asset

#: Assets of one page.
PAGE = 100

_ASSET = msgspec.json.Decoder(Asset)


async def listed(
    listing: Listing, reader: Reader, items: Sequence[str], ahead: int, media: Media | None = None
) -> AsyncGenerator[Page]:
    """Yield the named assets, or single annotations of them (`ASSET.ANNOTATION`), whatever their status, uncursored."""
    wanted = _wanted(items)
    assets = list(wanted)
    for first in range(0, len(assets), PAGE):
        jobs = (partial(_row, listing, reader, asset, media) for asset in assets[first : first + PAGE])
        refs: list[AnnotationRef] = []
        broken: list[BrokenRow] = []
        async with aclosing(in_order(iter(jobs), ahead)) as rows:
            async for row in rows:
                names = wanted[row.asset]
                chosen = [ref for ref in row.refs if not names or ref.key.item in names]
                refs += chosen
                broken += [each for each in row.broken if not names or each.key.item in names]
                absent = names - {ref.key.item for ref in row.refs} - {each.key.item for each in row.broken}
                reason = f"asset {row.asset} has no such annotation"
                broken += [
                    BrokenRow(reader.key(*name.split(JOINT, 1)), "", reason)
                    for name in sorted(absent)
                    if not row.broken
                ]
        yield Page(refs=tuple(refs), broken=tuple(broken))
    yield Page(end="delta")


async def _row(listing: Listing, reader: Reader, name: str, media: Media | None) -> Row:
    try:
        response = await listing.api.get(listing.api.asset(listing.dataset, name))
        asset = _ASSET.decode(response.body)
        parts = await listing.parts(name)
    except NotFound as error:
        missing = missing_dataset(listing.dataset, error)
        reason = f"dataset {listing.dataset} has no such asset" if not isinstance(missing, HttpError) else str(error)
        return Row(name, broken=(BrokenRow(reader.key(name), "", reason),))
    except PermissionRefused:
        raise
    except (HttpError, msgspec.DecodeError) as error:
        return Row(name, broken=(BrokenRow(reader.key(name), "", str(error)),))
    if parts is None or not (parts.good or parts.bad):
        return Row(name, broken=(BrokenRow(reader.key(name), "", "the asset has no annotations"),))
    row = reader.row(asset, response.body, parts)
    return row if media is None else with_refs(row, (*row.refs, media.ref(reader.partition, asset, response.body)))


def _wanted(items: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the annotations that are wanted of each asset; none: all of them."""
    wanted: dict[str, frozenset[str]] = {}
    for item in items:
        asset, joint, annotation = item.partition(JOINT)
        if not ID.fullmatch(asset) or (joint and not ID.fullmatch(annotation)):
            message = f"items: {item[:80]!r} names no asset of Datature"
            raise SettingsError(message, hint=f"ASSET for all of its annotations, ASSET{JOINT}ANNOTATION for one")
        before = wanted.get(asset)
        if not joint or before == frozenset():
            wanted[asset] = frozenset()
        else:
            wanted[asset] = (before or frozenset()) | {item}
    return wanted
