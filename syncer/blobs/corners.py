"""Work inside a bucket that moves no byte over the network: copies, and private corners that are emptied."""

import obstore

from syncer.blobs.clouds import Store
from syncer.blobs.uploads import tag_of

#: Names listed, and deleted, by one request.
_NAMES = 1000


async def copied(store: Store, source: str, name: str) -> str:
    """Copy an object over another one inside the bucket, atomically; return the tag of the copy."""
    await obstore.copy_async(store, source, name)
    return tag_of(await obstore.head_async(store, name))


async def names_below(store: Store, folder: str) -> list[str]:
    """Return the names of all objects below a folder, private ones too."""
    found: list[str] = []
    async for chunk in obstore.list(store, folder, chunk_size=_NAMES):
        found += [one["path"] for one in chunk if one["path"].startswith(f"{folder}/")]
    return found
