"""One writer at a time for archives in a folder: they grow in files that a writer keeps open.

A kernel lock lives as long as its process: whoever was stopped, or is thought dead, still has it, and its successor
does not begin. So nobody ever writes into files that another one has open. It holds between machines as far as the
file system passes locks on (NFS 4 does, until a client that lost its network is given up).
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import CancelScope, to_thread

from syncer.blobs.atomic import locked_now, status_of
from syncer.model.errors import NotNow


@asynccontextmanager
async def alone(path: Path) -> AsyncIterator[None]:
    """Hold a lock file.

    Raises on entering:
        NotNow: another process holds it.
    """
    descriptor = await to_thread.run_sync(_locked, path)
    if descriptor is None:
        message = f"another process has the archives open for which {path} is locked, perhaps one that was stopped"
        raise NotNow(message, hint="look for a stopped syncer process (on every machine that writes here): end it")
    try:
        yield
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(_freed, path, descriptor)


def _freed(path: Path, descriptor: int) -> None:
    """Give the lock back; its file goes before, so that whoever has that open finds that it has no name."""
    path.unlink(missing_ok=True)
    os.close(descriptor)


def _locked(path: Path) -> int | None:
    """Return a descriptor that holds the lock, None if another process does."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if not locked_now(descriptor):
            os.close(descriptor)
            return None
        named = status_of(str(path))
        if named is not None and os.path.samestat(named, os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)
