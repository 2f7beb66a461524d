"""Items that a job names one by one: exactly these are listed, and their absence proves nothing about others."""

from collections.abc import AsyncGenerator

from msgspec.structs import replace

from syncer.model.errors import SettingsError
from syncer.model.refs import BrokenRow, Page
from syncer.ports import Known, Selection
from syncer.sources.clarifai.documents import UNREAD, page_of
from syncer.sources.clarifai.listing import PAIRS, Listing
from syncer.sources.clarifai.opening import annotations_named, inputs_named
from syncer.sources.clarifai.rows import item_of, parts_of


async def listed(listing: Listing, known: Known, select: Selection) -> AsyncGenerator[Page]:
    """Yield the named items of one app, without cursors.

    Where the selection names this app alone, an item that it does not have is a broken row.

    Raises:
        SettingsError: a name that can't be an item.
        PartitionGone, HttpError: they can't be had now.
    """
    reader = listing.reader
    names = [_named(item, reader.kind) for item in dict.fromkeys(select.items)]
    alone = len(select.projects) == 1
    for first in range(0, len(names), PAIRS):
        some = names[first : first + PAIRS]
        if reader.kind == "input":
            items = list((await inputs_named(listing, some)).values())
        else:
            items = [reader.item(row, inline=True) for row in await annotations_named(listing, some)]
        page = await page_of(items, known)
        if alone:
            present = {item.key.item for item in items}
            reason = f"app {reader.project} has no such {reader.kind}"
            missing = tuple(BrokenRow(reader.key(name), UNREAD, reason) for name in some if name not in present)
            page = replace(page, broken=page.broken + missing)
        yield page
    yield Page(end="delta")


def _named(item: str, kind: str) -> str:
    """Return an item's id: as it stands in keys and file names, or `INPUT/ANNOTATION` for people.

    Raises:
        SettingsError: it is neither.
    """
    first, slash, second = item.partition("/")
    if kind == "annotation" and slash:
        return item_of(first, second)
    if kind == "annotation" and parts_of(item) is None:
        message = f"items: {item[:80]!r} names no annotation"
        raise SettingsError(message, hint="write INPUT_ID/ANNOTATION_ID: annotation ids are only unique in an input")
    return item
