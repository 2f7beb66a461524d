"""Carrying out a swap list: what is swapped already is recognised, what is not is swapped now. Idempotent."""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from syncer.model.entries import Container
from syncer.model.errors import Conflict
from syncer.ports import Blobs
from syncer.sinks.archive.growth import Growth
from syncer.sinks.archive.store import Store, changed
from syncer.sinks.archive.swap import Swap


async def carry_out(
    blobs: Blobs, store: Store, growth: Growth, swap: Swap, restage: Callable[[str], Awaitable[Swap | None]] | None
) -> Container | None:
    """Bring one archive into its next state and return it, None if it is gone. Idempotent.

    `restage` builds what was staged again, if it was lost; the same content gives the same archive. Without it nothing
    is done that was not done before.

    Raises:
        DestinationChanged: what stands there is neither the old state nor the new one.
    """
    try:
        return await _carried_out(blobs, store, growth, swap, restage)
    except Conflict:
        # Between a look and what was done about it: whoever that was, it shows now.
        return await _carried_out(blobs, store, growth, swap, None)


async def _carried_out(
    blobs: Blobs, store: Store, growth: Growth, swap: Swap, restage: Callable[[str], Awaitable[Swap | None]] | None
) -> Container | None:
    now = await blobs.stat(swap.name)
    before = (now.tag if now else None) == swap.old_tag
    if swap.drop:
        if now is not None and (restage is None or not before):
            raise changed(store.where(swap.name), "it was replaced")
        if now is not None:
            await blobs.delete_many([swap.name], match=[now.tag])
            await blobs.sync()
        return None
    if now is not None and not before:
        if swap.temp is None or now.size != swap.size or await store.digest(swap.name) != swap.sha256:
            raise changed(store.where(swap.name), "it was replaced")
        return swap.container(now.tag)
    if not before:
        raise changed(store.where(swap.name), "it is missing")
    if swap.temp is None:
        return swap.container(swap.old_tag or "")
    staged = swap
    if restage is not None and not await growth.holds(swap):
        again = await restage(swap.name)
        # The same archive, though it may wait elsewhere now.
        staged = again if again is not None and replace(again, temp=swap.temp) == swap else replace(swap, temp=None)
    if restage is None or staged.temp is None:
        raise changed(store.where(swap.temp), "what was staged is gone, and can't be built again")
    return swap.container(await growth.put_in_place(staged))
