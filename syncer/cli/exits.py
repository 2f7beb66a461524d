"""How a command ends: its exit code, and the signals that it honestly dies by."""

import errno
import os
import signal
import sys
from typing import NoReturn

from syncer.model.errors import EXIT_ORDER, Exit, SyncerError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class UsageError(SyncerError):
    """The command line asks for something that can't be: an unknown job, options that exclude each other."""

    exit_code = Exit.USAGE


def collapse(error: BaseException) -> BaseException:
    """Return the one error that a group stands for: an interrupt before a bug, a bug before what syncer reports."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    return min((collapse(each) for each in error.exceptions), key=_rank)


def code_of(error: BaseException) -> Exit:
    """Return the exit code of an error that ended a command."""
    return error.exit_code if isinstance(error, SyncerError) else Exit.BUG


def die_by(number: signal.Signals) -> NoReturn:
    """End the process by a signal, so that a shell or supervisor learns the truth (128 + n)."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # Only where the signal is blocked does the process get here.
    os._exit(128 + number)


def close_pipe() -> NoReturn:
    """End quietly, as other tools do, because nobody reads standard output any more."""
    _silence()
    die_by(signal.SIGPIPE)


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that a disk takes no more."""
    return isinstance(error, OSError) and error.errno in _FULL


def give_up(error: OSError) -> Exit:
    """Say that a disk, or the file that standard output goes to, takes no more; return the exit code."""
    from syncer.cli.messages import complain

    _silence()
    complain(f"what is printed can't be written: {error.strerror}", "make room, then run it again")
    return Exit.NOT_NOW


def _silence() -> None:
    # Python would try to flush what is left at exit, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _rank(error: BaseException) -> int:
    if not isinstance(error, Exception):
        return -2
    if not isinstance(error, SyncerError):
        return -1
    # A usage error never meets others; any place does.
    return EXIT_ORDER.index(error.exit_code) if error.exit_code in EXIT_ORDER else 0
