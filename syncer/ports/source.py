"""A platform that labels are read from."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Protocol

import msgspec

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed
from syncer.model.refs import AnnotationRef, Cursor, GroupKey, ItemKey, Page, Partition


class Features(msgspec.Struct, frozen=True):
    """What a source can do beyond the required; no optional methods."""

    #: `discover` from a cursor lists only what changed since.
    incremental: bool = True
    #: References carry their documents (`AnnotationRef.inline`) in first passes.
    inline: bool = False
    #: Absence from a full pass proves deletion.
    deletions: bool = True
    #: How many references one call of `open` may take.
    batch: int = 1
    media: bool = False
    exports: bool = False
    #: Kinds of items that the platform has and the options leave out: stored ones are unselected, never gone.
    unlisted: frozenset[str] = frozenset()


class Selection(msgspec.Struct, frozen=True):
    """What a job wants of a platform. Names are literals or globs (`*`, `?`, `[`)."""

    projects: tuple[str, ...] = ()
    #: Empty: the project-level listing, not split by batch. ("*",): one partition a batch.
    batches: tuple[str, ...] = ()
    annotation_types: tuple[str, ...] = ()
    #: Explicit item ids; empty: all.
    items: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


class Known(Protocol):
    """What the ledger holds of a partition while it is being discovered."""

    @property
    def live(self) -> int:
        """Finished items that the weakest leg held live when the run began, owed ones included, context left out."""

    @property
    def full(self) -> bool:
        """The user asked for a complete listing that fetches only what differs."""

    @property
    def refetch(self) -> bool:
        """The user asked to fetch everything again."""

    async def has(self, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Return those of the keys that are live or owed in every leg."""

    async def members(self, groups: Sequence[GroupKey]) -> Mapping[GroupKey, frozenset[ItemKey]]:
        """Return the live members that any leg stores of each group, for `Page.keeps` and withdrawals."""


class Source(Protocol):
    """One account on one platform. Read-only by design: it sends GET and listed read calls, nothing else."""

    features: Features
    #: Path variables that this platform fills, with a word about each; others are refused at load.
    variables: ClassVar[Mapping[str, str]]
    #: Options that shape the bytes of a document, for the fingerprint.
    shape: Mapping[str, str]
    #: Origin (`scheme://host:port`) and account, as far as known without a request; for claims and messages.
    origin: str
    account: str

    def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield the partitions that a selection names, in a stable order.

        Raises:
            UnknownName: literal names that do not exist; raised at the end, after the others were yielded.
        """

    def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List finished items from a cursor on. May repeat, never skips.

        Every row is listed as a reference, a withdrawal, a broken row, or counted as filtered.
        None starts from nothing. The last page has `end` set; after it the iterator stops.
        `select` narrows the pass to explicit `items` or to a `since`/`until` window: absence then proves
        nothing, so such a pass ends in "delta". None: the whole partition.

        Raises:
            PartitionGone: it does not exist any more (404).
            HttpError, RunFailed: the listing can't go on; pages so far stay valid.
        """

    def open(self, refs: Sequence[AnnotationRef]) -> "AsyncGenerator[Body | ItemFailed]":
        """Yield, in any order, one body or failure for each reference. Works from keys alone."""

    def context(self, partition: Partition) -> AsyncIterator[AnnotationRef]:
        """Yield the partition's context documents (label configuration, tags), inline, of kind `context`."""

    async def get(self, parts: Sequence[str]) -> Body:
        """Return one document by the parts of its public name (`syncer get`).

        Raises:
            SettingsError: the parts are not what the platform needs; the message names them.
        """

    async def whoami(self) -> Mapping[str, str]:
        """Try the credentials: who are we, on which version, what does the server's clock say (for `doctor`)."""

    async def projects(self) -> Sequence[Mapping[str, str]]:
        """Return a table row a project: id, title, counts."""

    async def batches(self, project: str) -> Sequence[Mapping[str, str]]:
        """Return a table row a batch of a project."""
