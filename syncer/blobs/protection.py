"""What a store may still hold of objects that were deleted or replaced in it, as far as it can be asked."""

from contextlib import suppress

from anyio import to_thread

from syncer.blobs.access import BucketAccess
from syncer.blobs.multipart import installed, open_uploads
from syncer.blobs.places import Place
from syncer.model.errors import SyncerError

#: What is said where nobody can be asked.
UNKNOWN = "unknown"


async def protection(place: Place | None, access: BucketAccess | None) -> dict[str, object]:
    """Return versioning and object lock of a bucket in words; of a folder, that nobody can tell.

    Only S3 is asked, by the client of the optional extra `multipart`; the others' clients here know no such question.
    """
    if place is None or access is None:
        return {"versioning": "none", "backups": "snapshots and backups of the disk are not known"}
    answer: dict[str, object] = {
        "versioning": UNKNOWN,
        "object_lock": UNKNOWN,
        "backups": "replicas and backups are not known",
    }
    if place.scheme != "s3" or not await to_thread.run_sync(installed):
        return answer
    with suppress(SyncerError):  # a permission of its own, which a writer need not have: then it stays unknown
        async with open_uploads(place, access) as client:
            answer["versioning"] = await client.versioning()
            answer["object_lock"] = await client.object_lock()
    return answer
