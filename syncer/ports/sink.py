"""A destination, and one of its units open for writing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from syncer.model.entries import Container, Entry, Leg, Published, Removals, Seal, StoredRow
from syncer.model.refs import AnnotationRef, Partition
from syncer.model.rows import ManifestRow
from syncer.ports.manifest import Manifest


class Unit(msgspec.Struct, frozen=True):
    """The set of partitions of one job that share containers: session, lease, epoch and commit are per unit."""

    name: str
    partitions: tuple[Partition, ...]
    #: Random id of the state that writes it: epochs of two states can't be compared.
    state: str = ""


class Sink(Protocol):
    """A destination: archives or objects below one root, with a manifest beside them."""

    name: Leg
    #: True where one object is one item: sealed and published coincide, and `stage` is never called.
    immediate: bool
    #: True where superseded versions stay, and the manifest remembers them, until `retention` removes them.
    history: bool
    #: True where what is published stays under its name until it is removed or compacted: an older generation reads as
    #: it did, and snapshots of it can be made.
    lasting: bool
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

    def holds(self, unit: Unit) -> Callable[[str], bool]:
        """Return what tells of a container's name whether it is one of a unit's; False for all where items are objects.

        There are as many containers as units, and more: asking about all of them has to cost next to nothing.
        """

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

    async def set_aside(self, containers: Sequence[str]) -> None:
        """Rename lost or damaged containers to `<name>.damaged`, so that new ones can take their names. Idempotent."""

    def scan(self, containers: Mapping[str, Container], *, deep: bool = False) -> AsyncIterator["Found"]:
        """Yield what really lies there: every object, or every entry of every container. For `verify`.

        With `deep`, every document is read and hashed; without, names and sizes are enough.
        """


class Found(msgspec.Struct, frozen=True):
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
            SettingsError: a path is no item's (`rows.is_item_path`); nothing of the call was accepted.
            LegFailed: the destination does not take them (disk full, permission).
        """

    async def remove(self, rows: Removals) -> None:
        """Drop stored items (for `on_delete: delete`, entries of a `current` archive, places that items left).

        Idempotent.
        """

    async def erase(self, rows: Removals, former: Removals) -> None:
        """Take entries out of wherever they lie, published or not, whatever the mode: no byte of them stays.

        `former` are superseded versions. Seal, stage, publish and settle follow. Idempotent.
        """

    async def seal(self) -> Seal:
        """Make durable all that was accepted so far; return its receipts."""

    async def stage(self) -> bytes | None:
        """Build, durably and beside the published ones, what publishing will swap in; return the swap list.

        None: nothing to publish. What was sealed is included, nothing else. Repeatable.
        """

    async def publish(self, swaps: bytes) -> Published:
        """Carry out a swap list that stands in the checkpoint. Idempotent: rolls forward from any point."""

    async def compact(
        self,
        rows: AsyncIterator[Sequence[StoredRow]],
        commit: Callable[[Seal], Awaitable[None]],
        *,
        only: Collection[str] | None = None,
        spare: Collection[str] = (),
    ) -> int:
        """Rewrite what holds dead entries, given all published rows of the unit; return how many entries were dropped.

        `commit` stores each seal: its receipts say which items lie in another container now. Stage, publish and settle
        follow. `only` names the containers that may be rewritten, whatever their share of dead entries; those of
        `spare` stay as they are, also their names. A sink whose containers hold one item each has nothing to do.
        """

    async def settle(self) -> None:
        """After the ledger recorded the publish: remove what only the old position needed. Idempotent."""
