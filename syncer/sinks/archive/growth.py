"""How archives grow until they are published: where, what makes them durable, and how they take their final names.

In a local folder they grow beside the published ones. For a bucket they grow in a work folder; what has to outlive
that folder is kept in a private corner of the bucket, `.syncer/`, that no listing shows.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from anyio import to_thread

from syncer.ports import Blobs
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.swap import Swap


class Growth(Protocol):
    """What a session asks of the place where its archives grow. One owner."""

    #: Where archives grow and are staged.
    folder: Path
    #: Whether that outlives the process, so that forcing it to disk has a point.
    outlives: bool

    async def restore(self, token: bytes | None, stems: Collection[str]) -> bytes | None:
        """Bring the files that a token names into the folder; return the token to resume from.

        Raises:
            ContainerLost: something that it names is gone.
        """

    async def sealed(self, parts: Parts) -> bool:
        """Make durable what was sealed in the folder; tell whether it is time to publish, as no more should wait."""

    def token(self, token: bytes) -> bytes:
        """Return a resume token with what this place has to say for whoever goes on."""

    def gather(self, fresh: Fresh) -> None:
        """Bring new entries of an archive that were moved elsewhere back into their file. Blocking."""

    async def staged(self, parts: Parts, swaps: Sequence[Swap]) -> list[Swap]:
        """Make durable what was staged in the folder; return the swaps with where it lies now. Repeatable."""

    async def holds(self, swap: Swap) -> bool:
        """Tell whether what was staged for a swap is there."""

    async def put_in_place(self, swap: Swap) -> str:
        """Let what was staged take the archive's name, atomically; return its tag."""

    async def settled(self, names: Collection[str], *, last: bool) -> None:
        """Remove what only unpublished archives needed; `last`: nothing of the unit is left unpublished."""

    async def room(self, size: int) -> None:
        """Look whether there is room for so many bytes more.

        Raises:
            NotNow: there is not.
        """


class FolderGrowth:
    """Archives grow beside the published ones, in the destination's own folder, which outlives everything."""

    outlives = True

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        """Take the folder; nothing is touched."""
        self.folder, self._blobs = folder, blobs

    async def restore(self, token: bytes | None, stems: Collection[str]) -> bytes | None:  # noqa: ARG002  # all is there
        """Return the token as it is."""
        return token

    async def sealed(self, parts: Parts) -> bool:  # noqa: ARG002  # sealing forced it to disk
        """Do nothing: it is durable, and the disk is the destination's."""
        return False

    def token(self, token: bytes) -> bytes:
        """Return it as it is."""
        return token

    def gather(self, fresh: Fresh) -> None:
        """Do nothing: they all are there."""

    async def staged(self, parts: Parts, swaps: Sequence[Swap]) -> list[Swap]:  # noqa: ARG002  # staging forced it to disk
        """Do nothing: it is durable."""
        return list(swaps)

    async def holds(self, swap: Swap) -> bool:
        """Tell whether the staged file has the right size."""
        return swap.temp is not None and await to_thread.run_sync(_size_of, self.folder / swap.temp) == swap.size

    async def put_in_place(self, swap: Swap) -> str:
        """Rename the staged file."""
        return await self._blobs.adopt(self.folder / (swap.temp or ""), swap.name)

    async def settled(self, names: Collection[str], *, last: bool) -> None:
        """Do nothing: the files beside the archives are gone already."""

    async def room(self, size: int) -> None:
        """Do nothing: a full disk says so itself, and nothing is lost by it."""


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
