"""Destinations that a command is about: of jobs of the configuration, or of `export`, named by their URL."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import msgspec

from syncer.cli.adhoc import Destination, destination, dotted_sink
from syncer.cli.context import Session, opened
from syncer.cli.exits import UsageError
from syncer.cli.options import Everywhere
from syncer.model.containers import ending_of
from syncer.ports import Sink
from syncer.settings import Configured
from syncer.settings.problems import suggestion

#: An open configuration, and the destinations that a command is about.
Found = tuple[Session, "list[Place]"]


class Place(msgspec.Struct, frozen=True):
    """One sink of one job. Its platform is not asked, so no credential is needed."""

    job: str
    sink: Sink
    #: Its root, or the archive that `export` was told to write.
    url: str


@asynccontextmanager
async def opened_places(here: Everywhere, words: Sequence[str], sink: str | None = None) -> AsyncIterator[Found]:
    """Open the configuration for a command that only looks at destinations; `--set sink.X=…` counts as for export.

    Raises on entering:
        UsageError: a word is neither a job nor a destination, or a job has no such sink.
        SettingsError: the configuration can't be used, or there are no jobs at all.
    """
    targets = [found for word in words if (found := await _target(word)) is not None]
    own = {target.job: dict(target.sink) for target in targets}
    # An option of the sink is meant for each destination that was named.
    sets = [text for each in (*own,) or (None,) for text in dotted_sink(here.sets, each)]
    async with opened(here, readonly=True, sets=list(dict.fromkeys(sets)), add={"sinks": own}) as session:
        yield session, await places(session, words, sink)


async def places(session: Session, words: Sequence[str], sink: str | None = None) -> list[Place]:
    """Return the destinations that words name, those of all jobs if there are none; `sink` picks one of each job's.

    Raises:
        UsageError: a word is neither a job nor a destination, or a job has no such sink.
        SettingsError: there are no jobs at all.
    """
    jobs = session.syncer.settings.jobs
    found: list[Place] = []
    for word in words or session.jobs(()):
        if word in jobs:
            legs = [leg for leg in jobs[word].legs if sink in {None, leg.name}]
            if not legs and sink is not None:
                names = [leg.name for leg in jobs[word].legs]
                raise UsageError(f"job {word} has no sink {sink!r}; {suggestion(sink, names)}")
            sinks = [session.syncer.assembly.sink(leg) for leg in legs]
            found += [Place(word, each, each.url) for each in sinks]
        else:
            found.append(await _of_export(session, word))
    return found


async def _target(word: str) -> Destination | None:
    if "/" in word or ending_of(word) is not None or await anyio.Path(word).exists():
        return await anyio.to_thread.run_sync(destination, word, await anyio.to_thread.run_sync(Path.cwd))
    return None


async def _of_export(session: Session, word: str) -> Place:
    target = await _target(word)
    if target is None:
        known = session.syncer.settings.jobs
        raise UsageError(f"no job {word!r}; {suggestion(word, known)}", hint="a destination of export goes by its path")
    configured = session.syncer.settings.sinks.get(target.job)
    if configured is None:
        kind = str(target.sink["type"])
        options = session.syncer.registry.sink(kind).options.model_validate(dict(target.sink))
        configured = Configured(target.job, kind, options)
    return Place(target.job, session.syncer.assembly.sink(configured), target.url)
