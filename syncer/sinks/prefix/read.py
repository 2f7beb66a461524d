"""Reading many objects side by side, for verification."""

import hashlib
from collections.abc import Sequence

from anyio import create_task_group, to_thread

from syncer.model.errors import SyncerError, TooLarge
from syncer.ports import BlobInfo, Blobs, Found

#: Objects read at a time, and bytes up to which one is read in one piece.
_READERS = 16
_SMALL = 4 << 20
_REMOVED = "it was removed while it was looked at"


async def read_together(blobs: Blobs, infos: Sequence[BlobInfo]) -> list[Found]:
    """Return what objects really hold, in their order: sizes and digests.

    Raises:
        SyncerError, OSError: as the store does; the first one of several.
    """
    found: dict[str, Found] = {}
    failed: list[Exception] = []
    waiting = iter(infos)

    async def work() -> None:
        try:
            for info in waiting:
                found[info.name] = await _read(blobs, info)
        except (SyncerError, OSError) as error:
            failed.append(error)
            readers.cancel_scope.cancel()

    async with create_task_group() as readers:
        for _ in range(min(len(infos), _READERS)):
            readers.start_soon(work)
    if failed:
        raise failed[0]
    return [found[info.name] for info in infos]


async def _read(blobs: Blobs, info: BlobInfo) -> Found:
    if info.size <= _SMALL:
        try:
            whole = await blobs.get(info.name, _SMALL)
        except TooLarge:
            return Found(info.name, None, info.size, None, "it was replaced while it was looked at")
        if whole is None:
            return Found(info.name, None, 0, None, _REMOVED)
        digest = await to_thread.run_sync(lambda: hashlib.sha256(whole[0]).hexdigest())
        return Found(info.name, None, len(whole[0]), digest)
    hasher, size = hashlib.sha256(), 0
    try:
        async for chunk in blobs.read(info.name):
            await to_thread.run_sync(hasher.update, chunk)
            size += len(chunk)
    except FileNotFoundError:
        return Found(info.name, None, 0, None, _REMOVED)
    return Found(info.name, None, size, hasher.hexdigest())
