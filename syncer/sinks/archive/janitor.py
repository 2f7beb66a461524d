"""Uploads in parts that a dead process left in a bucket of S3: they are invisible, and paid for until they are aborted.

Only those in the private corners of a unit's own archives are looked at, and of these only what our epoch or one before
began: what no checkpoint names there is a leftover. A later one is our successor's.
"""

from collections.abc import Collection

from syncer.blobs.multipart import Uploads
from syncer.sinks.archive.corner import epoch_of, stem_corner
from syncer.sinks.archive.names import EXTENSION


async def abort_leftovers(
    uploads: Uploads, stems: Collection[str], epoch: int, ours: Collection[str] = (), ending: str = EXTENSION
) -> None:
    """Abort all uploads in the corners of some stems, up to an epoch, but those whose ids are known."""
    for stem in sorted(stems):
        for key, upload in await uploads.listed(stem_corner(stem, ending)):
            if upload not in ours and epoch_of(key) <= epoch:
                await uploads.abort(key, upload)
