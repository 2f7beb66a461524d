"""The manifest that a command is about: of a job of the configuration, or of a URL, without any configuration."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import msgspec

from syncer.cli.exits import UsageError
from syncer.cli.options import Everywhere
from syncer.cli.places import opened_places
from syncer.model.errors import SettingsError
from syncer.ports import Manifest
from syncer.sinks.options import SinkOptions
from syncer.sinks.reading.roots import open_reading


class Told(msgspec.Struct, frozen=True):
    """A manifest, and what of it was asked for."""

    job: str
    url: str
    manifest: Manifest
    #: Tells whether what lies in a container is asked for: an archive's URL means that archive.
    wanted: Callable[[str | None], bool] = lambda _: True


@asynccontextmanager
async def opened_manifest(here: Everywhere, word: str, sink: str | None = None) -> AsyncIterator[Told]:
    """Open the configuration, if there is one, and find the manifest that a word means.

    Raises on entering:
        UsageError: the word is neither a job nor a destination, or the job has several sinks and none is named.
        SettingsError: nothing is stored there.
    """
    async with opened_places(here, [word], sink) as (session, found):
        if len(found) > 1:
            names = ", ".join(each.sink.name for each in found)
            raise UsageError(f"job {word} has {len(found)} sinks", hint=f"name one with --sink: {names}")
        place = found[0]
        if word in session.syncer.settings.jobs:
            manifest = place.sink.manifest(place.job)
            if await manifest.head() is None:
                raise SettingsError(
                    f"there is no manifest of job {place.job} at {place.url}", hint="nothing was stored there yet"
                )
            yield Told(place.job, place.url, manifest)
            return
        configured = session.syncer.settings.sinks.get(place.job)
        options = None if configured is None else configured.options
        access = options.access() if isinstance(options, SinkOptions) else None
        folder = await anyio.to_thread.run_sync(Path.cwd)
        # Whoever reads need not know which job writes there.
        root = await open_reading(word, folder, session.syncer.clock, access=access)
        yield Told(root.job, place.url, root.manifest, root.wanted)


def generation(text: str) -> int | str:
    """Return a generation by its number, or the name of a snapshot."""
    return int(text) if text.isdecimal() else text
