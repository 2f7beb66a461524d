"""Which way archives take to where they are published: by the kind of destination, and by the option `upload`."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Literal

from syncer.blobs.places import place_of
from syncer.model.errors import SettingsError
from syncer.ports import Blobs, Tools
from syncer.sinks.archive_growth import FolderGrowth, Growth
from syncer.sinks.archive_spool import PARTS, SpoolGrowth
from syncer.sinks.archive_store import FolderStore, ObjectStore, Store
from syncer.sinks.archive_volumes import VolumesGrowth, passing_folder
from syncer.sinks.options import SinkOptions

Upload = Literal["spool", "volumes", "multipart"]

#: Default sizes of a part in a folder and in a bucket, and the most that a bucket copies in one step.
IN_FOLDER, IN_BUCKET, MOST_IN_BUCKET = 2 << 30, 256 << 20, 5 << 30


class ArchivePlace:
    """Where the archives of a sink are published, and how they grow until then."""

    def __init__(self, blobs: Blobs, options: SinkOptions, upload: Upload, limit: int | None, tools: Tools) -> None:
        """Take the open store and the options; nothing is touched before the first use.

        Raises:
            SettingsError: a part is too large for a bucket, or the bucket is none for multipart uploads.
        """
        self._blobs, self._options, self._upload = blobs, options, upload
        local = blobs.folder
        self.store: Store = ObjectStore(blobs) if local is None else FolderStore(blobs, local)
        self.limit = limit or (IN_BUCKET if local is None else IN_FOLDER)
        if local is None and self.limit > MOST_IN_BUCKET:
            message = f"sink {tools.name}: max_part_size is more than 5GiB, the most that a bucket copies in one step"
            raise SettingsError(message)
        if upload == "multipart" and not blobs.url.startswith("s3:"):
            message = f"sink {tools.name}: `upload: multipart` is for s3:// only"
            raise SettingsError(message, hint="use `upload: volumes`")
        self._spool = tools.spool or Path(gettempdir()) / f"syncer-spool-{os.getuid()}"

    @asynccontextmanager
    async def growth(self) -> AsyncIterator[Growth]:
        """Open the place where archives grow during one session.

        Raises on entering:
            NotNow: the spool can't be written.
        """
        if self._blobs.folder is not None:
            yield FolderGrowth(self._blobs, self._blobs.folder)
        elif self._upload == "spool":
            name = hashlib.sha256(self._blobs.url.encode()).hexdigest()[:32]
            yield SpoolGrowth(self._blobs, self._spool / "archives" / name, self.limit * PARTS)
        elif self._upload == "volumes":
            async with passing_folder(self._spool) as folder:
                yield VolumesGrowth(self._blobs, folder, self.limit)
        else:
            # The second client is optional, and both are large: whoever does without never loads them.
            from syncer.blobs.multipart import open_uploads  # noqa: PLC0415
            from syncer.sinks.archive_multipart import MultipartGrowth  # noqa: PLC0415

            place = place_of("s3", self._options.url.partition(":")[2])
            async with passing_folder(self._spool) as folder, open_uploads(place, self._options.access()) as uploads:
                yield MultipartGrowth(self._blobs, uploads, folder, self.limit)
