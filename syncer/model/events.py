"""What happens in a run, as one closed union of small values.

Rooms say what happened; observers (log, progress, metrics, health) decide who hears. `Emit` is
synchronous and must not raise, except in tests, which use it as the crash seam.
"""

from collections.abc import Callable, Collection
from typing import Literal

import msgspec

from syncer.model.entries import Leg
from syncer.model.refs import ItemKey, PartitionKey
from syncer.model.report import Counts, Report

#: What a request is for: the platform's interface, a new credential, or what a link in its data leads to.
Purpose = Literal["api", "auth", "content"]


class RunStarted(msgspec.Struct, frozen=True):
    """A run of a job begins."""

    job: str
    run: str
    legs: tuple[Leg, ...]
    #: The run's account while it goes on, for those who show it now and then: to be read, never written.
    counts: Counts | None = None
    #: Returns the bytes of documents that are being fetched or wait to be written, at the moment.
    queued: Callable[[], int] | None = None


class UnitStarted(msgspec.Struct, frozen=True):
    """A unit has its lease; `epoch` fences everything that it writes."""

    unit: str
    partitions: int
    epoch: int
    #: Units of the whole run; 0 where that is not known. For progress only.
    of: int = 0


class UnitEnded(msgspec.Struct, frozen=True):
    """A unit is through: published, or left for the next run."""

    unit: str
    complete: bool


class PageListed(msgspec.Struct, frozen=True):
    """A page came from the platform."""

    partition: PartitionKey
    refs: int
    #: Items that the pass will list, where the server says so.
    total: int | None
    #: The listing of the partition ends with it.
    last: bool = False


class PagePlanned(msgspec.Struct, frozen=True):
    """A page was compared with the checkpoint."""

    partition: PartitionKey
    wanted: int
    unchanged: int
    #: Bytes of the wanted documents, as far as they are known.
    size: int


class ItemFetched(msgspec.Struct, frozen=True):
    """A document is here."""

    key: ItemKey
    size: int


class ItemOwed(msgspec.Struct, frozen=True):
    """A document could not be had; it is recorded and replayed first next time."""

    key: ItemKey
    reason: str


class Written(msgspec.Struct, frozen=True):
    """A leg accepted a batch; not yet durable."""

    leg: Leg
    items: int
    size: int


class Sealed(msgspec.Struct, frozen=True):
    """A leg's writes so far are durable."""

    leg: Leg
    items: int


class Committed(msgspec.Struct, frozen=True):
    """The checkpoint names them."""

    unit: str
    items: int
    size: int
    #: Items that were listed, and gone when they were to be fetched.
    gone: int = 0
    #: How long sealing and the transaction took.
    seconds: float = 0.0


class Staged(msgspec.Struct, frozen=True):
    """A leg's swap list is in the checkpoint; from here a publish only rolls forward."""

    leg: Leg


class PublishedLeg(msgspec.Struct, frozen=True):
    """A leg's containers are readable under their final names."""

    leg: Leg
    containers: int
    items: int


class SegmentSent(msgspec.Struct, frozen=True):
    """A manifest segment lies beside the data."""

    leg: Leg
    rows: int


class HeadMoved(msgspec.Struct, frozen=True):
    """Readers now see this generation."""

    leg: Leg
    generation: int


class ErasureMoved(msgspec.Struct, frozen=True):
    """A step of an erasure is durable; whatever dies now, the next process goes on from here."""

    job: str
    step: str


class RequestEnded(msgspec.Struct, frozen=True):
    """One attempt of a request ended. `status` 0: no answer."""

    origin: str
    method: str
    status: int
    seconds: float
    size: int
    #: Name of the platform in the configuration: several accounts may share an origin.
    platform: str = ""
    purpose: Purpose = "api"
    #: Its `str()` is the method and the address without query and credentials; it is written when somebody asks.
    target: object = ""


class Retrying(msgspec.Struct, frozen=True):
    """An attempt failed and will be repeated after `wait` seconds."""

    origin: str
    attempt: int
    wait: float
    reason: str
    platform: str = ""


class Throttled(msgspec.Struct, frozen=True):
    """The platform asked us to slow down; `rate` is the new requests/s, if one is set."""

    origin: str
    pause: float
    rate: float | None
    platform: str = ""


class LimitChanged(msgspec.Struct, frozen=True):
    """The number of requests allowed in flight to an origin changed, or it is the first one."""

    origin: str
    limit: int
    platform: str = ""


class LegDetached(msgspec.Struct, frozen=True):
    """A sink failed; the others go on."""

    leg: Leg
    reason: str


class LegReset(msgspec.Struct, frozen=True):
    """An unpublished container was lost: the leg went back to its published position."""

    leg: Leg
    dropped: int
    reason: str


class DeletesHeld(msgspec.Struct, frozen=True):
    """More deletions than `max_delete` allows: none was applied."""

    leg: Leg
    count: int
    allowed: int


class PartitionFrozen(msgspec.Struct, frozen=True):
    """A partition that was synced is now absent or refused; its items are kept as they are."""

    partition: PartitionKey
    items: int
    reason: str


class Draining(msgspec.Struct, frozen=True):
    """Intake is closed; what is in flight gets finished and committed."""

    reason: str


class Warned(msgspec.Struct, frozen=True):
    """Something the user should know and may have to act on."""

    message: str


class RunEnded(msgspec.Struct, frozen=True):
    """The run is over; everything in the report stands in the checkpoint."""

    report: Report
    #: Its problems are told elsewhere, with what to do about them: a log need not repeat them.
    told: bool = False


Event = (
    RunStarted | UnitStarted | UnitEnded | PageListed | PagePlanned | ItemFetched | ItemOwed | Written | Sealed
    | Committed | Staged | PublishedLeg | SegmentSent | HeadMoved | ErasureMoved | RequestEnded | Retrying | Throttled
    | LimitChanged | LegDetached | LegReset | DeletesHeld | PartitionFrozen | Draining | Warned | RunEnded
)  # fmt: skip

#: Those of which there is one for every item: observers that have no use for them need not be called.
OF_ITEMS: Collection[type[Event]] = frozenset({RequestEnded, ItemFetched})

Emit = Callable[[Event], None]
