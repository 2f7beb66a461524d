"""Copies of a whole state: of a file out and in, while other processes use it; and from one database into another."""

import os
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path

import anyio.to_thread

from syncer.app.registry import discover
from syncer.cli.exits import UsageError
from syncer.cli.options import Everywhere
from syncer.model.errors import NotNow
from syncer.net.redact import remember
from syncer.settings import Settings
from syncer.settings.state import state_of
from syncer.state import copy_state, migrate_state, open_state

_BUSY = 30.0


async def copy_out(settings: Settings, file: Path) -> None:
    """Write a copy that nobody else may read.

    Raises:
        UsageError: the state is not in a file, or the copy can't be written.
        NotNow: the state can't be read.
    """
    source = await anyio.to_thread.run_sync(_file_of, settings)
    await anyio.to_thread.run_sync(_out, source, file)


async def copy_in(settings: Settings, file: Path) -> None:
    """Replace the state by a copy, in one transaction.

    Raises:
        UsageError: the state is not in a file, or there is no copy.
        SettingsError: the copy is none, is damaged, or was written by a newer version.
        NotNow: the state can't be written.
    """
    target = await anyio.to_thread.run_sync(_file_of, settings)
    path = await anyio.Path(file).absolute()
    if not await path.is_file():
        raise UsageError(f"there is no file {file}")
    async with open_state(f"sqlite:{path}", settings.base, readonly=True):
        pass  # whatever is wrong with it is said here
    await anyio.to_thread.run_sync(_copy, Path(path), target)


async def copy_over(source: str, target: str) -> tuple[str, int]:
    """Copy a state into an empty one of any kind, while nobody works on it; return the new one's name, and the rows.

    Both are URLs, or references to URLs; relative paths count from the working directory.

    Raises:
        UsageError: the source holds nothing.
        SettingsError, NotNow, PermissionRefused, LeaseHeld: it can't be done; the target is as it was.
    """
    base = await anyio.Path.cwd()
    urls = [await anyio.to_thread.run_sync(_url, text, Path(base)) for text in (source, target)]
    async with open_state(urls[0], Path(base), readonly=True) as looked:
        if not await looked.jobs():
            raise UsageError(f"{looked.url} holds no jobs: there is nothing to copy")
    async with open_state(urls[0], Path(base)) as store, AsyncExitStack() as held:
        for job in await store.jobs():
            await held.enter_async_context(store.lease(job))
        rows = await anyio.to_thread.run_sync(copy_state, urls[0], urls[1], Path(base))
    async with open_state(urls[1], Path(base), readonly=True) as copied:
        return copied.url, rows


async def migrate_over(here: Everywhere) -> tuple[str, int | None]:
    """Bring the configured state up to date; return its name, and how many steps that took.

    Raises:
        SettingsError, NotNow, PermissionRefused, LeaseHeld: it can't be done; nothing was changed.
    """

    def work() -> tuple[str, int | None]:
        settings = discover().settings(here.config, sets=here.sets)
        return settings.state, migrate_state(settings.state_url.reveal(), settings.base)

    return await anyio.to_thread.run_sync(work)


def _url(text: str, base: Path) -> str:
    return state_of(text, base, os.environ, remember)[1].reveal()


def _file_of(settings: Settings) -> Path:
    scheme, _, path = settings.state_url.reveal().partition(":")
    if scheme == "memory":
        raise UsageError("this state is in memory only", hint="keep it in a file: state: sqlite:state.db")
    if scheme != "sqlite":
        raise UsageError(
            "this state is in a database server, not in a file",
            hint="back it up with pg_dump, or copy it into a file: syncer state copy FROM sqlite:FILE",
        )
    return Path(path)


def _out(source: Path, target: Path) -> None:
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise UsageError(f"{target} is there already") from None
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}") from error
    _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=_BUSY)) as read,
            closing(sqlite3.connect(target, timeout=_BUSY)) as written,
        ):
            read.backup(written)
    except sqlite3.Error as error:
        raise NotNow(f"{source} could not be copied to {target}: {error}") from error
