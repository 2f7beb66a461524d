"""Signals: the first SIGINT or SIGTERM drains within a grace period, the second ends the process by that very signal.

Three things may keep a process from ending: an event loop that stands still, a thread that waits for a disk, and an
interpreter that waits for such a thread. None of them can hold it beyond the grace period: a thread that does nothing
else ends it then, and the kernel itself obeys a second signal.
"""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Final

#: Called with the name of the first signal ("SIGTERM").
OnSignal = Callable[[str], None]

#: The signals that mean: come to an end.
ENDING: Final = (signal.SIGINT, signal.SIGTERM)

#: Seconds for saying why the process ends now; what it is said to may hang as well.
_LAST_WORDS = 0.5


class Deadline:
    """Ends the process when the grace period is over, whatever it is busy with. Begun before it is needed.

    Signal handlers run between any two steps of the main thread, also amid the start of a thread: so this one waits
    from the beginning, and the handler only wakes it.
    """

    def __init__(self, grace: float, late: Callable[[], None], end: Callable[[], None]) -> None:
        """Take the seconds, what says that they were not enough, and what then ends the process."""
        self._grace = grace
        self._late = late
        self._end = end
        self._begun = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="grace period", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Let the grace period run from now on. Safe in a signal handler."""
        self._begun.set()

    def dismiss(self) -> None:
        """Stand down, if the grace period has not begun: an end that was asked for has to be reached."""
        if not self._begun.is_set():
            self._over.set()
            self._begun.set()

    def _wait(self) -> None:
        self._begun.wait()
        if self._over.wait(self._grace):
            return
        words = threading.Thread(target=self._late, daemon=True)
        words.start()
        words.join(_LAST_WORDS)
        self._end()


@asynccontextmanager
async def signals(on_first: OnSignal, deadline: Deadline | None = None) -> AsyncIterator[None]:
    """Handle SIGINT and SIGTERM while the block runs; only in the main thread.

    A process that dies by the signal itself tells its parent the truth (128 + n in a shell), and a supervisor
    never takes it for a failure of its own making.
    """
    loop = asyncio.get_running_loop()

    def first(number: int, _frame: FrameType | None) -> None:
        if deadline is not None:
            deadline.begin()
        for each in ENDING:
            # The first process of a container is not killed by a signal's default action.
            signal.signal(each, _die if os.getpid() == 1 else signal.SIG_DFL)
        loop.call_soon_threadsafe(on_first, signal.Signals(number).name)

    before = {each: signal.signal(each, first) for each in ENDING}
    try:
        yield
    finally:
        if deadline is not None:
            deadline.dismiss()
        for each, handler in before.items():
            # After the first signal the next one ends the process, also while it says goodbye.
            if signal.getsignal(each) is first:
                signal.signal(each, handler)


def _die(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


@asynccontextmanager
async def hangups(on_each: Callable[[], None]) -> AsyncIterator[None]:
    """Call something on each SIGHUP while the block runs."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, on_each)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
