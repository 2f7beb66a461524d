"""Words to the supervisor that started the process (systemd's `sd_notify` protocol): a few lines over one socket."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Self

import msgspec

from syncer.observe.screen import printable
from syncer.ports import Clock

#: Seconds between two words about how it goes.
PERIOD = 5.0

#: Seconds that an end may take beyond the grace period: the interpreter's own.
_AFTERWARDS = 5.0


class Condition(msgspec.Struct, frozen=True):
    """How the process is, for its supervisor."""

    #: One line of progress.
    status: str
    #: The loop works and no run stands still.
    well: bool = True
    #: Seconds until the end, while it is being stopped; None: it is not.
    left: float | None = None


class Supervisor:
    """Whoever started the process and wants to hear of it; without one nothing is sent."""

    def __init__(self, address: str | None, watchdog: float | None = None) -> None:
        """Take the socket's address, and within how many seconds each word of life has to come."""
        self._address = address
        self.watchdog = watchdog if address else None
        self._status = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the supervisor that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`)."""
        watchdog = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        seconds = int(watchdog) / 1e6 if meant and watchdog.isdecimal() and int(watchdog) else None
        return cls(environment.get("NOTIFY_SOCKET"), seconds)

    def ready(self) -> None:
        """Say that start-up, or a reload, is over."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` says that it was."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, left: float) -> None:
        """Say that the end has begun, and how many seconds it may take."""
        self._send("STOPPING=1", _extension(left))

    def tell(self, condition: Condition) -> None:
        """Say how it goes; the word that keeps the watchdog quiet comes only while all is well."""
        lines = []
        status = printable(condition.status)
        if status != self._status:
            lines.append(f"STATUS={status}")
            self._status = status
        if self.watchdog is not None and condition.well:
            lines.append("WATCHDOG=1")
        if condition.left is not None:
            lines.append(_extension(condition.left))
        if lines:
            self._send(*lines)

    async def attend(self, clock: Clock, condition: Callable[[], Condition]) -> None:
        """Tell it how it goes, again and again; run it in a task and cancel it. Without a supervisor it ends at once.

        It runs on the event loop on purpose: a loop that stands still sends no word of life.
        """
        while self._address:
            self.tell(condition())
            await clock.sleep(PERIOD if self.watchdog is None else min(PERIOD, self.watchdog / 2))

    def _send(self, *lines: str) -> None:
        address = self._address
        if not address:
            return
        if address.startswith("@"):  # an abstract socket: no file stands for it
            address = "\0" + address[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(0)
            try:
                out.sendto("\n".join(lines).encode(), address)
            except OSError:
                # Nobody reads there, or not fast enough. The next word comes soon, and a supervisor that misses the
                # word of life does what it is there for.
                return


def _extension(left: float) -> str:
    return f"EXTEND_TIMEOUT_USEC={int((max(0.0, left) + _AFTERWARDS) * 1e6)}"
