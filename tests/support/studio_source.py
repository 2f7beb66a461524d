"""A Label Studio source on the real HTTP client, against an emulated or a real server."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from syncer.blobs.spool import open_spool
from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.events import Event
from syncer.model.refs import Partition
from syncer.net.client import open_http
from syncer.ports import Clock, Selection, Source, Tools
from syncer.schedule.clock import SystemClock
from syncer.sources.label_studio import PLUGIN
from tests.support.mirror import Mirror


class Hasty(SystemClock):
    """Real time, but nobody waits: retries and pauses follow each other at once."""

    async def sleep(self, seconds: float) -> None:
        """Pass at once."""
        await super().sleep(min(seconds, 0.001))


@asynccontextmanager
async def studio_source(
    url: str, token: str, *, clock: Clock | None = None, events: list[Event] | None = None, **options: Any
) -> AsyncIterator[Source]:
    """Open a source; `events` takes what it and its client say."""
    settings = PLUGIN.options(url=url, token=token, **options)
    said = [] if events is None else events
    used = clock or Hasty()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            open_spool(Path(folder) / "spool", reserve=0) as spool,
            open_http(settings.network(), used, said.append, spool) as http,
        ):
            yield PLUGIN.create(settings, http, Tools("studio", used, said.append))


@asynccontextmanager
async def mirrored(platform: LabelStudioPlatform, project: int = 1, **options: Any) -> AsyncIterator[Mirror]:
    """Open a source on an emulated server and an empty mirror of one project."""
    async with studio_source(platform.url, platform.token, **options) as source:
        (partition,) = [found async for found in source.partitions(Selection(projects=(str(project),)))]
        platform.traffic.clear()
        yield Mirror(source, partition)


async def partitions_of(source: Source, *projects: str, **more: Any) -> list[Partition]:
    """Return what a selection yields."""
    return [found async for found in source.partitions(Selection(projects=projects, **more))]
