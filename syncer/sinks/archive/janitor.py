"""Uploads in parts that a dead process left in a bucket of S3: they are invisible, and paid for until they are aborted.

Only those in the private corners of a unit's own archives are looked at. Nobody else writes there, and whoever holds
the unit's lease is the only one of us, so what no checkpoint names is a leftover.
"""

from collections.abc import Collection

from syncer.blobs.multipart import Uploads
from syncer.sinks.archive.corner import stem_corner
from syncer.sinks.archive.names import EXTENSION


async def abort_leftovers(
    uploads: Uploads, stems: Collection[str], ours: Collection[str] = (), ending: str = EXTENSION
) -> None:
    """Abort all uploads in the corners of some stems but those whose ids are known."""
    for stem in sorted(stems):
        for key, upload in await uploads.listed(stem_corner(stem, ending)):
            if upload not in ours:
                await uploads.abort(key, upload)
