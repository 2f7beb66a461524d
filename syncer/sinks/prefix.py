"""The `prefix` destination: one object an item below a root, readable as soon as it is written."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from anyio import to_thread
from pydantic import Field

from syncer.blobs.roots import open_root
from syncer.model.entries import Container, Entry, Published, Receipt, Removals, Seal, StoredRow
from syncer.model.errors import SettingsError
from syncer.model.events import Warned
from syncer.model.paths import MANIFEST_FOLDER, clean_segment, digest8
from syncer.model.refs import AnnotationRef, Partition
from syncer.model.rows import is_item_path
from syncer.ports import Blobs, Found, ManifestRow, SinkPlugin, Tools, Unit
from syncer.sinks.failures import destination
from syncer.sinks.layout import Layout, bound_layout
from syncer.sinks.manifest import JobManifest
from syncer.sinks.options import SinkOptions


class PrefixOptions(SinkOptions):
    """Options of a destination with one object an item."""

    type: Literal["prefix"] = Field(default="prefix", description="One object an item.")


class PrefixSink:
    """Objects below one root. Sealed and published coincide."""

    immediate = True

    def __init__(self, options: SinkOptions, blobs: Blobs, tools: Tools) -> None:
        """Take a store; nothing is touched before the first session."""
        self.name = tools.name
        self.url = blobs.url
        self.on_delete: str = options.on_delete
        self.on_withdraw: str = options.on_withdraw
        self.max_delete = options.max_delete
        self._options = options
        self._blobs = blobs
        self._tools = tools
        self._manifests: dict[str, JobManifest] = {}
        self._take(bound_layout(None, frozenset(), {}))

    def bind(self, fixed: frozenset[str], variables: Mapping[str, str]) -> None:
        """Settle the layout for a selection, see `layout.bound_layout`.

        Raises:
            SettingsError: the path template uses a variable that is unknown or always empty.
        """
        self._take(bound_layout(self._options.path, fixed, variables))

    def _take(self, layout: Layout) -> None:
        self._layout = layout
        self.shape: Mapping[str, str] = {"path": layout.items.text, "document": self._options.document}
        self.layout: Mapping[str, str] = {"type": self._options.type, "path": layout.items.text}

    def unit_of(self, partition: Partition) -> str:
        """Return the partition's own name, readable and safe: `7`, `7+batch`, `7++type`; each is a unit of its own."""
        parts = [partition.key.project, partition.key.batch, partition.key.annotation_type]
        name = "+".join(part or "" for part in parts).rstrip("+")
        if any(part is not None and ("+" in part or not part) for part in parts):
            name += f"~{digest8(partition.key.canonical())}"
        return clean_segment(name, partition.key.canonical())

    def path_of(self, partition: Partition, ref: AnnotationRef) -> str:
        """Return the wished path of an item: pure, safe, relative."""
        return self._layout.path_of(partition, ref)

    def claims(self, unit: Unit) -> tuple[str, ...]:
        """Return the folders that a unit writes to; `` is the whole root."""
        claims = {claim for partition in unit.partitions for claim in self._layout.claims(partition)}
        return ("",) if "" in claims else tuple(sorted(claims))

    @asynccontextmanager
    async def session(
        self,
        unit: Unit,
        epoch: int,
        resume: bytes | None,
        containers: Sequence[Container],
        staged: bytes | None = None,
    ) -> AsyncIterator["PrefixSession"]:
        """Open a unit for writing. Objects need no token: what was sealed is simply there.

        Raises on entering:
            LegFailed: the destination can't be written.
        """
        del resume, containers, staged  # an object is complete or absent: there is nothing to go on from
        # Claims are disjoint over all jobs of a root, so this corner is nobody else's.
        corner = f"{MANIFEST_FOLDER}/.tmp/{clean_segment(unit.name, unit.name)}~{digest8(repr(self.claims(unit)))}"
        with destination(self.name, self.url):
            await self._blobs.clear_scratch(corner)
        opened = PrefixSession(self.name, self._blobs, f"{corner}/{epoch:08d}", moves=self._moves)
        yield opened
        try:
            await self._blobs.clear_scratch(corner)
        except OSError as error:
            # Everything is committed by now: what is left over is untidy, not wrong.
            self._tools.emit(Warned(f"sink {self.name}: temporary files could not be removed: {error}"))

    @property
    def _moves(self) -> bool:
        # Where the version is part of the name, the older ones are wanted.
        return "version" not in self._layout.items.variables

    def manifest(self, job: str) -> JobManifest:
        """Return the manifest of a job beside the objects."""
        return self._manifests.setdefault(job, JobManifest(self._blobs, job, self.name, self._tools.clock))

    async def read(self, row: ManifestRow, limit: int) -> bytes | None:
        """Return the current bytes of one item; None if its object is missing.

        Raises:
            SettingsError: the row's path leaves the destination.
            TooLarge: there are more bytes than the limit.
        """
        with destination(self.name, self.url):
            found = await self._blobs.get(_guarded(row.path), limit)
        return None if found is None else found[0]

    async def set_aside(self, containers: Sequence[str]) -> None:
        """Do nothing: there are no containers."""

    async def scan(self, containers: Mapping[str, Container], *, deep: bool = False) -> AsyncIterator[Found]:
        """Yield every object below the root, manifests aside; with `deep`, read and hashed."""
        del containers  # an object is an item
        with destination(self.name, self.url):
            async for info in self._blobs.list():
                if is_item_path(info.name):
                    yield await self._hashed(info.name) if deep else Found(info.name, None, info.size)

    async def _hashed(self, name: str) -> Found:
        digest, size = hashlib.sha256(), 0
        try:
            async for chunk in self._blobs.read(name):
                await to_thread.run_sync(digest.update, chunk)
                size += len(chunk)
        except FileNotFoundError:
            return Found(name, None, 0, None, "it was removed while it was looked at")
        return Found(name, None, size, digest.hexdigest())


class PrefixSession:
    """One unit open for writing. Each call is one batch: one hop, each object complete or absent."""

    def __init__(self, leg: str, blobs: Blobs, scratch: str, *, moves: bool = True) -> None:
        """Take the store and a private corner for temporary files; `moves`: an item has one path at a time."""
        self._leg = leg
        self._blobs = blobs
        self._scratch = scratch
        self._moves = moves
        self._receipts: list[Receipt] = []

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write each entry's object, readable at once and durable with the next `seal`. The same path again replaces.

        Raises:
            SettingsError: a path leaves the destination; nothing of the batch was written.
            LegFailed: the destination does not take it.
        """
        files = [(_guarded(entry.path), entry.body) for entry in entries]
        with destination(self._leg, self._blobs.url):
            await self._blobs.put_many(files, self._scratch)
        # Digests are computed where they are asked for first: not on the event loop.
        await to_thread.run_sync(lambda: [entry.sha256 for entry in entries])
        for entry in entries:
            receipt = Receipt(entry.key, entry.version, entry.path, None, entry.size, entry.sha256, self._moves)
            self._receipts.append(receipt)

    async def remove(self, rows: Removals) -> None:
        """Delete stored objects; absent ones are fine.

        Raises:
            LegFailed: the destination does not let them go.
        """
        with destination(self._leg, self._blobs.url):
            await self._blobs.delete_many([_guarded(row.path) for row in rows])

    async def seal(self) -> Seal:
        """Make durable what was written and removed so far; return the receipts since the last seal.

        Raises:
            LegFailed: the disk did not take it; what is not sealed is written again by the next run.
        """
        with destination(self._leg, self._blobs.url):
            await self._blobs.sync()
        receipts, self._receipts = tuple(self._receipts), []
        return Seal(receipts)

    async def stage(self) -> bytes | None:
        """Return None: objects are published as they are written."""
        return None

    async def publish(self, swaps: bytes) -> Published:
        """Do nothing: there is nothing to swap."""
        del swaps
        return Published()

    async def compact(self, rows: AsyncIterator[Sequence[StoredRow]], commit: Callable[[Seal], Awaitable[None]]) -> int:
        """Do nothing: one object is one item."""
        del rows, commit
        return 0

    async def settle(self) -> None:
        """Do nothing: no old position is kept."""


def _guarded(path: str) -> str:
    if not is_item_path(path):
        message = f"{path[:200]!r} is no name for an item: it leaves the destination, or lies in {MANIFEST_FOLDER}/"
        raise SettingsError(message)
    return path


def _create(options: PrefixOptions, base: Path, tools: Tools) -> PrefixSink:
    return PrefixSink(options, open_root(options.url, base, durability=options.durability), tools)


PLUGIN = SinkPlugin("prefix", "one object an item in a folder", PrefixOptions, _create)
