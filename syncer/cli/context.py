"""What a command stands in: the open configuration, the log, and who listens to events."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, get_args

import anyio.to_thread
import msgspec
from structlog.typing import FilteringBoundLogger

from syncer.app.library import Syncer, open_syncer
from syncer.app.registry import Registry, discover
from syncer.cli.adhoc import Choice, choose, dotted, missing
from syncer.cli.exits import UsageError
from syncer.cli.messages import advised, say, warn
from syncer.cli.options import Everywhere
from syncer.model.errors import Exit, SettingsError, SyncerError
from syncer.model.events import OF_ITEMS, Emit, Event, RunEnded
from syncer.observe import Hub
from syncer.observe.output import Level
from syncer.observe.terminal import choose_format, choose_progress, open_observers
from syncer.settings import LogOptions, find
from syncer.settings.document import read
from syncer.settings.overrides import from_assignments, from_environment
from syncer.settings.problems import suggestion

#: Returns what else there is to say about an error, by its message and code; None if nothing.
Advice = Callable[[str, Exit], str | None]

#: From the least said to the most.
_LADDER: Sequence[Level] = tuple(reversed(get_args(Level)))


class Session(msgspec.Struct, frozen=True):
    """An open configuration and the log of this command."""

    syncer: Syncer
    logger: FilteringBoundLogger
    here: Everywhere
    #: Standard error is for programs (`--log-format json`): nothing but log lines goes there.
    machine: bool
    #: A live line is being drawn, so what is to be printed waits until it is gone.
    live: bool = False
    waiting: list[Callable[[], None]] = msgspec.field(default_factory=list)

    def when_free(self, output: Callable[[], None]) -> None:
        """Print something now, or at the end of the command if a live line is in the way."""
        if self.live:
            self.waiting.append(output)
        else:
            output()

    def tell(self, text: str) -> None:
        """Say a line of the account: in words for people, in the log for programs."""
        if self.machine:
            self.logger.info(text.strip())
        else:
            self.when_free(partial(say, text))

    def jobs(self, names: Sequence[str]) -> list[str]:
        """Return the jobs that were named, all of the configuration if none was.

        Raises:
            UsageError: there is no such job.
            SettingsError: there are no jobs at all.
        """
        known = self.syncer.settings.jobs
        for name in names:
            if name not in known:
                raise UsageError(f"no job {name!r}; {suggestion(name, known, nothing='none is configured')}")
        if not known:
            file = self.syncer.settings.file
            what = "no configuration file, and so no jobs" if file is None else f"{file} has no jobs"
            raise SettingsError(
                what, hint="name a file with -c, begin one with `syncer init`, or use `syncer export` without any"
            )
        return list(dict.fromkeys(names)) or list(known)


@asynccontextmanager
async def opened(
    here: Everywhere, *, registry: Registry | None = None, sets: Sequence[str] | None = None,
    add: Mapping[str, Any] | None = None, progress: bool = False, readonly: bool = False, usual: Level = "warning",
    fleet: bool = False,
) -> AsyncIterator[Session]:  # fmt: skip
    """Open the configuration for one command; with `readonly` nothing is written where the state lies.

    `usual` is the lowest level that people are shown, unless the file or the command line says otherwise. A worker of a
    `fleet` shares its limits with the others.

    Raises on entering:
        SettingsError: it can't be used.
    """
    hub = Hub()
    chosen = here.sets if sets is None else sets
    async with open_syncer(
        here.config, sets=chosen, add=add, hub=hub, registry=registry, readonly=readonly, fleet=fleet
    ) as syncer:
        log = syncer.settings.log
        wish = here.log_format or log.format
        level = level_of(here, log, console=choose_format(wish, tty=sys.stderr.isatty()) == "console", usual=usual)
        style = here.progress if progress and not here.quiet else "none"
        machine = wish == "json"
        live = choose_progress(style, tty=sys.stderr.isatty()) == "rich"
        waiting: list[Callable[[], None]] = []
        try:
            async with open_observers(
                syncer.clock, log_format=wish, progress=style, level=level, levels=log.levels, underway=syncer.underway
            ) as observers:
                hub.add(
                    partial(_heard, observers.hub.emit, machine=machine), without=() if level == "debug" else OF_ITEMS
                )
                session = Session(syncer, observers.logger, here, machine, live, waiting)
                for text in () if here.quiet else syncer.settings.warnings:
                    session.when_free(partial(warn, text))
                yield session
        finally:
            for output in waiting:
                output()


def _heard(emit: Emit, event: Event, *, machine: bool) -> None:
    """Hand an event to log and progress. Problems stand in the account, once, with what to do about them."""
    if isinstance(event, RunEnded) and not machine:
        event = RunEnded(event.report, told=True)
    emit(event)


@asynccontextmanager
async def opened_platform(here: Everywhere, word: str) -> AsyncIterator[tuple[Session, Choice]]:
    """Open the configuration for a command that names one platform, configured or not.

    Raises on entering:
        UsageError: there is no such platform or type.
        SettingsError: the configuration can't be used.
    """
    registry, choice = await named_platform(here, word)
    sets = dotted(here.sets, choice.name)
    with explained(advice_for(registry, choice, sets)):
        async with opened(here, registry=registry, sets=sets, add=choice.entries(), readonly=True) as session:
            yield session, choice


async def named_platform(here: Everywhere, word: str) -> tuple[Registry, Choice]:
    """Return the platform that a word means, and the plug-ins there are.

    Raises:
        UsageError: there is no such platform or type.
        SettingsError: the configuration can't be read.
    """

    def look() -> tuple[Registry, Choice]:
        registry = discover()
        file = find(here.config)
        tree = {} if file is None else read(file).tree
        from_environment(tree, os.environ)
        from_assignments(tree, [each for each in here.sets if each.strip().startswith("platforms.")])
        platforms = tree.get("platforms")
        return registry, choose(word, platforms if isinstance(platforms, Mapping) else {}, registry.sources)

    return await anyio.to_thread.run_sync(look)


def advice_for(registry: Registry, choice: Choice, sets: Sequence[str]) -> Advice:
    """Return how an option of a platform without a file is given, for errors that are about one."""

    def advice(message: str, code: Exit) -> str | None:
        if choice.configured:
            return None
        away = code is Exit.NOT_NOW and not any(each.startswith(f"platforms.{choice.name}.url=") for each in sets)
        asked = f"{message} platforms.{choice.name}.url" if away and "no connection" in message else message
        return missing(asked, choice.name, registry.source(choice.type).defaults)

    return advice


@contextmanager
def explained(advice: Advice) -> Iterator[None]:
    """Add to the hint of an error that passes what else there is to say about it."""
    try:
        yield
    except SyncerError as error:
        error.hint = advised(error.hint, advice(str(error), error.exit_code))
        raise


def level_of(here: Everywhere, log: LogOptions, *, console: bool, usual: Level = "warning") -> Level:
    """Return the lowest level that is logged: as the file says, else what a person or a program wants to know."""
    if here.quiet:
        return "error"
    start = log.level if "level" in log.model_fields_set else usual if console else "info"
    return _LADDER[min(_LADDER.index(start) + here.verbose, len(_LADDER) - 1)]
