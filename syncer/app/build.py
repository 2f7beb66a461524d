"""From checked settings to running parts: HTTP clients, sources, sinks and jobs, opened once and closed in order."""

from contextlib import AsyncExitStack
from pathlib import Path

import anyio.to_thread
import msgspec
from msgspec.structs import replace

from syncer.app.registry import Registry
from syncer.app.sharing import is_shared
from syncer.flow.job import CommitPolicy, Job
from syncer.model.errors import SettingsError
from syncer.model.events import Emit
from syncer.net.client import Client, open_http
from syncer.net.network import Network
from syncer.ports import Blobs, Clock, Quotas, Share, Sink, Source, Spool, Tools, whole
from syncer.settings import Configured, Settings
from syncer.settings import Job as JobSettings

#: Bytes of documents between fetching and writing, where the configuration does not say.
BUDGET = 4 * 1024 * 1024


class Assembly(msgspec.Struct):
    """What is open; each platform account has one HTTP client, whatever number of jobs share it."""

    settings: Settings
    registry: Registry
    stack: AsyncExitStack
    spool: Spool
    #: The folder that the spool is a corner of.
    scratch: Path
    clock: Clock
    emit: Emit
    #: How much may happen at once, of what is configured.
    share: Share = whole
    #: Where limits are shared with other processes, and whether they are unless a platform says otherwise.
    quotas: Quotas | None = None
    fleet: bool = False
    _sources: dict[str, tuple[Source, Client]] = msgspec.field(default_factory=dict)

    async def source(self, platform: Configured) -> Source:
        """Return the source of a configured platform, opened on first use.

        Raises:
            SettingsError: a credential is missing, or the options are wrong.
        """
        key = _key(platform)
        if key not in self._sources:
            await anyio.to_thread.run_sync(platform.require_secrets)
            plugin = self.registry.source(platform.type)
            quotas = self.quotas if is_shared(platform, fleet=self.fleet) else None
            http = await self.stack.enter_async_context(
                open_http(_network(platform), self.clock, self.emit, self.spool, self.share, quotas)
            )
            tools = Tools(platform.name, self.clock, self.emit)
            self._sources[key] = plugin.create(platform.options, http, tools), http
        return self._sources[key][0]

    def relimit(self, old: Configured, new: Configured) -> None:
        """Let an open platform go on under other limits; one that is not open has nothing to change."""
        if _key(old) != _key(new) and (found := self._sources.pop(_key(old), None)) is not None:
            found[1].relimit(_network(new))
            self._sources[_key(new)] = found

    def sink(self, leg: Configured) -> Sink:
        """Return a configured sink; nothing is touched before its first use."""
        plugin = self.registry.sink(leg.type)
        return plugin.create(leg.options, self.settings.base, Tools(leg.name, self.clock, self.emit, self.scratch))

    def store(self, leg: Configured) -> Blobs:
        """Return the bytes behind a configured sink, for what concerns its whole root."""
        opened: Blobs = leg.options.open(self.settings.base)  # type: ignore[attr-defined]  # every sink's options derive from SinkOptions
        return opened

    def place(self, leg: Configured) -> str:
        """Return where a configured sink's data lies, without credentials."""
        return self.store(leg).url

    async def job(self, job: JobSettings) -> Job:
        """Return a job with its source and sinks.

        Raises:
            SettingsError: a template names a variable that this platform never fills, a secret is missing, …
        """
        source = await self.source(job.platform)
        sinks = tuple(self.sink(leg) for leg in job.legs)
        base: Path = self.settings.base
        transform = await anyio.to_thread.run_sync(self.registry.transform, job.options, base)
        redaction = await anyio.to_thread.run_sync(self.registry.redaction, job)
        commit = job.options.commit
        default = CommitPolicy()
        built = Job(
            name=job.name,
            platform=job.platform.name,
            platform_type=job.platform.type,
            source=source,
            select=job.options.select.selection(),
            sinks=sinks,
            transform=transform,
            redaction=redaction,
            commit=CommitPolicy(
                commit.items or default.items, commit.bytes or default.size, commit.interval or default.interval
            ),
            fetchers=_fetchers(_network(job.platform)),
            budget=min(self.settings.memory or BUDGET, BUDGET),
            share=self.share,
        )
        variables = dict(source.variables)
        for name, selected in (("batch", built.select.batches), ("annotation_type", built.select.annotation_types)):
            if not selected:
                variables.pop(name, None)
        for name in () if redaction is None else redaction.rules.anywhere:
            variables.pop(name, None)
        for sink in sinks:
            try:
                sink.bind(built.fixed(), variables)
            except SettingsError as error:
                raise SettingsError(f"jobs.{job.name}, sink {sink.name}: {error}", hint=error.hint) from error
        return built


def _fetchers(network: Network) -> int:
    """Return as many again as can be in flight: no slot waits for a fetcher, and a kill costs no more than these."""
    return 2 * max(network.concurrency, network.store_concurrency)


def _key(platform: Configured) -> str:
    return f"{platform.name}\n{platform.options!r}"


def _network(platform: Configured) -> Network:
    network: Network = platform.options.network()  # type: ignore[attr-defined]  # every platform's options derive from PlatformOptions
    return replace(network, platform=platform.name, account=network.account or platform.name)
