"""State that lives as long as its process: for tests of plug-ins, and for passes that leave nothing behind.

The same SQL as on disk, in a database without a file: there is one implementation, with two openings.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from syncer.ports import StateStore
from syncer.state.sqlite.store import open_sqlite


@asynccontextmanager
async def memory_state(
    now: Callable[[], datetime] | None = None, *, readonly: bool = False
) -> AsyncIterator[StateStore]:
    """Open an empty store; all of it is forgotten when the block ends."""
    store = await open_sqlite(None, now=now or (lambda: datetime.now(UTC)), readonly=readonly)
    try:
        yield store
    finally:
        await store.close()
