"""Consistent copies of an SQLite state, out and in; other processes may use it meanwhile."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio.to_thread

from syncer.cli.exits import UsageError
from syncer.model.errors import NotNow
from syncer.settings import Settings
from syncer.state import open_state

_BUSY = 30.0


async def copy_out(settings: Settings, file: Path) -> None:
    """Write a copy that nobody else may read.

    Raises:
        UsageError: the state is not in a file, or the copy can't be written.
        NotNow: the state can't be read.
    """
    await anyio.to_thread.run_sync(_out, _file_of(settings), file)


async def copy_in(settings: Settings, file: Path) -> None:
    """Replace the state by a copy, in one transaction.

    Raises:
        UsageError: the state is not in a file, or there is no copy.
        SettingsError: the copy is none, is damaged, or was written by a newer version.
        NotNow: the state can't be written.
    """
    target = _file_of(settings)
    path = await anyio.Path(file).absolute()
    if not await path.is_file():
        raise UsageError(f"there is no file {file}")
    async with open_state(f"sqlite:{path}", settings.base, readonly=True):
        pass  # whatever is wrong with it is said here
    await anyio.to_thread.run_sync(_copy, Path(path), target)


def _file_of(settings: Settings) -> Path:
    if settings.state_file is None:
        raise UsageError("this state is in memory only", hint="keep it in a file: state: sqlite:state.db")
    return settings.state_file


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
