"""Which manifest a URL means: of the only job below a root, of a named one, or of the one with a certain archive."""

from pathlib import Path

import msgspec

from syncer.blobs.access import BucketAccess
from syncer.blobs.roots import open_root
from syncer.model.containers import ending_of
from syncer.model.errors import SettingsError
from syncer.model.paths import MANIFEST_FOLDER, clean_segment
from syncer.ports import Blobs, Clock
from syncer.sinks.archive.names import EXTENSION, PartId
from syncer.sinks.heads import HEAD
from syncer.sinks.manifest import JobManifest

#: What trouble with a destination is told of, where no sink has a name.
_READER = "read"


class Root(msgspec.Struct, frozen=True):
    """A destination as its readers find it: a store, and the manifest of one job in it."""

    blobs: Blobs
    job: str
    manifest: JobManifest
    #: Only what lies in this archive and its parts is asked for; None: all of the job.
    stem: str | None = None

    def wanted(self, container: str | None) -> bool:
        """Tell whether what lies in a container is asked for."""
        if self.stem is None:
            return True
        part = None if container is None else PartId.parse(container)
        return part is not None and part.stem == self.stem

    @property
    def head_name(self) -> str:
        """Where HEAD lies."""
        return f"{MANIFEST_FOLDER}/{clean_segment(self.job, self.job)}/{HEAD}"


async def open_reading(
    url: str, base: Path, clock: Clock, *, job: str | None = None, access: BucketAccess | None = None
) -> Root:
    """Return what a URL means. A relative path counts from `base`, an absolute folder.

    Raises:
        SettingsError: it is no destination, nothing is stored there, or several jobs are and none is named.
    """
    whole = url.rstrip("/")
    parent, _, name = whole.replace("\\", "/").rpartition("/")
    # An archive is named by its file; its manifest lies in the folder beside it.
    ending = ending_of(name)
    # A folder may be called like a table.
    inside = ending is not None and (ending == EXTENSION or not url.endswith("/"))
    if inside and not parent:
        parent, name = (f"{name.partition(':')[0]}:.", name.partition(":")[2]) if ":" in name else (".", name)
    blobs = open_root(parent if inside else whole or url, base, access=access)
    stem = name.removesuffix(ending or "") if inside else None
    jobs = [clean_segment(job, job)] if job is not None else await _jobs(blobs)
    if stem is not None and len(jobs) > 1:
        jobs = [one for one in jobs if await _holds(JobManifest(blobs, one, _READER, clock, keep=None), stem)]
    if not jobs:
        raise SettingsError(
            f"nothing is stored at {url}: there is no manifest", hint="give the URL that a sink writes to"
        )
    if len(jobs) > 1:
        raise SettingsError(f"{len(jobs)} jobs write to {url}", hint=f"name one of them: {', '.join(jobs[:20])}")
    return Root(blobs, jobs[0], JobManifest(blobs, jobs[0], _READER, clock, keep=None), stem)


async def _jobs(blobs: Blobs) -> list[str]:
    folders = await blobs.folders(MANIFEST_FOLDER)
    return [folder.partition("/")[2] for folder in folders if await blobs.stat(f"{folder}/{HEAD}") is not None]


async def _holds(manifest: JobManifest, stem: str) -> bool:
    head = await manifest.head()
    parts = [PartId.parse(name) for name in (() if head is None else head.containers)]
    return any(part is not None and part.stem == stem for part in parts)
