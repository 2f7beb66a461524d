"""Items that a job names one by one: exactly these are listed, and their absence proves nothing about others."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

import msgspec
from msgspec.structs import replace

from syncer.model.errors import BadBody, NotFound, SettingsError
from syncer.model.refs import BrokenRow, ItemKey, Page
from syncer.net.ahead import in_order
from syncer.ports import Known, Selection
from syncer.sources.label_studio.documents import Reader
from syncer.sources.label_studio.opening import BATCH, annotation
from syncer.sources.label_studio.queries import TASKS
from syncer.sources.label_studio.rows import Row, page_of
from syncer.sources.label_studio.server import Server


class _Owner(msgspec.Struct):
    project: int


async def listed(server: Server, reader: Reader, known: Known, select: Selection) -> AsyncGenerator[Page]:
    """Yield the named items of one project, without cursors.

    Where the selection names this project alone, an item that it does not have is a broken row.
    """
    numbers = _numbers(select.items)
    alone = len(select.projects) == 1 and select.projects[0].isdecimal()
    for first in range(0, len(numbers), BATCH):
        batch = numbers[first : first + BATCH]
        rows = await _rows(server, reader, known, batch)
        asked = [item.key for row in rows for item in (*row.others, *row.lost)]
        page = page_of(rows, await known.has(asked) if asked else frozenset())
        if alone:
            present = {key for row in rows for key in row.keys}
            keys = [ItemKey(reader.kind, reader.project, None, None, str(number)) for number in batch]
            reason = f"project {reader.project} has no such {reader.kind}"
            missing = tuple(BrokenRow(key, "", reason) for key in keys if key not in present)
            page = replace(page, broken=page.broken + missing)
        yield page
    yield Page(end="delta")


async def projects_of(server: Server, items: Sequence[str]) -> list[str]:
    """Return the ids of the projects that hold the items; one or two requests a project where items are tasks.

    Raises:
        SettingsError: some item does not exist.
    """
    left = _numbers(items)
    if server.options.granularity == "annotation":
        jobs = (partial(_owner, server, number) for number in left)
        async with aclosing(in_order(jobs, server.options.read_ahead)) as owners:
            return [str(project) for project in sorted({owner async for owner in owners})]
    found: set[int] = set()
    while left:
        project = await _owner(server, left[0])
        listing = server.lean(await server.reader(str(project)))
        batches = [left[first : first + BATCH] for first in range(0, len(left), BATCH)]
        here = {row.id for batch in batches for row in await listing.among(batch)}
        found.add(project)
        left = [number for number in left[1:] if number not in here]
    return [str(project) for project in sorted(found)]


async def _rows(server: Server, reader: Reader, known: Known, batch: Sequence[int]) -> list[Row]:
    if reader.kind == "task":
        fresh = known.live == 0 or known.refetch
        return await (server.whole if fresh else server.lean)(reader).among(batch)
    jobs = (partial(annotation, server, reader, str(number)) for number in batch)
    async with aclosing(in_order(jobs, server.options.read_ahead)) as rows:
        return [row async for row in rows if row is not None]


async def _owner(server: Server, number: int) -> int:
    kind = server.options.granularity
    path = f"{TASKS}{number}/" if kind == "task" else f"/api/annotations/{number}/"
    params = [("include", "id,project")] if kind == "task" else []
    try:
        return msgspec.json.decode((await server.api.get(path, params)).body, type=_Owner).project
    except NotFound as error:
        message = f"{server.api.url} has no {kind} {number}, or this user may not see it"
        raise SettingsError(message, hint="check the ids in `items`") from error
    except msgspec.DecodeError as error:
        message = f"{kind} {number} can't be read"
        raise BadBody(message) from error


def _numbers(items: Sequence[str]) -> list[int]:
    """Return ids as numbers, each once, ascending.

    Raises:
        SettingsError: one is no number.
    """
    wrong = next((item for item in items if not item.isdecimal()), None)
    if wrong is not None:
        message = f"items: {wrong[:80]!r} is not an id of Label Studio, which are numbers"
        raise SettingsError(message)
    return sorted({int(item) for item in items})
