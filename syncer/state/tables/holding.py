"""Holding leases while something is done."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from syncer.state.lease import Lease, Leases
from syncer.state.tables.database import Database


@asynccontextmanager
async def holding(
    database: Database, leases: Leases, job: str, names: Sequence[tuple[str, bool]]
) -> AsyncIterator[list[Lease]]:
    """Take leases of a job, each exclusive or shared, in this order; give them back, in the other, when the block ends.

    Raises on entering:
        LeaseHeld: another process holds one of them; none is kept.
    """
    taken: list[Lease] = []

    def take() -> None:
        for name, shared in names:
            taken.append(leases.take(job, name, shared=shared))

    def release() -> None:
        for lease in reversed(taken):
            lease.release()

    try:
        await database.call(take)
        yield taken
    finally:
        await database.finish(release)
