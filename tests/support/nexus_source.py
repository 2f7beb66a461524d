"""A Nexus source on the real HTTP client, against the emulated platform."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from syncer.blobs.spool import open_spool
from syncer.model.events import Event
from syncer.net.client import open_http
from syncer.ports import Selection, Source, Tools
from syncer.sources.nexus import PLUGIN
from tests.emulators.nexus import PROJECT, NexusPlatform
from tests.support.mirror import Mirror
from tests.support.studio_source import Hasty


@asynccontextmanager
async def nexus_source(platform: NexusPlatform, **options: Any) -> AsyncIterator[Source]:
    """Open a source."""
    settings = PLUGIN.options(**{"url": platform.url, "token": platform.key, "limits": {"attempts": 2}, **options})
    said: list[Event] = []
    clock = Hasty()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            open_spool(Path(folder) / "spool", reserve=0) as spool,
            open_http(settings.network(), clock, said.append, spool) as http,
        ):
            yield PLUGIN.create(settings, http, Tools("nexus", clock, said.append))


@asynccontextmanager
async def mirrored(platform: NexusPlatform, group: str | None = None, **options: Any) -> AsyncIterator[Mirror]:
    """Open a source on a running platform and an empty mirror of its first project, or of one group of it."""
    async with nexus_source(platform, **options) as source:
        select = Selection(projects=(PROJECT,), batches=(group,) if group else ())
        (partition,) = [found async for found in source.partitions(select)]
        platform.asked.clear()
        yield Mirror(source, partition)
