"""A Clarifai source on the real HTTP client, against the emulated platform."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from syncer.blobs.spool import open_spool
from syncer.model.events import Event
from syncer.net.client import open_http
from syncer.ports import Clock, Selection, Source, Tools
from syncer.sources.clarifai import PLUGIN
from tests.emulators.clarifai import KEY, ClarifaiPlatform
from tests.support.mirror import Mirror
from tests.support.studio_source import Hasty


@asynccontextmanager
async def clarifai_source(
    url: str, key: str = KEY, *, clock: Clock | None = None, events: list[Event] | None = None, **options: Any
) -> AsyncIterator[Source]:
    """Open a source; `events` takes what it and its client say. Without `limits`, as fast as the platform answers."""
    limits = {"requests_per_second": None, **options.pop("limits", {})}
    settings = PLUGIN.options(url=url, token=key, **{"user": "acme", "media_url": url, **options}, limits=limits)
    said = [] if events is None else events
    used = clock or Hasty()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            open_spool(Path(folder) / "spool", reserve=0) as spool,
            open_http(settings.network(), used, said.append, spool) as http,
        ):
            yield PLUGIN.create(settings, http, Tools("clarifai", used, said.append))


@asynccontextmanager
async def mirrored(
    platform: ClarifaiPlatform, app: str = "cars", batches: tuple[str, ...] = (), **options: Any
) -> AsyncIterator[Mirror]:
    """Open a source on an emulated platform and an empty mirror of one app, or of one batch of it."""
    async with clarifai_source(platform.url, platform.key, **options) as source:
        select = Selection(projects=(app,), batches=batches)
        (partition,) = [found async for found in source.partitions(select)]
        platform.log.clear()
        yield Mirror(source, partition)
