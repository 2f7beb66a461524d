"""Zip archives as a destination: whole partitions in `<name>.zip`, readable by everything that reads zip files."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from syncer.blobs.roots import is_bucket
from syncer.model.entries import Container
from syncer.model.paths import clean_segment
from syncer.model.refs import AnnotationRef, Partition
from syncer.model.units import SIZE_PATTERN, size_in_bytes
from syncer.ports import Blobs, Found, ManifestRow, SinkPlugin, Tools, Unit
from syncer.sinks.archive.names import EXTENSION, Naming, PartId, part_id
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.place import ArchivePlace, Upload
from syncer.sinks.archive.places import Places, Rules
from syncer.sinks.archive.read import ArchiveReader
from syncer.sinks.archive.session import ArchiveSession
from syncer.sinks.archive.store import changed
from syncer.sinks.archive.swap import decode_swaps
from syncer.sinks.failures import destination
from syncer.sinks.layout import ITEM_FIELDS, KEY_FIELDS, Layout, Template, bound_layout
from syncer.sinks.manifest import JobManifest
from syncer.sinks.options import SinkOptions

Size = Annotated[
    int,
    BeforeValidator(size_in_bytes),
    Field(ge=1 << 16),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SIZE_PATTERN}, {"type": "integer", "minimum": 1 << 16}]}),
]


class ZipOptions(SinkOptions):
    """Options of `type: zip`."""

    type: Literal["zip"] = Field(default="zip", description="Archives, each with whole partitions in it.")
    name: str = Field(
        default="{project}.zip",
        min_length=1,
        description=(
            "Template of an archive's name. Partitions whose names come out alike share an archive; it may use project,"
            " batch, annotation_type and what the platform says of them (`{project_title}`)."
        ),
    )
    mode: Literal["current", "append", "delta"] = Field(
        default="current",
        description=(
            "`current`: the archives hold exactly what is current. `append`: published parts stay as they are, changes"
            " go to new parts. `delta`: the changes of each run in archives of their own."
        ),
    )
    max_part_size: Size | None = Field(
        default=None,
        description=(
            "Size at which the next part of an archive begins; one entry may be larger."
            " Default: `2GiB` in a folder, `256MiB` in a bucket."
        ),
    )
    compact_above: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description=(
            "`append` only: share of superseded entries from which a run compacts the archives by itself. `1`: never."
        ),
    )
    upload: Upload = Field(
        default="spool",
        description=(
            "Buckets only: how archives get there. `spool`: they grow in the local spool, which has to outlive the"
            " process, and are uploaded when they are published. `volumes`: for pods without a disk; they grow in a"
            " bounded corner of the spool, which may be memory, and what is new goes to the bucket all the time."
            " `multipart` (S3, needs `annotation-syncer[multipart]`): the same, straight into a multipart upload."
        ),
    )

    def alone(self) -> str | None:
        """Tell what keeps several machines from working on it together."""
        if is_bucket(self.url) and self.upload == "spool":
            return "with `upload: spool` archives grow on the disk of one machine: use `upload: volumes` or `multipart`"
        return None


class ZipSink:
    """The door `Sink` for archives below one folder, or one prefix of a bucket."""

    immediate = False

    def __init__(self, options: ZipOptions, blobs: Blobs, tools: Tools) -> None:
        """Take the options and the open store.

        Raises:
            SettingsError: archives can't get there in the way asked for.
        """
        self.name, self.url = tools.name, blobs.url
        self.on_delete: str = options.on_delete
        self.on_withdraw: str = options.on_withdraw
        self.max_delete = options.max_delete
        self.shape: Mapping[str, str] = {"document": options.document}
        self.layout: Mapping[str, str] = {"type": options.type, "mode": options.mode, "name": options.name}
        #: Archives that no later run rewrites keep what was superseded.
        self.history = options.mode == "delta"
        self.lasting = options.mode != "current"
        self._options, self._blobs, self._clock = options, blobs, tools.clock
        self._place = ArchivePlace(blobs, options, options.upload, options.max_part_size, tools)
        self._reader = ArchiveReader(self._place.store)
        self._bound: tuple[Naming, Layout] | None = None
        self._manifests: dict[str, JobManifest] = {}

    def bind(self, fixed: frozenset[str], variables: Mapping[str, str]) -> None:
        """See the door. A field that names the archive makes no folder inside it.

        Raises:
            SettingsError: a template uses a variable that is unknown or always empty.
        """
        text = self._options.name.removesuffix(EXTENSION)
        known = {"project", *(name for name in KEY_FIELDS if name in fixed), *variables} - set(ITEM_FIELDS)
        template = Template.parse(text, known)
        inside = fixed | (template.variables & set(KEY_FIELDS))
        layout = bound_layout(self._options.path, inside, variables)
        self._bound = Naming(template), layout
        self.shape = {**self.shape, "path": layout.items.text}
        self.layout = {**self.layout, "path": layout.items.text}

    def unit_of(self, partition: Partition) -> str:
        """Return the stem of the archives that hold a partition, as one safe word."""
        stem = self._naming.stem_of(partition)
        return stem if "/" not in stem else clean_segment(stem, stem)

    def path_of(self, partition: Partition, ref: AnnotationRef) -> str:
        """Return the wished name of an entry."""
        return self._need_bound()[1].path_of(partition, ref)

    def claims(self, unit: Unit) -> tuple[str, ...]:
        """Return the names of the archives that a unit begins with."""
        return tuple(sorted({f"{self._naming.stem_of(partition)}{EXTENSION}" for partition in unit.partitions}))

    def holds(self, unit: Unit, container: str) -> bool:
        """Tell whether an archive has a stem of a unit."""
        part = PartId.parse(container)
        return part is not None and part.stem in {self._naming.stem_of(partition) for partition in unit.partitions}

    @asynccontextmanager
    async def session(
        self, unit: Unit, epoch: int, resume: bytes | None, containers: Sequence[Container], staged: bytes | None = None
    ) -> AsyncIterator[ArchiveSession]:
        """Open the archives of a unit; see the door."""
        naming, layout = self._need_bound()
        options = self._options
        mine = frozenset(naming.stem_of(partition) for partition in unit.partitions)
        swapped = frozenset(swap.name for swap in decode_swaps(staged)) if staged else frozenset[str]()
        await self._check([one for one in containers if part_id(one.name).stem in mine and one.name not in swapped])
        async with self._place.growth(self.claims(unit) if unit.state else (), epoch) as growth:
            rules = Rules(
                mode=options.mode, limit=self._place.limit, durable=options.durability != "none" and growth.outlives,
                # Where the version is part of the name, older ones are wanted.
                moves="version" not in layout.items.variables, worn=options.compact_above,
            )  # fmt: skip
            parts = Parts(Places(growth.folder, self._place.store, containers, rules, epoch))
            session = ArchiveSession(self.name, parts, growth, self._blobs, self._naming, unit.partitions)
            try:
                if staged is None:
                    await session.resume(resume)
                else:
                    session.roll_forward(resume, staged)
                yield session
            finally:
                await session.close()

    def manifest(self, job: str) -> JobManifest:
        """Return the manifest of a job beside the archives."""
        made = JobManifest(
            self._blobs, job, self.name, self._clock,
            history=self.history, lasting=self.lasting, keep=self._options.kept(),
        )  # fmt: skip
        return self._manifests.setdefault(job, made)

    async def read(self, row: ManifestRow, limit: int) -> bytes | None:
        """Return the document of an entry, None if archive or entry are missing.

        Raises:
            TooLarge: it is larger than `limit` bytes.
            DestinationChanged: the archive can't be read there.
        """
        with destination(self.name, self.url):
            return await self._reader.read(row, limit)

    async def set_aside(self, containers: Sequence[str]) -> None:
        """Rename archives to `<name>.damaged`, or `.damaged-2` and so on where that is taken. Idempotent."""
        with destination(self.name, self.url):
            await self._place.store.set_aside(containers)

    async def scan(self, containers: Mapping[str, Container], *, deep: bool = False) -> AsyncIterator[Found]:
        """Yield every entry of every archive, and what is wrong with entries or archives.

        What is wrong with an archive as a whole is found under its own name, as path and container alike.
        """
        with destination(self.name, self.url):
            async for found in self._reader.scan(containers, deep=deep):
                yield found

    async def _check(self, containers: Sequence[Container]) -> None:
        """Compare what is published with what was; archives of other units are looked at when they are swapped."""
        with destination(self.name, self.url):
            for container in containers:
                now = await self._blobs.stat(container.name)
                if now is None or now.tag != container.tag:
                    why = "it is missing" if now is None else "it was replaced or changed"
                    raise changed(self._place.store.where(container.name), why)

    @property
    def _naming(self) -> Naming:
        return self._need_bound()[0]

    def _need_bound(self) -> tuple[Naming, Layout]:
        if self._bound is None:
            message = f"sink {self.name} was used before bind()"
            raise RuntimeError(message)
        return self._bound


def _create(options: ZipOptions, base: Path, tools: Tools) -> ZipSink:
    """Make the sink; nothing is touched before its first use."""
    return ZipSink(options, options.open(base), tools)


PLUGIN = SinkPlugin("zip", "zip archives in a folder or a bucket", ZipOptions, _create)
