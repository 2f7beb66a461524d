"""Lets the object store's worker threads come to rest before Python is taken down.

They hand their last results over to Python a moment after these were awaited; a thread that does so while the
interpreter goes away takes the process down with SIGABRT, and its exit code with it. Nothing is lost by then, but
whoever started the process would be told that it crashed.
"""

import atexit
import os
import time
from pathlib import Path

from syncer.model.errors import SettingsError

#: Seconds between two looks, and the most that are waited in all.
_LOOK = 0.05
_LONGEST = 3.0
#: Looks in a row at which every other thread has to sleep.
_QUIET = 2
_TASKS = Path("/proc/self/task")

_registered = False
#: This process was forked from one that had such threads: they are not here, and whoever waits for them waits for ever.
_orphaned = False


def rest_at_exit() -> None:
    """Make the end of this process wait for the worker threads; called by whoever starts them."""
    global _registered  # noqa: PLW0603  # one process has one end
    if not _registered:
        _registered = True
        atexit.register(_rest)
        os.register_at_fork(after_in_child=_forked)


def refuse_after_fork() -> None:
    """Refuse to use a bucket in a process that was forked from one that did.

    Raises:
        SettingsError: it was.
    """
    if _orphaned:
        message = (
            "this process was forked after a bucket had been used, and the client of buckets does not survive that"
        )
        hint = "start workers with `spawn` (DataLoader: multiprocessing_context='spawn'), or fork before the first use"
        raise SettingsError(message, hint=hint)


def _forked() -> None:
    global _orphaned  # noqa: PLW0603  # one process has one origin
    _orphaned = True


def _rest() -> None:
    end = time.monotonic() + _LONGEST
    quiet = 0
    while quiet < _QUIET and time.monotonic() < end:
        # Sleeping lets go of the interpreter, which is what they wait for.
        time.sleep(_LOOK)
        quiet = quiet + 1 if _all_asleep() else 0


def _all_asleep() -> bool:
    """Tell whether no other thread of this process runs or wants to; where that can't be seen, time has to do."""
    try:
        states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in _TASKS.iterdir()]
    except OSError:
        return True
    # This thread is the one that runs.
    return sum(state in {"R", "D"} for state in states) <= 1
