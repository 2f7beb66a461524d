"""The `prefix` destination: one object an item below a root, readable as soon as it is written."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from syncer.model.entries import Container
from syncer.model.events import Warned
from syncer.model.paths import MANIFEST_FOLDER, clean_segment, digest8
from syncer.model.refs import AnnotationRef, Partition
from syncer.model.rows import is_item_path
from syncer.ports import BlobInfo, Blobs, Found, ManifestRow, Tools, Unit
from syncer.sinks.failures import destination
from syncer.sinks.layout import Layout, bound_layout
from syncer.sinks.manifest import JobManifest
from syncer.sinks.options import SinkOptions
from syncer.sinks.prefix.mark import Mark
from syncer.sinks.prefix.options import PrefixOptions
from syncer.sinks.prefix.read import read_together
from syncer.sinks.prefix.session import PrefixSession, guarded

#: Objects that are read and hashed side by side.
_TOGETHER = 64


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
        self.history = self.lasting = self._keeps = isinstance(options, PrefixOptions) and options.versions == "keep"
        self._take(bound_layout(None, frozenset(), {}, keep=self._keeps))

    def bind(self, fixed: frozenset[str], variables: Mapping[str, str]) -> None:
        """Settle the layout for a selection, see `layout.bound_layout`.

        Raises:
            SettingsError: the path template uses a variable that is unknown or always empty.
        """
        self._take(bound_layout(self._options.path, fixed, variables, keep=self._keeps))

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

    def holds(self, unit: Unit) -> Callable[[str], bool]:  # noqa: ARG002  # there are none
        """Return what tells that no container is a unit's: every item is an object of its own."""
        return lambda _: False

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
        corner = f"{corner}/{epoch:08d}"
        with destination(self.name, self.url):
            # In a folder, having it is what allows to write: whoever takes over takes it away.
            await self._blobs.take_scratch(corner)
        opened = PrefixSession(
            self.name, self._blobs, corner, Mark(f"{unit.state}/{unit.name}", epoch), moves=self._moves,
            keeps=self._keeps, emit=self._tools.emit,
        )  # fmt: skip
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
        made = JobManifest(
            self._blobs, job, self.name, self._tools.clock,
            history=self.history, lasting=self.lasting, keep=self._options.kept(),
        )  # fmt: skip
        return self._manifests.setdefault(job, made)

    async def read(self, row: ManifestRow, limit: int) -> bytes | None:
        """Return the current bytes of one item; None if its object is missing.

        Raises:
            SettingsError: the row's path leaves the destination.
            TooLarge: there are more bytes than the limit.
        """
        with destination(self.name, self.url):
            found = await self._blobs.get(guarded(row.path), limit)
        return None if found is None else found[0]

    async def set_aside(self, containers: Sequence[str]) -> None:
        """Do nothing: there are no containers."""

    async def scan(self, containers: Mapping[str, Container], *, deep: bool = False) -> AsyncIterator[Found]:
        """Yield every object below the root, manifests aside; with `deep`, read and hashed."""
        del containers  # an object is an item
        with destination(self.name, self.url):
            waiting: list[BlobInfo] = []
            async for info in self._blobs.list():
                if not is_item_path(info.name):
                    continue
                if not deep:
                    yield Found(info.name, None, info.size)
                    continue
                waiting.append(info)
                if len(waiting) >= _TOGETHER:
                    for found in await read_together(self._blobs, waiting):
                        yield found
                    waiting = []
            for found in await read_together(self._blobs, waiting):
                yield found
