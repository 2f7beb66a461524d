"""The doors: what each room may expect of its neighbours.

Everything that can be swapped (platforms, sinks, state, HTTP, bytes at rest, time) is reached
through a Protocol of this module. An adapter promises exactly what the docstrings say; the suites
in `tests/contract` hold every adapter, fakes included, to it.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from syncer.model.checkpoint import (
    Candidate,
    CommitGroup,
    Doomed,
    LegSpec,
    LegState,
    OutboxRow,
    OwedItem,
    PartitionState,
    Verdict,
)
from syncer.model.entries import Body, Container, Entry, Leg, Published, Removals, Seal, SpooledFile
from syncer.model.errors import ItemFailed
from syncer.model.events import Emit
from syncer.model.refs import AnnotationRef, Cursor, GroupKey, ItemKey, Page, Partition, PartitionKey
from syncer.model.report import Report
from syncer.model.rows import ManifestRow as ManifestRow  # noqa: PLC0414  # the doors speak of it: re-exported

# ---------------------------------------------------------------------------------------------- time


class Clock(Protocol):
    """Time as the engine sees it. The shipped fake runs on virtual time."""

    def now(self) -> datetime:
        """Return the wall clock, aware, UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    async def sleep(self, seconds: float) -> None:
        """Wait; a cancellation point even for 0."""


# ---------------------------------------------------------------------------------------------- HTTP


class Authenticator(Protocol):
    """Credentials of one account. Headers are only ever attached to requests to `origins`."""

    #: Origins (`scheme://host:port`) that may see the credential.
    origins: frozenset[str]

    async def headers(self) -> Mapping[str, str]:
        """Return headers that are valid now; renews before expiry, single flight."""

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """After a 401 on `rejected`: get a new credential. False if there is none newer to try."""


@dataclass(frozen=True, slots=True)
class Request:
    """One read. `auth` is attached only if the URL's origin is one of the authenticator's."""

    url: str
    method: str = "GET"
    #: Query parameters, appended to the URL in this order; values are percent-encoded.
    params: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    #: JSON body of a listed read-only POST (token refresh, search).
    json: object | None = None
    auth: Authenticator | None = None
    #: Content links (signed storage, media) live under stricter address rules and never see a credential.
    content: bool = False
    #: Refuse an answer whose media type is not this ("application/json"); None accepts any.
    expect: str | None = None
    #: Decompressed bytes; None: the client's limit.
    max_bytes: int | None = None
    #: Seconds for one attempt; None: the client's.
    timeout: float | None = None
    #: Attempts in all; None: the client's. 1: no retry.
    attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer of 2xx (or of a status the caller listed as fine)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    #: The server's own clock when it answered (`Date`), if it said so.
    date: datetime | None = None


class Http(Protocol):
    """The way out to one platform: limits, retries, address rules and redaction included.

    Raises the `HttpError` family of `model.errors`, never an exception of the HTTP library.
    """

    async def fetch(self, request: Request) -> Response:
        """Return the whole answer."""

    async def download(self, request: Request, key: str) -> bytes | SpooledFile:
        """Return a content body: in memory when small, else spooled under `key`; broken ones are resumed by Range."""


# --------------------------------------------------------------------------------------- bytes at rest


class Spool(Protocol):
    """Local scratch space for bodies that are too large for memory. Emptied at start: nothing in it is a truth."""

    #: Bodies above this many bytes are spooled.
    threshold: int

    def writer(self, key: str) -> "AbstractAsyncContextManager[SpoolWriter]":
        """Open a new file; it is removed if the block raises."""

    async def discard(self, file: SpooledFile) -> None:
        """Remove a file whose entry has settled. Idempotent."""


class SpoolWriter(Protocol):
    """One growing file of the spool."""

    #: Bytes written so far.
    size: int

    async def write(self, chunk: bytes) -> None:
        """Append."""

    async def finish(self) -> SpooledFile:
        """Close and return it with its size and sha256."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """One object of a store."""

    name: str
    #: Bytes.
    size: int
    #: Changes whenever the object is replaced: an ETag, or `size-mtime_ns` of a local file.
    tag: str


class Blobs(Protocol):
    """Bytes at rest below one root: a local folder, or a prefix in a bucket.

    Names are relative, with forward slashes. A reader never sees a torn object. Nothing outside
    the root is ever touched: a name that would leave it raises `SettingsError`.
    """

    #: Canonical URL of the root, without credentials.
    url: str
    #: The folder behind it, where there is one.
    folder: Path | None

    async def put_many(self, files: "Sequence[tuple[str, bytes | SpooledFile]]", scratch: str) -> Sequence[str]:
        """Write or replace; return tags. `scratch` names the private corner for temporary files.

        Each object is atomic and complete; durability follows with `sync`.
        """

    async def sync(self) -> None:
        """Make everything put so far durable, as far as the store's policy asks for it."""

    async def put(self, name: str, data: bytes, *, create: bool = False, match: str | None = None) -> str:
        """Write one small object durably; return its tag.

        With `create`, an object that exists with other bytes raises `Conflict`; with the same bytes it is ours, and fine.
        With `match`, it is replaced only if its tag is still that one, else `Conflict`.
        """

    async def get(self, name: str, limit: int) -> tuple[bytes, str] | None:
        """Return content and tag, None if absent.

        Raises:
            TooLarge: it is larger than `limit` bytes.
        """

    def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream bytes `start` to `stop` (exclusive). FileNotFoundError if absent."""

    async def stat(self, name: str) -> BlobInfo | None:
        """Return what is known of an object without reading it."""

    def list(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """Yield all objects below a prefix, in no particular order; temporary files are left out."""

    async def delete_many(self, names: Sequence[str]) -> None:
        """Delete; absent names are fine."""

    async def adopt(self, path: Path, name: str) -> str:
        """Move a complete, synced local file into the store under `name`, replacing it atomically; return its tag."""

    async def clear_scratch(self, scratch: str) -> None:
        """Remove temporary files that a dead predecessor left in this corner."""

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold a short advisory lock while a small object is read, changed and replaced."""


# -------------------------------------------------------------------------------------------- sources


@dataclass(frozen=True, slots=True)
class Features:
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


@dataclass(frozen=True, slots=True)
class Selection:
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
        """Finished items that the weakest leg holds live, owed ones included and context left out, when the run began."""

    @property
    def full(self) -> bool:
        """The user asked for a complete listing that fetches only what differs."""

    @property
    def refetch(self) -> bool:
        """The user asked to fetch everything again."""

    async def has(self, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Return those of the keys that are live or owed in every leg."""


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


class Transform(Protocol):
    """Turns one document into another before it is stored. Pure; runs in a thread."""

    @property
    def version(self) -> str:
        """Changes when the outcome for the same document may change."""

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Return the bytes to store. Raise ValueError with a reason to owe the item instead."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a plug-in is given to work with."""

    #: Name in the configuration, for messages.
    name: str
    clock: Clock
    emit: Emit


@dataclass(frozen=True, slots=True)
class SourcePlugin:
    """A platform, as its entry point (`syncer.sources`) offers it."""

    type: str
    #: One line for `syncer platforms`.
    title: str
    #: Pydantic model class of the platform's options (a `net.options.PlatformOptions`).
    options: Any
    #: Make the source from its options, an open `Http`, and tools.
    create: Callable[[Any, Http, Tools], Source]
    #: References used where an option is absent: the variables that the vendor's own SDK reads (`{"token": ("env:X",)}`).
    defaults: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: Parts of the public name of one document, for `syncer get` ("ANNOTATION_ID",).
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SinkPlugin:
    """A destination type, as its entry point (`syncer.sinks`) offers it."""

    type: str
    title: str
    #: Pydantic model of the sink's options (a `sinks.options.SinkOptions`).
    options: Any
    #: Make the sink from its options; relative folders count from the given one.
    create: Callable[[Any, Path, Tools], "Sink"]


# ---------------------------------------------------------------------------------------------- sinks


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
    ) -> int:
        """Add segments and containers, replace HEAD by compare-and-swap, then the documents beside it; return the generation.

        Adding a segment that HEAD already lists is fine. `complete` True also moves `latest` and `_SUCCESS`;
        False removes `_SUCCESS`; None leaves both.
        """

    def rows(self) -> AsyncIterator[tuple[SegmentRef, ManifestRow]]:
        """Yield the rows of all segments of HEAD, in (epoch, seq) order.

        Raises:
            DestinationChanged: a segment is missing or is not what HEAD says.
        """

    async def checkpoint(self) -> Mapping[str, object] | None:
        """Return `checkpoint.json`."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The set of partitions of one job that share containers: session, lease, epoch and commit are per unit."""

    name: str
    partitions: tuple[Partition, ...]


class Sink(Protocol):
    """A destination: archives or objects below one root, with a manifest beside them."""

    name: Leg
    #: True where one object is one item: sealed and published coincide, and `stage` is never called.
    immediate: bool
    #: Canonical URL of the root, without credentials.
    url: str
    #: Options that shape paths or bytes, for the fingerprint (`path`, `document`).
    shape: Mapping[str, str]
    #: Options that a destination can't change (`mode`, name template): a change is refused without `--relayout`.
    layout: Mapping[str, str]
    #: What happens to items deleted upstream: keep, tombstone or delete; and to withdrawn ones: keep or tombstone.
    on_delete: str
    on_withdraw: str
    #: Deletions allowed in one run of a unit; None: max(10, 5 %).
    max_delete: int | None

    def bind(self, fixed: frozenset[str], variables: Mapping[str, str]) -> None:
        """Say once, before use, which key fields the selection fixes to one literal (the default path drops them).

        `variables` names what this job fills, with a word about each: `batch` is among them only where the selection
        splits by batch, `annotation_type` only where the platform has types; project, item, kind, version always.

        Raises:
            SettingsError: a template uses a variable that is unknown or always empty.
        """

    def unit_of(self, partition: Partition) -> str:
        """Return the name of the container group of a partition; partitions that render alike share a unit."""

    def path_of(self, partition: Partition, ref: AnnotationRef) -> str:
        """Return the wished path of an item: pure, safe, relative (see `layout`)."""

    def claims(self, unit: Unit) -> tuple[str, ...]:
        """Return the directory prefixes or archive names that a unit writes to."""

    def session(
        self, unit: Unit, epoch: int, resume: bytes | None, containers: Sequence[Container], staged: bytes | None = None
    ) -> "AbstractAsyncContextManager[SinkSession]":
        """Open the unit for writing, from a token or from nothing.

        `staged` is a swap list that stands in the checkpoint and was perhaps carried out in part: containers that it
        names are not checked on entering, their partials may already be swapped in, and the first call is
        `publish(staged)`, followed by `settle()`; writing then goes on from `Published.resume`.

        Raises on entering:
            ContainerLost: something committed but unpublished is missing or shorter than the token says.
            DestinationChanged: something published was changed by others.
        """

    def manifest(self, job: str) -> Manifest:
        """Return the manifest of a job beside this sink's data."""

    def read(self, row: "ManifestRow", limit: int) -> Awaitable[bytes | None]:
        """Return the current bytes of one item; None if its object or entry is missing. For `verify`."""

    def scan(self, containers: Mapping[str, Container], *, deep: bool = False) -> AsyncIterator["Found"]:
        """Yield what really lies there: every object, or every entry of every container. For `verify`.

        With `deep`, every document is read and hashed; without, names and sizes are enough.
        """


@dataclass(frozen=True, slots=True)
class Found:
    """An object or entry that really lies in a destination."""

    path: str
    container: str | None
    #: Bytes of the document.
    size: int
    #: Set by a deep scan (entries are decompressed and hashed).
    sha256: str | None = None
    #: What is wrong with it, as far as it can be said without the manifest (bad CRC, torn archive).
    damage: str | None = None


class SinkSession(Protocol):
    """One unit open for writing, one owner, never two at once."""

    async def write(self, entries: Sequence[Entry]) -> None:
        """Accept entries; not yet durable. The same path again replaces.

        Raises:
            LegFailed: the destination does not take them (disk full, permission).
        """

    async def remove(self, rows: Removals) -> None:
        """Drop stored items (for `on_delete: delete`, and for entries of a `current` archive). Idempotent."""

    async def seal(self) -> Seal:
        """Make durable all that was accepted so far; return its receipts."""

    async def stage(self) -> bytes | None:
        """Build, durably and beside the published ones, the containers that publishing will swap in; return the swap list.

        None: nothing to publish. What was sealed is included, nothing else. Repeatable.
        """

    async def publish(self, swaps: bytes) -> Published:
        """Carry out a swap list that stands in the checkpoint. Idempotent: rolls forward from any point."""

    async def settle(self) -> None:
        """After the ledger recorded the publish: remove what only the old position needed. Idempotent."""


# ---------------------------------------------------------------------------------------------- state


class Ledger(Protocol):
    """The checkpoint of one unit, held under a lease with a fencing epoch. Rows are per leg.

    Every method is one transaction, off the event loop; `commit`, `stage` and `publish` raise `Fenced`
    if the epoch is not ours any more, with nothing written.
    """

    epoch: int

    async def legs(self) -> Mapping[Leg, LegState]:
        """Return the committed position of each leg."""

    async def partition(self, key: PartitionKey) -> PartitionState:
        """Return the committed cursors and live counts of a partition."""

    async def classify(self, candidates: Sequence[Candidate]) -> Sequence[Mapping[Leg, Verdict]]:
        """Compare a page with what each leg holds, and settle its paths, in one query.

        Pending rows hide published ones. An item is CHANGED if its version differs, if its stored fingerprint is not
        the leg's present one, or if it is withdrawn. A wished path whose casefolded NFC form is held by another key
        (stored, owed, or settled earlier in this session) gets a suffix (RULE 19); a stored item keeps its path
        while the wish has not changed.
        """

    async def has(self, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Return those of the keys that are live and not withdrawn, or owed, in every leg."""

    async def members(self, partition: PartitionKey, groups: Sequence[GroupKey]) -> Mapping[GroupKey, frozenset[ItemKey]]:
        """Return the live members that any leg stores of each group."""

    async def commit(self, group: CommitGroup) -> None:
        """Move everything in the group, in one transaction, and the counters with it."""

    async def doomed(self, leg: Leg, limit: int, cause: str | None = None) -> Sequence[Doomed]:
        """Return items found gone or withdrawn (or only those of one cause) that this leg did not apply yet, in key order.

        Committing their removal (or that they are kept) clears them.
        """

    async def doomed_count(self, leg: Leg) -> tuple[int, int]:
        """Return how many items are doomed as (gone, withdrawn)."""

    async def owed(self, leg: Leg, limit: int, after: ItemKey | None = None) -> Sequence[OwedItem]:
        """Return owed items in key order."""

    async def stage(self, leg: Leg, swaps: bytes) -> None:
        """Record a swap list, durably, before the first swap."""

    async def publish(self, leg: Leg, published: Published, run: str, at: datetime) -> int:
        """Pending rows become published rows and manifest rows; the published position follows; return how many."""

    async def rollback(self, leg: Leg) -> int:
        """Drop unpublished rows and go back to the published cursors; return how many were dropped."""

    async def outbox(self, leg: Leg, limit: int) -> Sequence[OutboxRow]:
        """Return manifest rows that no segment holds yet, oldest first."""

    async def sent(self, leg: Leg, last: int) -> None:
        """Forget manifest rows up to a sequence number: their segment is durable and HEAD names it."""

    async def checkpoint(self, leg: Leg) -> Mapping[str, object]:
        """Return the published cursors, owed items and counters of the unit as JSON values, for `checkpoint.json`."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of a job's history."""

    job: str
    run: str
    started: datetime
    ended: datetime | None
    code: int | None
    report: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What the state knows of a job without asking anybody."""

    job: str
    items: Mapping[Leg, int]
    bytes: Mapping[Leg, int]
    owed: Mapping[Leg, int]
    doomed: Mapping[Leg, int]
    pending: Mapping[Leg, int]
    partitions: int
    #: Who holds a lease now ("pid 123 on host"), by unit.
    leases: Mapping[str, str] = field(default_factory=dict)


class StateStore(Protocol):
    """Everything that is remembered between runs. Refuses a schema newer than its own (SettingsError)."""

    #: Random id of this state, made at creation; stands in `owner.json`.
    id: str
    #: Where it is, for messages; without a password.
    url: str

    def lease(self, job: str, shard: tuple[int, int] | None = None) -> AbstractAsyncContextManager[None]:
        """Hold a job (or one of its shards) for one run; a run of the whole job excludes its shards, shards do not exclude
        each other.

        Raises on entering:
            LeaseHeld: another process runs it; the message names the process.
        """

    def unit(self, job: str, unit: Unit, legs: Sequence[LegSpec]) -> AbstractAsyncContextManager[Ledger]:
        """Take the lease of a unit and raise its epoch.

        Raises on entering:
            LeaseHeld: somebody else works on it; the message names the process.
        """

    def peek(self, job: str, unit: Unit, legs: Sequence[LegSpec]) -> AbstractAsyncContextManager[Ledger]:
        """Open a unit for reading only: no lease, no epoch, nothing written. For `plan`."""

    async def layout(self, job: str, leg: Leg) -> Mapping[str, str] | None:
        """Return the layout that the leg's destination was written with."""

    async def set_layout(self, job: str, leg: Leg, layout: Mapping[str, str], url: str) -> None:
        """Remember it."""

    async def claim(self, job: str, root: str, paths: Sequence[str]) -> None:
        """Claim paths below a root for a job.

        Raises:
            SettingsError: a path equals, contains or lies inside one of another job's; both are named.
        """

    async def partitions(self, job: str) -> Mapping[PartitionKey, int]:
        """Return the partitions ever synced, with their live items."""

    async def release(self, job: str, keys: Sequence[PartitionKey]) -> None:
        """Forget partitions: their items are doomed as gone in the next run (`--accept-gone`, `--prune`)."""

    async def begin_run(self, job: str, run: str, started: datetime) -> None:
        """Write the first line of a run's history."""

    async def end_run(self, report: Report, code: int) -> None:
        """Write the rest."""

    async def runs(self, job: str | None, limit: int) -> Sequence[RunRow]:
        """Return the newest runs first."""

    async def status(self, job: str) -> JobStatus:
        """Return counters; never counts rows."""

    async def jobs(self) -> Sequence[str]:
        """Return the names of all jobs with state."""

    async def all_owed(self, job: str) -> Sequence[OwedItem]:
        """Return every owed item of a job."""

    async def postpone(self, job: str, keys: Sequence[ItemKey], until: datetime | None) -> int:
        """Leave owed items alone until a time (None: retry them now); return how many there were."""

    async def rows(self, job: str, leg: Leg) -> Sequence[ManifestRow]:
        """Return all rows of a leg, for `state export` and tests."""

    async def rebuild(
        self, job: str, unit: Unit, leg: LegSpec, rows: AsyncIterator[Sequence[ManifestRow]], containers: Sequence[Container],
        cursors: Mapping[PartitionKey, Cursor | None], epoch: int,
    ) -> None:  # fmt: skip
        """Replace a leg's rows of a unit by what its manifest says; the unit's next epoch is above `epoch`.

        Rows come in batches, in (epoch, seq) order: a later row of a key replaces or deletes the earlier one. They are
        published rows: none goes to the outbox. Containers that do not belong to the unit's rows are left out.
        """

    async def invalidate(
        self, job: str, leg: Leg, keys: Sequence[ItemKey], reason: str, containers: Sequence[str] = ()
    ) -> int:
        """Owe items again that are stored but damaged or missing; return how many.

        Items of the named containers are owed too, their rows forgotten, and the containers with them: those archives
        are lost as a whole. Rows of other items stay until the new copy replaces them.
        """

    async def reset(self, job: str) -> None:
        """Forget a job: cursors, rows, owed items, claims."""

    async def rename(self, old: str, new: str) -> None:
        """Give a job another name."""

    async def close(self) -> None:
        """Give the database back."""
