"""Which way archives take to where they are published: by the kind of destination, and by the option `upload`."""

import hashlib
import os
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Literal

from anyio import to_thread

from syncer.blobs.places import place_of
from syncer.model.errors import SettingsError
from syncer.model.paths import MANIFEST_FOLDER
from syncer.ports import Blobs, Tools
from syncer.sinks.archive.alone import alone
from syncer.sinks.archive.growth import FolderGrowth, Growth
from syncer.sinks.archive.names import EXTENSION
from syncer.sinks.archive.spool import PARTS, SpoolGrowth, Sweep
from syncer.sinks.archive.store import FolderStore, ObjectStore, Store
from syncer.sinks.archive.volumes import VolumesGrowth, passing_folder
from syncer.sinks.options import SinkOptions

if TYPE_CHECKING:
    from syncer.blobs.multipart import Uploads

Upload = Literal["spool", "volumes", "multipart"]

#: Default sizes of a part in a folder and in a bucket, and the most that a bucket copies in one step.
IN_FOLDER, IN_BUCKET, MOST_IN_BUCKET = 2 << 30, 256 << 20, 5 << 30


class ArchivePlace:
    """Where the archives of a sink are published, and how they grow until then."""

    def __init__(
        self,
        blobs: Blobs,
        options: SinkOptions,
        upload: Upload,
        limit: int | None,
        tools: Tools,
        ending: str = EXTENSION,
    ) -> None:
        """Take the open store and the options; nothing is touched before the first use.

        Raises:
            SettingsError: a part is too large for a bucket, or the bucket is none for multipart uploads.
        """
        self._blobs, self._options, self._upload, self._ending = blobs, options, upload, ending
        local = blobs.folder
        self.store: Store = ObjectStore(blobs) if local is None else FolderStore(blobs, local)
        self.limit = limit or (IN_BUCKET if local is None else IN_FOLDER)
        if local is None and self.limit > MOST_IN_BUCKET:
            message = f"sink {tools.name}: a part is more than 5GiB, the most that a bucket copies in one step"
            raise SettingsError(message)
        if upload == "multipart" and local is None and not blobs.url.startswith("s3:"):
            message = f"sink {tools.name}: `upload: multipart` is for s3:// only"
            raise SettingsError(message, hint="use `upload: volumes`")
        self._spool = tools.spool or Path(gettempdir()) / f"syncer-spool-{os.getuid()}"

    @asynccontextmanager
    async def growth(self, claims: Collection[str], epoch: int) -> AsyncIterator[Growth]:
        """Open the place where the archives that a unit claims grow during one session.

        Raises on entering:
            NotNow: the spool can't be written, or another process has the archives.
        """
        if self._blobs.folder is not None:
            # Where nobody else could write, there is nothing to claim.
            name = hashlib.sha256("\0".join(sorted(claims)).encode()).hexdigest()[:16]
            lock = self._blobs.folder / MANIFEST_FOLDER / f".archives-{name}.lock"
            async with alone(lock) if claims else nullcontext():
                yield FolderGrowth(self._blobs, self._blobs.folder)
        elif self._upload == "spool":
            name = hashlib.sha256(self._blobs.url.encode()).hexdigest()[:32]
            folder = self._spool / "archives" / name
            yield SpoolGrowth(
                self._blobs, folder, self.limit * PARTS, epoch, sweep=self._sweep(epoch), ending=self._ending
            )
        elif self._upload == "volumes":
            async with passing_folder(self._spool) as folder:
                yield VolumesGrowth(
                    self._blobs, folder, self.limit, epoch, sweep=self._sweep(epoch), ending=self._ending
                )
        else:
            from syncer.sinks.archive.multipart import MultipartGrowth  # noqa: PLC0415  # loads two large clients

            async with passing_folder(self._spool) as folder, self._uploads() as uploads:
                yield MultipartGrowth(self._blobs, uploads, folder, self.limit, epoch)

    def _uploads(self) -> "AbstractAsyncContextManager[Uploads]":
        """Open the client for uploads in parts, which is optional and large: whoever does without never loads it."""
        from syncer.blobs.multipart import open_uploads  # noqa: PLC0415

        return open_uploads(place_of("s3", self._options.url.partition(":")[2]), self._options.access())

    def _sweep(self, epoch: int) -> Sweep | None:
        """Return what looks for uploads that a dead predecessor left; S3 alone keeps them for ever."""
        if not self._blobs.url.startswith("s3:"):
            return None

        async def sweep(stems: Collection[str]) -> None:
            from syncer.blobs.multipart import installed  # noqa: PLC0415  # see above
            from syncer.sinks.archive.janitor import abort_leftovers  # noqa: PLC0415

            if await to_thread.run_sync(installed):
                async with self._uploads() as uploads:
                    await abort_leftovers(uploads, stems, epoch, ending=self._ending)

        return sweep
