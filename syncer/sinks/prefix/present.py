"""What lies where an item is about to be replaced or removed: ours, nobody's, or what another tool put there.

Objects in a bucket say what wrote them: the sha256 among their metadata is our mark. What does not carry it may still
have the bytes that were stored (a copy of the bucket lost the metadata); anything else is somebody's work, and stays.
A mark with a later epoch than ours is a successor's, and ends this writer. A local file carries no mark, so that one
which a dead run wrote could not be told from another's: `verify` compares.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
from anyio import create_task_group, to_thread

from syncer.model.entries import StoredRow
from syncer.model.errors import Exit, LegFailed, SyncerError, TooLarge
from syncer.ports import BlobInfo, Blobs
from syncer.sinks.prefix.mark import Mark, fenced

#: Objects asked for at a time.
_ASKERS = 16
#: Names in a message.
_FEW = 3


class Present(msgspec.Struct, frozen=True):
    """What was found at the places of some rows."""

    #: Tags of all objects that are there, by name.
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    #: Names where nothing is any more.
    absent: Sequence[str] = ()
    #: Names of objects that are not ours.
    foreign: Sequence[str] = ()


async def look(blobs: Blobs, rows: Sequence[StoredRow], mark: Mark) -> Present:
    """Ask for the objects of rows, one small request each, several at a time.

    Raises:
        Fenced: a successor wrote one of them.
        SyncerError, OSError: as the store does; the first one of several.
    """
    infos: dict[str, BlobInfo | None] = {}
    foreign: set[str] = set()
    failed: list[Exception] = []
    waiting = iter(rows)

    async def work() -> None:
        try:
            for row in waiting:
                infos[row.path] = info = await blobs.stat(row.path)
                if info is not None and mark.outdated(info.metadata):
                    raise fenced(blobs.url, row.path, mark.epoch)
                if info is not None and not await _ours(blobs, info, row):
                    foreign.add(row.path)
        except (SyncerError, OSError) as error:
            failed.append(error)
            askers.cancel_scope.cancel()

    async with create_task_group() as askers:
        for _ in range(min(len(rows), _ASKERS)):
            askers.start_soon(work)
    if failed:
        raise failed[0]
    tags = {name: info.tag for name, info in infos.items() if info is not None}
    absent = [name for name, info in infos.items() if info is None]
    return Present(tags, absent, sorted(foreign))


async def _ours(blobs: Blobs, info: BlobInfo, row: StoredRow) -> bool:
    mark = (info.metadata or {}).get("sha256")
    if mark is not None:
        # Another digest is that of a run that died before it recorded what it wrote.
        return mark != row.sha256 or info.size == row.size
    if info.size != row.size:
        return False
    try:
        found = await blobs.get(info.name, row.size)
    except TooLarge:
        return False
    data = b"" if found is None else found[0]
    return await to_thread.run_sync(lambda: hashlib.sha256(data).hexdigest()) == row.sha256


def replaced(leg: str, url: str, names: Sequence[str]) -> LegFailed:
    """Return the error that names objects which another tool put there."""
    message = f"{url}: {shown(names)} put there by another tool, and {'stays' if len(names) == 1 else 'stay'} as found"
    hint = (
        "move away what is wanted of it, then `syncer repair` the job, or give the line of an export again with"
        " --refetch: that writes over the rest"
    )
    return LegFailed(message, leg=leg, exit_code=Exit.DAMAGE, hint=hint)


def shown(names: Sequence[str]) -> str:
    """Return a few names, and how many more there are: `a.json and 4 more objects were`."""
    few = ", ".join(name[:200] for name in names[:_FEW])
    more = len(names) - _FEW
    return f"{few}{f' and {more:,} more objects' if more > 0 else ''} {'was' if len(names) == 1 else 'were'}"
