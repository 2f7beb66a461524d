"""What lies beside the data and explains it: owner, segments, HEAD."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from syncer.model.entries import Container
from syncer.model.rows import ManifestRow
from syncer.model.suppression import Suppression


class Claim(msgspec.Struct, frozen=True):
    """Whose destination it is. Stands in `_manifest/<job>/owner.json`."""

    job: str
    #: Random id of the state that writes here.
    state: str
    platform: str
    origin: str
    account: str
    epoch: int = 0
    #: Directory prefixes ("7/", "" = all) and archive stems ("7.zip") that belong to the job.
    paths: tuple[str, ...] = ()
    #: Whose epoch it is. Units may share a folder, and each counts on its own.
    unit: str = ""


class SegmentRef(msgspec.Struct, frozen=True):
    """A manifest segment, as HEAD lists it; later ones win."""

    name: str
    rows: int
    sha256: str
    epoch: int
    seq: int


class Head(msgspec.Struct, frozen=True):
    """What readers start from."""

    generation: int
    segments: tuple[SegmentRef, ...]
    containers: Mapping[str, Container]
    #: What is published stays under its name until it is removed: this generation reads as it did when it was HEAD.
    lasting: bool = False
    #: Bytes that only older generations named were removed: from this one on, all are complete.
    floor: int = 0


#: Where bytes lie: the archive, and the path in it; or the path alone.
Place = tuple[str | None, str]


class Snapshot(msgspec.Struct, frozen=True):
    """A generation that stays, by the name that somebody gave it."""

    name: str
    generation: int
    #: When it was made. ISO 8601, UTC.
    at: str


class Held(msgspec.Struct, frozen=True):
    """What snapshots name, and what is therefore neither removed nor rewritten."""

    containers: frozenset[str]
    #: Of the places that were asked about.
    places: frozenset[Place]


class Snapshots(Protocol):
    """Generations of one job that stay. Of a snapshot and a removal that meet, the first in HEAD wins.

    So the order is: `announce` or `raise_floor` (or `move_head(removes=True)`), then `held`, then whatever removes or
    rewrites, sparing what is held; then, after `announce`, HEAD and `release`.
    """

    async def create(self, name: str, generation: int | None = None) -> Snapshot:
        """Keep a generation, the present one if none is named. The same again is fine.

        Raises:
            SettingsError: the name is taken or none, or what that generation names does not stay as it is.
            GenerationGone: it is not known, or not complete any more.
            NotNow: archives that it names are being rewritten.
        """

    async def listed(self) -> Sequence[Snapshot]:
        """Return all of them, oldest generation first."""

    async def drop(self, name: str) -> None:
        """Keep one no longer; what only it named goes with the next removals.

        Raises:
            GenerationGone: there is none of that name.
        """

    async def held(self, places: Collection[Place] = ()) -> Held:
        """Return what snapshots name, of all jobs below the root: archives, and which of some places."""

    async def announce(self, mine: Callable[[str], bool]) -> Held:
        """Say in HEAD that archives are about to be rewritten or removed, but those that are held; return these."""

    async def release(self, mine: Callable[[str], bool]) -> None:
        """Say that archives are as HEAD says again. Fine if nothing was announced."""

    async def raise_floor(self) -> None:
        """Say in HEAD that bytes which only older generations name are about to go."""


class Manifest(Protocol):
    """The manifest of one job beside one sink's data. Untrusted when read back: names are guarded, sizes bounded."""

    @property
    def snapshots(self) -> Snapshots:
        """Generations that stay."""

    async def claim(self, claim: Claim, *, adopt: bool = False) -> None:
        """Take or confirm ownership, by compare-and-swap.

        Raises:
            SettingsError: another job or another state owns this place or a part of it; both are named.
        """

    async def owner(self) -> Claim | None:
        """Return who owns the job's destination now."""

    async def put_segment(self, unit: str, epoch: int, seq: int, lines: Sequence[bytes]) -> SegmentRef:
        """Write a segment, create-only: the same name always has the same bytes.

        `lines` are rows, or several in one with newlines between them.
        """

    async def head(self) -> Head | None:
        """Return HEAD, None if there is none yet.

        Raises:
            SettingsError: it was written by a newer version.
            DestinationChanged: it can't be read.
        """

    async def move_head(
        self,
        *,
        segments: Sequence[SegmentRef] = (),
        containers: Sequence[Container] = (),
        dropped: Sequence[str] = (),
        checkpoint: Mapping[str, object] | None = None,
        status: Mapping[str, object] | None = None,
        complete: bool | None = None,
        anew: bool = False,
        least: int = 0,
        removes: bool = False,
        still: Callable[[], Awaitable[None]] | None = None,
    ) -> int:
        """Add segments and containers to HEAD, by compare-and-swap, then replace the documents beside it.

        Returns the new generation. Adding a segment that HEAD already lists is fine. `checkpoint` maps units to their
        documents; units that it does not name keep theirs, and `Manifest.checkpoint` returns them all. `complete` True
        also moves `latest` and `_SUCCESS`; False removes `_SUCCESS`; None leaves both. With `anew` the present
        segments leave HEAD, readable or not: the given ones stand for all. The generation will be `least`, at least.
        `removes`: bytes that older generations name go after this; none of them can become a snapshot any more.
        `still` is asked when HEAD was read and is about to be moved: what it raises leaves HEAD as it is, and whoever
        moved it since then makes it be asked again. So a writer that was replaced does not get past its successor.
        """

    async def merge(self) -> int:
        """Merge small segments into wider ones; return how many HEAD names fewer."""

    async def at(self, when: int | str) -> Head:
        """Return what readers of a former generation start from: by its number, or by the name of its snapshot.

        Raises:
            GenerationGone: it is not known any more, or never was.
            DestinationChanged: its snapshot can't be read.
        """

    def rows(self, head: Head | None = None) -> AsyncIterator[tuple[SegmentRef, ManifestRow]]:
        """Yield the rows of all segments of HEAD (as it is now, or a given one), in (epoch, seq) order.

        Raises:
            DestinationChanged: a segment is missing or is not what HEAD says.
        """

    async def checkpoint(self) -> Mapping[str, object] | None:
        """Return the documents of `checkpoint.json` by unit, None if there is none."""

    async def forget(self, gone: Callable[[ManifestRow], bool], named: Callable[[str], bool]) -> None:
        """Rewrite segments, HEAD, snapshots and the documents beside it without some rows, for good.

        `named` tells which texts name one of their items: cursors that do are forgotten, other texts replaced. What
        former generations named goes at once: whoever reads by one begins anew. Idempotent. Nobody else may write here.
        """

    async def repin(self) -> None:
        """Let snapshots name archives as HEAD does, after an erasure rewrote them. Idempotent."""

    async def suppression(self) -> Suppression | None:
        """Return the list of what may not come back, and its key, as they lie here; None if there is none."""

    async def suppress(self, suppression: Suppression) -> None:
        """Add lines and keys to the list, by compare-and-swap."""
