"""A Datature source on the real HTTP client, against the emulated platform."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from syncer.blobs.spool import open_spool
from syncer.model.events import Event
from syncer.net.client import open_http
from syncer.ports import Clock, Selection, Source, Tools
from syncer.sources.datature import PLUGIN
from tests.emulators.datature import DataturePlatform
from tests.support.mirror import Mirror
from tests.support.studio_source import Hasty


@asynccontextmanager
async def datature_source(
    platform: DataturePlatform, *, clock: Clock | None = None, events: list[Event] | None = None, **options: Any
) -> AsyncIterator[Source]:
    """Open a source; `events` takes what it and its client say."""
    account = {"url": platform.url, "token": platform.key, "organization": platform.org}
    settings = PLUGIN.options(**{**account, "limits": {"attempts": 2}, **options})
    said = [] if events is None else events
    used = clock or Hasty()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            open_spool(Path(folder) / "spool", reserve=0) as spool,
            open_http(settings.network(), used, said.append, spool) as http,
        ):
            yield PLUGIN.create(settings, http, Tools("vi", used, said.append))


@asynccontextmanager
async def mirrored(
    platform: DataturePlatform, dataset: str = "ds0001", batch: str | None = None, **options: Any
) -> AsyncIterator[Mirror]:
    """Open a source on a running platform and an empty mirror of one dataset, or of one batch of it."""
    async with datature_source(platform, **options) as source:
        select = Selection(projects=(dataset,), batches=(batch,) if batch else ())
        (partition,) = [found async for found in source.partitions(select)]
        platform.log.clear()
        yield Mirror(source, partition)
