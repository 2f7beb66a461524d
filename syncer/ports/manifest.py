"""What lies beside the data and explains it: owner, segments, HEAD."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from syncer.model.entries import Container
from syncer.model.rows import ManifestRow


@dataclass(frozen=True, slots=True)
class Claim:
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


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """A manifest segment, as HEAD lists it; later ones win."""

    name: str
    rows: int
    sha256: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Head:
    """What readers start from."""

    generation: int
    segments: tuple[SegmentRef, ...]
    containers: Mapping[str, Container]


class Manifest(Protocol):
    """The manifest of one job beside one sink's data. Untrusted when read back: names are guarded, sizes bounded."""

    async def claim(self, claim: Claim, *, adopt: bool = False) -> None:
        """Take or confirm ownership, by compare-and-swap.

        Raises:
            SettingsError: another job or another state owns this place or a part of it; both are named.
        """

    async def owner(self) -> Claim | None:
        """Return who owns the job's destination now."""

    async def put_segment(self, unit: str, epoch: int, seq: int, lines: Sequence[bytes]) -> SegmentRef:
        """Write a segment, create-only: the same name always has the same bytes."""

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
        claim: Claim | None = None,
    ) -> int:
        """Add segments and containers to HEAD, by compare-and-swap, then replace the documents beside it.

        Returns the new generation. Adding a segment that HEAD already lists is fine. `checkpoint` maps units to their
        documents; units that it does not name keep theirs, and `Manifest.checkpoint` returns them all. `complete` True
        also moves `latest` and `_SUCCESS`; False removes `_SUCCESS`; None leaves both. With `anew` the present
        segments leave HEAD, readable or not: the given ones stand for all. The generation will be `least`, at least.

        Raises:
            Fenced: `claim` is given, and a successor took its unit over; whatever this one changed, it changed before.
        """

    async def merge(self) -> int:
        """Merge small segments into wider ones; return how many HEAD names fewer."""

    def rows(self) -> AsyncIterator[tuple[SegmentRef, ManifestRow]]:
        """Yield the rows of all segments of HEAD, in (epoch, seq) order.

        Raises:
            DestinationChanged: a segment is missing or is not what HEAD says.
        """

    async def checkpoint(self) -> Mapping[str, object] | None:
        """Return the documents of `checkpoint.json` by unit, None if there is none."""
