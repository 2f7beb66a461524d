"""The library behind the command line: `async with syncer.open("syncer.yaml") as s: await s.sync("job")`."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import anyio.to_thread
import msgspec

from syncer.app.build import Assembly
from syncer.app.notices import notifying
from syncer.app.registry import Registry, discover
from syncer.app.sharing import sharing
from syncer.blobs.spool import open_spool
from syncer.flow.drain import Drain
from syncer.flow.job import Job, RunOptions
from syncer.flow.preview import Preview, preview
from syncer.flow.run import pass_of, run
from syncer.model.entries import Annotation, Body
from syncer.model.erasure import NOTE
from syncer.model.errors import SettingsError, SyncerError
from syncer.model.events import ItemFetched, RunEnded
from syncer.model.refs import AnnotationRef, GroupKey, ItemKey, Partition
from syncer.model.report import Report, unbegun
from syncer.net.ahead import in_order
from syncer.observe.health import Tally
from syncer.observe.hub import Hub
from syncer.observe.underway import Underway
from syncer.ports import Clock, Selection, Source, StateStore
from syncer.schedule.ceiling import Valve
from syncer.schedule.clock import SystemClock
from syncer.settings import Configured, Settings
from syncer.settings.problems import suggestion
from syncer.state import open_state

#: Documents that `Syncer.annotations` fetches ahead of its reader.
OPEN_AHEAD = 32


class Syncer(msgspec.Struct):
    """An open configuration. Not for use by several event loops."""

    settings: Settings
    registry: Registry
    assembly: Assembly
    store: StateStore
    clock: Clock
    hub: Hub
    tally: Tally
    #: The figures of the runs under way.
    underway: Underway
    #: How much may happen at once, of what is configured; less while memory is short.
    valve: Valve
    #: Reads the configuration anew, from where it was read. Blocks.
    reread: Callable[[], Settings]
    #: Closes the intake of each run under way, by job: see `drain`.
    _drains: list[tuple[str, Drain]] = msgspec.field(default_factory=list)
    _drained: str | None = None

    async def sync(self, job: str, options: RunOptions | None = None) -> Report:
        """Bring a job's sinks in step with its platform, once, and return the account of it.

        Raises:
            SettingsError: there is no such job, or it can't be assembled.
        """
        started = self.clock.now()
        try:
            built = await self.job(job)
            # Rows that it has removed already would look like deletions, and be told to everybody.
            if NOTE in await self.store.recall(job):
                from syncer.app.erasing import go_on  # noqa: PLC0415  # few passes have anything to do with it

                await go_on(self, job)
        except SyncerError as error:
            # No run began, so nobody else says that there is none.
            self.hub.emit(RunEnded(unbegun(job, started, self.clock.now(), error)))
            raise
        with self.draining(job) as drain:
            return await run(
                built, self.store, options or RunOptions(), drain=drain, spool=self.assembly.spool,
                clock=self.clock, emit=self.hub.emit, traffic=self.tally.traffic,
            )  # fmt: skip

    async def plan(self, job: str, options: RunOptions | None = None) -> Preview:
        """Return what `sync` would do now; nothing is fetched or written.

        Raises:
            SyncerError: the platform or the settings do not allow it.
        """
        built = await self.job(job)
        with self.draining(job) as drain:
            return await preview(
                pass_of(
                    built, self.store, options or RunOptions(), drain=drain, spool=self.assembly.spool,
                    clock=self.clock, emit=self.hub.emit, traffic=self.tally.traffic,
                )
            )  # fmt: skip

    async def job(self, name: str) -> Job:
        """Return an assembled job.

        Raises:
            SettingsError: there is none of that name, or it can't be assembled.
        """
        found = self.settings.jobs.get(name)
        if found is None:
            known = suggestion(name, self.settings.jobs, nothing="the configuration has no jobs")
            raise SettingsError(f"no job {name!r}; {known}")
        return await self.assembly.job(found)

    async def source(self, name: str) -> Source:
        """Return the source of a configured platform.

        Raises:
            SettingsError: there is none of that name, or a credential is missing.
        """
        return await self.assembly.source(self.platform(name))

    def platform(self, name: str) -> Configured:
        """Return a platform of the configuration, by name, or by type where only one has it.

        Raises:
            SettingsError: there is none.
        """
        found = self.settings.platforms.get(name)
        if found is None:
            same = [each for each in self.settings.platforms.values() if each.type == name]
            found = same[0] if len(same) == 1 else None
        if found is None:
            known = suggestion(name, self.settings.platforms, nothing="the configuration has no platforms")
            raise SettingsError(f"no platform {name!r}; {known}")
        return found

    async def get(self, platform: str, *parts: str) -> Body:
        """Return one document by the parts of its public name."""
        return await (await self.source(platform)).get(parts)

    async def annotations(
        self, platform: str, project: str, *, batches: Sequence[str] = (), annotation_types: Sequence[str] = ()
    ) -> AsyncIterator[Annotation]:
        """Yield the finished documents of a project, straight from the platform: no state, no sink.

        Raises:
            SyncerError: the listing or a document fails for good.
        """
        source = await self.source(platform)
        select = Selection((project,), tuple(batches), tuple(annotation_types))
        async with aclosing(source.partitions(select)) as partitions:
            async for partition in partitions:
                async for annotation in _annotations(source, partition, select):
                    yield annotation

    def drain(self, reason: str, job: str | None = None) -> None:
        """Stop taking in new work, of one job or for good; what is in flight is finished and committed.

        Within `daemon.grace`, or it is cut off.
        """
        if job is None:
            self._drained = self._drained or reason
        for name, drain in tuple(self._drains):
            if job is None or name == job:
                drain.start(reason, bounded=True)

    @contextmanager
    def draining(self, job: str) -> Iterator[Drain]:
        """Give a run its own switch: one that is stopped does not stop the others."""
        drain = Drain(self.hub.emit, self.settings.daemon.grace)
        if self._drained is not None:
            drain.start(self._drained, bounded=True)
        self._drains.append((job, drain))
        try:
            yield drain
        finally:
            self._drains.remove((job, drain))


class _Nothing(msgspec.Struct, frozen=True):
    """`ports.Known` of a listing that compares with nothing."""

    live: int = 0
    full: bool = False
    refetch: bool = False

    async def has(self, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:  # noqa: ARG002  # the door's signature
        """Know none of them."""
        return frozenset()

    async def members(self, groups: Sequence[GroupKey]) -> Mapping[GroupKey, frozenset[ItemKey]]:
        """Know no member of any."""
        return dict.fromkeys(groups, frozenset())


async def _annotations(source: Source, partition: Partition, select: Selection) -> AsyncIterator[Annotation]:
    async with aclosing(source.discover(partition, None, _Nothing(), select)) as pages:
        async for page in pages:
            away = [ref for ref in page.refs if ref.inline is None]
            for ref in page.refs:
                if ref.inline is not None:
                    yield Annotation(ref.key, ref.version, ref.inline, ref.fields)
            batch = source.features.batch
            opens = (partial(_opened, source, away[first : first + batch]) for first in range(0, len(away), batch))
            async with aclosing(in_order(opens, max(1, OPEN_AHEAD // batch))) as opened:
                async for annotations in opened:
                    for annotation in annotations:
                        yield annotation
            if page.end is not None:
                return


async def _opened(source: Source, refs: Sequence[AnnotationRef]) -> list[Annotation]:
    annotations: list[Annotation] = []
    async with aclosing(source.open(refs)) as bodies:
        async for body in bodies:
            if not isinstance(body, Body):
                raise body
            data = body.data
            content = data if isinstance(data, bytes) else await anyio.to_thread.run_sync(data.path.read_bytes)
            annotations.append(Annotation(body.ref.key, body.version or body.ref.version, content, body.ref.fields))
    return annotations


@asynccontextmanager
async def open_syncer(
    config: Path | str | None = None, *, sets: Sequence[str] = (), add: Mapping[str, Any] | None = None,
    hub: Hub | None = None, clock: Clock | None = None, registry: Registry | None = None, readonly: bool = False,
    fleet: bool = False,
) -> AsyncIterator[Syncer]:  # fmt: skip
    """Open a configuration file (or a tree in `add`), its state and what jobs need.

    With `readonly` nothing is written where the state lies, not even an empty file: for looking and planning. With
    `fleet` limits are shared with all processes of the same state, unless a platform's `limits.shared` says otherwise.

    Raises on entering:
        SettingsError: the configuration can't be used; all that is wrong is listed.
    """
    known: Registry = registry if registry is not None else await anyio.to_thread.run_sync(discover)

    def read() -> Settings:
        return known.settings(config, sets=sets, add=add)

    settings: Settings = await anyio.to_thread.run_sync(read)
    ticking = clock or SystemClock()
    heard = hub or Hub()
    tally = Tally()
    heard.add(tally, without={ItemFetched})
    underway = Underway(ticking)
    heard.add(underway)
    url = await anyio.to_thread.run_sync(settings.state_url.reveal)
    async with AsyncExitStack() as stack:
        scratch = temporary_folder() if readonly else spool_folder(settings)
        spool = await stack.enter_async_context(open_spool(scratch))
        store = await stack.enter_async_context(open_state(url, settings.base, readonly=readonly))
        valve = Valve()
        quotas = await stack.enter_async_context(sharing(settings, url, heard.emit, fleet=fleet))
        assembly = Assembly(settings, known, stack, spool, scratch, ticking, heard.emit, valve, quotas, fleet)
        notify = () if readonly else settings.notify
        await stack.enter_async_context(notifying(notify, ticking, heard, spool))
        yield Syncer(settings, known, assembly, store, ticking, heard, tally, underway, valve, read)


def spool_folder(settings: Settings) -> Path:
    """Return where bodies too large for memory go: as configured, else beside the state, else a temporary folder."""
    if settings.spool is not None:
        return settings.spool
    if settings.state_file is not None:
        return settings.state_file.parent / "spool"
    return temporary_folder()


def temporary_folder() -> Path:
    """Return a folder of this user's own below the temporary one."""
    return Path(gettempdir()) / f"syncer-spool-{os.getuid()}"
