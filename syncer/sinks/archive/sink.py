"""Archives as a destination: whole partitions in `<name>.zip` and its parts, or in tables that are named alike."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from syncer.model.entries import Container
from syncer.model.errors import SettingsError
from syncer.model.paths import clean_segment
from syncer.model.refs import AnnotationRef, Partition
from syncer.ports import Blobs, Found, ManifestRow, Tools, Unit
from syncer.sinks.archive.form import Form
from syncer.sinks.archive.names import Naming, PartId, part_id
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.place import ArchivePlace, Upload
from syncer.sinks.archive.places import Mode, Places, Rules
from syncer.sinks.archive.read import ArchiveReader
from syncer.sinks.archive.session import ArchiveSession
from syncer.sinks.archive.store import changed
from syncer.sinks.archive.swap import decode_swaps
from syncer.sinks.failures import destination
from syncer.sinks.layout import ITEM_FIELDS, KEY_FIELDS, Layout, Template, bound_layout
from syncer.sinks.manifest import JobManifest
from syncer.sinks.options import SinkOptions


class Plan(msgspec.Struct, frozen=True):
    """What the options of one kind of sink mean for its archives."""

    form: Form
    #: Template of an archive's name, with or without the ending.
    name: str
    mode: Mode
    upload: Upload
    #: Bytes at which the next part begins; None: by the kind of destination.
    limit: int | None
    #: Entries at which it begins.
    items: int | None
    #: Share of dead entries from which compacting is due.
    worn: float
    #: Options of this kind that can't change, beside the common ones.
    layout: Mapping[str, str] = msgspec.field(default_factory=dict)


class ArchiveSink:
    """The door `Sink` for archives below one folder, or one prefix of a bucket."""

    immediate = False

    def __init__(self, options: SinkOptions, plan: Plan, blobs: Blobs, tools: Tools) -> None:
        """Take the options and the open store.

        Raises:
            SettingsError: archives can't get there in the way asked for.
        """
        self.name, self.url = tools.name, blobs.url
        self.on_delete: str = options.on_delete
        self.on_withdraw: str = options.on_withdraw
        self.max_delete = options.max_delete
        self.shape: Mapping[str, str] = {"document": options.document}
        self.layout: Mapping[str, str] = {
            "type": options.type, "mode": plan.mode, "name": plan.name, **plan.layout,
        }  # fmt: skip
        #: Archives that no later run rewrites keep what was superseded.
        self.history = plan.mode == "delta"
        self.lasting = plan.mode != "current"
        self._options, self._plan, self._blobs, self._clock = options, plan, blobs, tools.clock
        self._ending = plan.form.ending
        self._place = ArchivePlace(blobs, options, plan.upload, plan.limit, tools, self._ending)
        self._reader = ArchiveReader(self._place.store, plan.form)
        self._bound: tuple[Naming, Layout] | None = None
        self._manifests: dict[str, JobManifest] = {}

    def bind(self, fixed: frozenset[str], variables: Mapping[str, str]) -> None:
        """See the door. A field that names the archive makes no folder inside it.

        Raises:
            SettingsError: a template uses a variable that is unknown or always empty.
        """
        text = self._plan.name.removesuffix(self._ending)
        known = {"project", *(name for name in KEY_FIELDS if name in fixed), *variables} - set(ITEM_FIELDS)
        template = Template.parse(text, known)
        inside = fixed | (template.variables & set(KEY_FIELDS))
        layout = bound_layout(self._options.path, inside, variables)
        self._bound = Naming(template, self._ending), layout
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
        return tuple(sorted({f"{self._naming.stem_of(partition)}{self._ending}" for partition in unit.partitions}))

    def holds(self, unit: Unit) -> Callable[[str], bool]:
        """Return what tells whether an archive has a stem of a unit."""
        stems = frozenset(self._naming.stem_of(partition) for partition in unit.partitions)
        begins = tuple(stems)

        def held(container: str) -> bool:
            # Most are of other units, and reading a name is dear.
            part = PartId.parse(container) if container.startswith(begins) else None
            return part is not None and part.ending in self._plan.form.known and part.stem in stems

        return held

    @asynccontextmanager
    async def session(
        self, unit: Unit, epoch: int, resume: bytes | None, containers: Sequence[Container], staged: bytes | None = None
    ) -> AsyncIterator[ArchiveSession]:
        """Open the archives of a unit; see the door."""
        naming, layout = self._need_bound()
        plan = self._plan
        mine = frozenset(naming.stem_of(partition) for partition in unit.partitions)
        swapped = frozenset(swap.name for swap in decode_swaps(staged)) if staged else frozenset[str]()
        self._refuse_others([one.name for one in containers if part_id(one.name).stem in mine])
        await self._check([one for one in containers if part_id(one.name).stem in mine and one.name not in swapped])
        async with self._place.growth(self.claims(unit) if unit.state else (), epoch) as growth:
            rules = Rules(
                mode=plan.mode, limit=self._place.limit, items=plan.items, form=plan.form,
                durable=self._options.durability != "none" and growth.outlives,
                # Where the version is part of the name, older ones are wanted.
                moves="version" not in layout.items.variables, worn=plan.worn,
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

    def _refuse_others(self, containers: Sequence[str]) -> None:
        """Refuse what another type of sink wrote for this job: it could be neither read nor replaced."""
        for name in containers:
            if part_id(name).ending not in self._plan.form.known:
                message = f"sink {self.name}: {name} was written by another type of sink"
                raise SettingsError(message, hint="give the new type a sink of its own, at another url")

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
