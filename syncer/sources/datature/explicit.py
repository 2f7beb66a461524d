"""Items that a job names one by one: exactly these are listed, and their absence proves nothing about others."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

import msgspec

from syncer.model.errors import HttpError, NotFound, PermissionRefused, SettingsError
from syncer.model.refs import AnnotationRef, BrokenRow, Page
from syncer.net.ahead import in_order
from syncer.ports import Selection
from syncer.sources.datature.api import ID, missing_dataset
from syncer.sources.datature.documents import JOINT, Reader, Row, with_refs
from syncer.sources.datature.listing import Listing
from syncer.sources.datature.media import Media
from syncer.sources.datature.wire import Asset

#: Assets of one page.
PAGE = 100

_ASSET = msgspec.json.Decoder(Asset)


class _Missing(msgspec.Struct, frozen=True):
    """An asset that can't be listed."""

    reason: str
    #: It is not there, as far as this dataset goes.
    absent: bool = True


async def listed(
    listing: Listing, reader: Reader, select: Selection, ahead: int, media: Media | None = None
) -> AsyncGenerator[Page]:
    """Yield the named assets, or single annotations of them (`ASSET.ANNOTATION`), whatever their status, uncursored.

    Where the selection names this dataset alone, an item that it does not have is a broken row.
    """
    wanted = _wanted(select.items)
    alone = len(select.projects) == 1 and not any(sign in select.projects[0] for sign in "*?[")
    assets = list(wanted)
    for first in range(0, len(assets), PAGE):
        batch = assets[first : first + PAGE]
        jobs = (partial(_row, listing, reader, asset, media) for asset in batch)
        refs: list[AnnotationRef] = []
        broken: list[BrokenRow] = []
        async with aclosing(in_order(iter(jobs), ahead)) as rows:
            async for asset, row in rows:
                names = wanted[asset]
                if isinstance(row, _Missing):
                    broken += _owed(reader, names or {asset}, row.reason) if alone or not row.absent else ()
                    continue
                refs += [ref for ref in row.refs if not names or ref.key.item in names]
                broken += [each for each in row.broken if not names or each.key.item in names]
                present = {ref.key.item for ref in row.refs} | {each.key.item for each in row.broken}
                broken += _owed(reader, names - present, f"asset {asset} has no such annotation") if alone else ()
        yield Page(refs=tuple(refs), broken=tuple(broken))
    yield Page(end="delta")


async def _row(listing: Listing, reader: Reader, name: str, media: Media | None) -> tuple[str, Row | _Missing]:
    try:
        response = await listing.api.get(listing.api.asset(listing.dataset, name))
        asset = _ASSET.decode(response.body)
        parts = await listing.parts(name)
    except NotFound as error:
        missing = missing_dataset(listing.dataset, error)
        if isinstance(missing, HttpError):
            return name, _Missing(str(error), absent=False)
        return name, _Missing(f"dataset {listing.dataset} has no such asset")
    except PermissionRefused:
        raise
    except (HttpError, msgspec.DecodeError) as error:
        return name, _Missing(str(error), absent=False)
    if parts is None or not (parts.good or parts.bad):
        return name, _Missing("the asset has no annotations")
    row = reader.row(asset, response.body, parts)
    if media is not None:
        row = with_refs(row, (*row.refs, media.ref(reader.partition, asset, response.body)))
    return name, row


def _owed(reader: Reader, items: Sequence[str] | frozenset[str] | set[str], reason: str) -> list[BrokenRow]:
    return [BrokenRow(reader.key(*item.split(JOINT, 1)), "", reason) for item in sorted(items)]


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
