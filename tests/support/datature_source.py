"""A Datature source on the real HTTP client, against the emulated platform."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread

from syncer.blobs.spool import open_spool
from syncer.model.events import Event
from syncer.net.client import open_http
from syncer.ports import Clock, Selection, Source, Tools
from syncer.sources.datature import PLUGIN
from tests.emulators.datature import DataturePlatform
from tests.support.command import Ended, syncer
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


def environment_of(platform: DataturePlatform) -> dict[str, str]:
    """Return what the vendor's own client, and `syncer`, read."""
    return {
        "DATATURE_VI_API_ENDPOINT": platform.url,
        "DATATURE_VI_ORGANIZATION_ID": platform.org,
        "DATATURE_VI_SECRET_KEY": platform.key,
    }


async def datature_export(
    platform: DataturePlatform, folder: Path, dataset: str, to: str, *more: str, env: Mapping[str, str] | None = None
) -> Ended:
    """Export a dataset as users do, in a process of its own, while this loop answers; the report is JSON."""
    line = ("export", "datature", "--project", dataset, "--to", to, "-o", "json", "--progress", "none", *more)
    return await anyio.to_thread.run_sync(lambda: syncer(*line, cwd=folder, env=env or environment_of(platform)))
