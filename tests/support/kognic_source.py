"""A Kognic or Annotell source on the real HTTP client, against an emulated server."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from syncer.blobs.spool import open_spool
from syncer.model.events import Event
from syncer.net.client import open_http
from syncer.ports import Clock, Source, SourcePlugin, Tools
from syncer.sources.kognic import PLUGIN
from tests.emulators.kognic import KognicPlatform
from tests.support.studio_source import Hasty


@asynccontextmanager
async def kognic_source(
    platform: KognicPlatform,
    *,
    plugin: SourcePlugin = PLUGIN,
    clock: Clock | None = None,
    events: list[Event] | None = None,
    **options: Any,
) -> AsyncIterator[Source]:
    """Open a source with the platform's credentials; `events` takes what it and its client say."""
    account = {"client_id": platform.auth.client_id, "client_secret": platform.auth.client_secret}
    settings = plugin.options(**{"url": platform.url, "content_hosts": [platform.storage_url], **account, **options})
    said = [] if events is None else events
    used = clock or Hasty()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            open_spool(Path(folder) / "spool", reserve=0) as spool,
            open_http(settings.network(), used, said.append, spool) as http,
        ):
            yield plugin.create(settings, http, Tools(plugin.type, used, said.append))
